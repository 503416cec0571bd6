//! What the server tells all connections at once: that it stops, and that the users have changed.

use std::future::Future;
use std::pin::Pin;

use super::task::Connection;
use super::waking::Woken;
use crate::model::Refusal;

/// Something is told.
pub(super) type News = Pin<Box<dyn Future<Output = Woken> + Send>>;

impl Connection {
    /// Waits for what is told next.
    pub(super) fn news(&self) -> News {
        let (shutdown, mut users) = (self.surroundings.shutdown.clone(), self.users.clone());
        Box::pin(async move {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => Woken::Stopping,
                Ok(()) = users.changed() => Woken::OtherUsers,
            }
        })
    }

    /// The server stops.
    pub(super) async fn stop(&mut self) {
        // That we stop is no failure of whoever holds a message.
        if let Some(client) = &mut self.client {
            client.leave_cleanly();
        }
        self.session.disconnected(self.now(), Refusal::ShuttingDown);
        self.collect().await;
    }

    /// Asks again what the client may do. One that is not in yet is judged by the new users when it logs in; one that is on
    /// its way out has nothing left to lose.
    pub(super) async fn review(&mut self) {
        self.users.mark_unchanged();
        let Some((who, generation)) = self.standing.as_ref().filter(|_| !self.session.is_over()) else { return };
        let outcome = self.surroundings.gate.review(self.peer, who, *generation);
        self.session.reviewed(self.now(), outcome);
        if let Some(client) = &mut self.client
            && self.session.is_over()
        {
            // What it holds goes back uncounted: it has not failed.
            client.leave_cleanly();
        }
        self.collect().await;
        // The engine has to know before it hands out anything more.
        self.flush_batch().await;
    }
}
