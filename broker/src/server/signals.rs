//! What the operating system asks of the process.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::lifecycle::ServerError;

/// Signals that are listened to from now on.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// SIGTERM or SIGINT: come to an end; the second time, at once.
    Stop,
    /// SIGHUP: read the configuration and the certificates again.
    Reload,
}

impl Signals {
    /// Takes the signals over from the system, which would end the process at once. Called within a tokio runtime, and
    /// before anything is said that could bring a signal about.
    pub fn listen() -> Result<Signals, ServerError> {
        let listen = |kind| signal(kind).map_err(ServerError::Signals);
        Ok(Signals {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    pub(super) async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.terminate.recv() => Wish::Stop,
            _ = self.interrupt.recv() => Wish::Stop,
            _ = self.hang_up.recv() => Wish::Reload,
        }
    }
}
