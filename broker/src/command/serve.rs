//! `kolejka` without a verb: serves until told to stop.

use std::time::Duration;

use tokio::runtime::Runtime;

use kolejka::config::Loaded;
use kolejka::journal::OpenError;
use kolejka::server::{Server, ServerError, Signals};

use crate::args::Serve;
use crate::logging;

use super::config::load;
use super::output;
use super::status::{Failure, Status};

/// How long threads that still read or hash may take to notice the end.
const LAST_PATIENCE: Duration = Duration::from_millis(500);

/// Starts a broker, says where it listens, and serves.
pub(crate) fn serve(arguments: &Serve) -> Result<Status, Failure> {
    let Loaded { config, .. } = load(arguments)?;
    logging::start(&config.log).map_err(|text| Failure::new(Status::BadConfig, text))?;
    logging::report_panics();
    let runtime = Runtime::new()?;
    let outcome = runtime.block_on(async {
        // Whoever reads that we are ready may send a signal the next moment.
        let signals = Signals::listen()?;
        let server = Server::start(&config)?;
        // Whoever started us may have stopped to read; that is no reason not to serve.
        let _ = output::print(&format!("{}\n", server.banner()));
        server.run(signals, || reload(arguments)).await
    });
    // A disk that does not answer holds a thread for ever; it must not hold the process.
    runtime.shutdown_timeout(LAST_PATIENCE);
    match outcome {
        Ok(()) => Ok(Status::Done),
        Err(error) => Err(Failure::new(status(&error), error.to_string())),
    }
}

/// The configuration as it is now, or nothing and a line in the log.
fn reload(arguments: &Serve) -> Option<kolejka::config::Config> {
    match load(arguments) {
        Ok(loaded) => Some(loaded.config),
        Err(failure) => {
            failure.report();
            None
        }
    }
}

pub(super) fn status(error: &ServerError) -> Status {
    match error {
        ServerError::Journal { source, .. } => match source {
            OpenError::Locked => Status::TimedOut,
            OpenError::Damaged { .. } | OpenError::Newer { .. } => Status::Damaged,
            OpenError::Options(_) => Status::BadConfig,
            _ => Status::Io,
        },
        ServerError::Homeless(_) => Status::Damaged,
        ServerError::Panicked(_) => Status::Panicked,
        ServerError::Bind(_) | ServerError::Data { .. } => Status::CannotCreate,
        _ => Status::Io,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_has_a_status_of_its_own() {
        assert_eq!(status(&ServerError::Panicked("the engine")) as u8, 70);
    }
}
