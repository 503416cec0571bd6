//! `kolejka` without a verb: serves until told to stop.

use tokio::runtime::Runtime;

use kolejka::config::Loaded;
use kolejka::server::{Server, ServerError, Signals};

use crate::args::Serve;
use crate::logging;

use super::config::load;
use super::output;
use super::status::{Failure, Status};

/// Starts a broker, says where it listens, and serves.
pub(crate) fn serve(arguments: &Serve) -> Result<Status, Failure> {
    let Loaded { config, .. } = load(arguments)?;
    logging::start(&config.log).map_err(|text| Failure::new(Status::BadConfig, text))?;
    let runtime = Runtime::new()?;
    let outcome = runtime.block_on(async {
        // Whoever reads that we are ready may send a signal the next moment.
        let signals = Signals::listen()?;
        let server = Server::start(&config)?;
        // Whoever started us may have stopped to read; that is no reason not to serve.
        let _ = output::print(&format!("{}\n", server.banner()));
        server.run(signals, || reload(arguments)).await
    });
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

fn status(error: &ServerError) -> Status {
    match error {
        ServerError::Journal(_) | ServerError::Homeless(_) => Status::Damaged,
        ServerError::Bind(_) => Status::CannotCreate,
        _ => Status::Io,
    }
}
