//! What becomes of a client whose rights have changed while it was connected.
//!
//! What it sends from then on is judged by the new rights, and so is each COMMIT. A subscription to what may no longer be read
//! ends the session: STOMP has no word for the end of one subscription that a client is sure to notice. So nothing of it is
//! delivered any more, and the reason is told.

use super::client::Client;
use super::error::Fault;
use super::subscription::Subscription;
use crate::auth::Grants;
use crate::model::DestinationKind;
use crate::model::Source;

impl Client {
    /// Takes over the rights that hold from now on.
    pub(super) fn review(&mut self, grants: Grants) -> Result<(), Fault> {
        if self.gate.has(&grants) {
            return Ok(());
        }
        // What a pattern reaches was asked about destination by destination, by the rights of that time.
        let reads_patterns = |it: &&Subscription| matches!(it.to, Source::Wildcard(_)) && it.feed.is_none();
        let was_whole = self.subscriptions.all().filter(reads_patterns).all(|it| self.gate.check_read(&it.to).is_ok());
        self.gate.replace(grants);
        for subscription in self.subscriptions.all() {
            if subscription.feed.is_none() && matches!(subscription.to, Source::Wildcard(_)) {
                self.gate.check_read(&subscription.to).map_err(|_| Fault::RightsChanged)?;
            } else {
                self.gate.check_read(&subscription.to)?;
            }
            if let Some(queue) = subscription.feed.as_ref().filter(|queue| queue.kind() == DestinationKind::Queue) {
                self.gate.check_read(&Source::Name(queue.clone()))?;
            }
        }
        if was_whole { Ok(()) } else { Err(Fault::RightsChanged) }
    }
}
