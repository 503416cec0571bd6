//! Deliveries end: settled, failed, given back because their holder has gone.

use std::sync::Arc;

use kolejka::engine::Departure;
use kolejka::model::{
    AckMode, Backoff, DeathNote, DeathReason, DestinationName, MessageId, OnExhaust, Outcome, Standing, Timestamp,
};

use super::message::{Known, Out};
use super::reference::Model;

/// How a delivery failed.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// Its consumer said so, perhaps why and how long to wait.
    Nack(Option<Arc<str>>, Option<u64>),
    /// Its consumer went, or took too long.
    Lost,
}

impl Model {
    /// One delivery is settled; in client mode the earlier ones of the subscription with it (§5.8).
    pub(super) fn settle(&mut self, sub: u32, number: u64, outcome: &Outcome, now: Timestamp) {
        let found = self.subs.get_mut(&sub).expect("a subscription that is there");
        let Some(at) = found.out.iter().position(|out| out.number == number) else { return };
        let settled: Vec<_> = match found.mode {
            AckMode::Client => found.out.drain(..=at).collect(),
            AckMode::ClientIndividual | AckMode::Auto => vec![found.out.remove(at)],
        };
        found.draw(now);
        self.clients[found.client].settled.extend(settled.iter().filter(|out| out.is_plain).map(|out| out.message));
        for out in settled.iter().filter(|out| out.is_leased && !out.is_lost) {
            self.finish(out.message, outcome, now);
        }
    }

    /// What the kernel has of an auto subscription is done.
    pub(super) fn written(&mut self, sub: u32, through: u64, now: Timestamp) {
        let found = self.subs.get_mut(&sub).expect("a subscription that is there");
        if found.mode != AckMode::Auto {
            return;
        }
        let written: Vec<_> = found.out.extract_if(.., |out| out.number <= through).collect();
        found.draw(now);
        for out in written.iter().filter(|out| out.is_leased) {
            self.finish(out.message, &Outcome::Ack, now);
        }
    }

    /// It is damaged: it stays where it is, and nobody gets it until somebody kicks it.
    pub(super) fn quarantine(&mut self, sub: u32, number: u64, now: Timestamp) {
        let found = self.subs.get_mut(&sub).expect("a subscription that is there");
        let Some(at) = found.out.iter().position(|out| out.number == number) else { return };
        let out = found.out.remove(at);
        found.draw(now);
        if out.is_leased && !out.is_lost {
            self.known(out.message).give_back(Standing::Buried(now));
        }
    }

    fn finish(&mut self, message: MessageId, outcome: &Outcome, now: Timestamp) {
        match outcome {
            Outcome::Ack => drop(self.home_of(message).take(message)),
            Outcome::Release => self.known(message).give_back(Standing::Ready),
            Outcome::Retry { reason, delay_ms } => self.fail(message, Failure::Nack(reason.clone(), *delay_ms), now),
            // Its place among those of the same urgency stays.
            Outcome::Ranked { urgency, outcome } => {
                self.known(message).urgency = urgency.0;
                self.finish(message, outcome, now);
            }
            Outcome::Bury => self.bury(message, true, now),
            Outcome::DeadLetter { reason } => {
                // §5.4: where there is no dead-letter queue it is buried.
                if !self.dead_letter(message, DeathReason::Nack, reason.as_ref()) {
                    self.bury(message, true, now);
                }
            }
        }
    }

    fn known(&mut self, message: MessageId) -> &mut Known {
        self.home_of(message).find_mut(message).expect("a message that is there")
    }

    /// A delivery that counts has failed.
    pub(super) fn fail(&mut self, message: MessageId, failure: Failure, now: Timestamp) {
        let policy = self.home_of(message).policy.clone();
        let known = self.known(message);
        let terms = known.terms.clone().unwrap_or_default();
        let (attempts, mut nacks) = (known.attempts + 1, known.nacks);
        let (mut wait, mut error) = (0..=0, None);
        if let Failure::Nack(reason, delay_ms) = failure {
            // §5.2: the exponent is the number of NACKs; a delay of its own is taken as it is.
            nacks += 1;
            let backoff = terms.backoff.unwrap_or(policy.backoff);
            wait = delay_ms.map_or_else(|| wait_of(backoff, nacks), |delay| delay..=delay);
            error = reason;
        }
        if attempts < terms.max_deliveries.unwrap_or(policy.max_deliveries) {
            (known.attempts, known.nacks) = (attempts, nacks);
            let (first, last) = (now.0 + wait.start(), now.0 + wait.end());
            let standing = if last > now.0 { Standing::Delayed(Timestamp(first)) } else { Standing::Ready };
            known.give_back(standing);
            known.due_within = (first < last).then_some(first..=last);
            return;
        }
        let is_nack = nacks > known.nacks;
        match terms.on_exhaust.unwrap_or(policy.on_exhaust) {
            OnExhaust::Drop => drop(self.home_of(message).take(message)),
            OnExhaust::Bury => self.bury(message, is_nack, now),
            OnExhaust::DeadLetter => {
                if !self.dead_letter(message, DeathReason::Deliveries, error.as_ref()) {
                    self.bury(message, is_nack, now);
                }
            }
        }
    }

    /// A failed delivery, and nobody shall try until somebody kicks it.
    fn bury(&mut self, message: MessageId, is_nack: bool, now: Timestamp) {
        let known = self.known(message);
        known.attempts += 1;
        known.nacks += u8::from(is_nack);
        known.give_back(Standing::Buried(now));
    }

    /// §5.4: a message goes to its dead-letter queue. It keeps its id and what it has been through is noted; it counts
    /// from 0 there, is there at once, and does not expire. `false` if there is no such queue.
    pub(super) fn dead_letter(&mut self, message: MessageId, reason: DeathReason, error: Option<&Arc<str>>) -> bool {
        let home = self.home_of(message);
        let wanted = home.find(message).and_then(|known| known.terms.as_ref()?.dead_letter.clone());
        let Some(target): Option<DestinationName> = home.dead_letters(wanted) else { return false };
        let origin = home.name.clone();
        let mut dead = home.take(message);
        let attempts = dead.attempts + u16::from(reason != DeathReason::Expired);
        dead.note = Some(DeathNote { origin, reason, attempts, error: error.cloned() });
        (dead.attempts, dead.nacks, dead.sequence, dead.holder, dead.standing) = (0, 0, 0, None, Standing::Ready);
        (dead.has_moved, dead.is_arriving) = (true, reason == DeathReason::Expired);
        dead.is_noted |= reason != DeathReason::Expired;
        dead.withhold();
        if let Some(terms) = &mut dead.terms {
            (terms.due, terms.expires) = (None, None);
        }
        self.queue(&target).messages.push(dead);
        true
    }

    /// A subscription ends. §5.1: what it holds goes back uncounted, but for the oldest one of a lost connection.
    pub(super) fn dismiss(&mut self, id: u32, departure: Departure, now: Timestamp) {
        let sub = self.subs.remove(&id).expect("a subscription that is there");
        self.queues.iter_mut().for_each(|queue| queue.give_up_groups(id));
        let mut counts = departure == Departure::Lost && sub.mode != AckMode::Auto;
        let held = |out: &&Out| out.is_leased && !out.is_lost;
        for out in sub.out.iter().filter(held) {
            if std::mem::take(&mut counts) {
                self.fail(out.message, Failure::Lost, now);
            } else {
                self.known(out.message).give_back(Standing::Ready);
            }
        }
    }

    /// A client goes, and its temporary queue with it.
    pub(super) fn leave(&mut self, client: usize, departure: Departure, now: Timestamp) {
        for id in self.subs_of(client) {
            self.dismiss(id, departure, now);
        }
        self.clients[client] = super::reference::Client::default();
        let temporary = super::setting::temporary(client);
        self.queues.retain(|queue| queue.name != temporary);
    }
}

/// §5.2: how long a message waits after that many NACKs: a fifth more or less, never more than the maximum.
fn wait_of(backoff: Backoff, nacks: u8) -> std::ops::RangeInclusive<u64> {
    match backoff {
        Backoff::Fixed { ms } => ms..=ms,
        Backoff::Exponential { first_ms, factor_milli, max_ms } => {
            let grown = (1..nacks).fold(first_ms, |ms, _| (ms * u64::from(factor_milli) / 1000).min(max_ms));
            (grown * 4 / 5)..=(grown * 6 / 5).min(max_ms)
        }
    }
}
