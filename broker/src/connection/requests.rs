//! What was read, on its way to the engine and back.

use kolejka_codec::Item;
use tracing::debug;

use super::outgoing::Piece;
use super::task::Connection;
use super::users::{Membership, Users};
use crate::model::{Network, Refusal};
use crate::stomp::Output;

impl Connection {
    /// Decodes all that has arrived and lets the session see it, up to what ends the conversation.
    pub(super) async fn digest(&mut self) {
        // As a bug in this task would, for a test.
        #[cfg(feature = "internals")]
        assert!(!self.input.starts_with(b"PANIC\n"), "a test wanted it");
        let mut complete = false;
        // One look at the clock for all that was read.
        let now = self.now();
        while !self.is_closing() {
            match self.decoder.decode(&mut self.input) {
                Ok(Some(Item::Frame(frame))) => {
                    self.session.receive(now, frame);
                    if self.session.transactions() > 0 {
                        self.ask_for_transactions().await;
                    }
                }
                Ok(Some(Item::HeartBeat)) => continue,
                Ok(None) => break,
                Err(error) => {
                    debug!(%error, "malformed frame");
                    self.session.malformed(now, &error);
                }
            }
            complete = true;
            self.collect().await;
        }
        self.flush_batch().await;
        self.give_up_transactions();
        if self.is_closing() {
            self.input.clear();
        } else if self.decoder.is_between_frames() {
            self.begun = None;
        } else if complete || self.begun.is_none() {
            self.begun = Some(self.now().monotonic);
        }
    }

    /// Takes what the session has to say: requests gather, everything else keeps its place among them.
    pub(super) async fn collect(&mut self) {
        while let Some(output) = self.session.next_output() {
            match output {
                Output::Ask { request, receipt } => {
                    self.batch.ask(request, receipt);
                }
                Output::Promise(receipt) => {
                    self.batch.promise(receipt);
                }
                Output::Reply(reply) => {
                    self.flush_batch().await;
                    reply.write(&mut self.out);
                }
                Output::Authenticate(credentials) => {
                    self.flush_batch().await;
                    let verdict = self.authenticate(credentials).await;
                    self.session.authenticated(self.now(), verdict);
                    self.decoder.set_version(self.session.version());
                    if self.session.is_established()
                        && let Err(refusal) = self.enter()
                    {
                        // Nothing was said yet.
                        self.session.refused(None, refusal);
                    }
                }
                Output::HeartBeat => {
                    self.out.write(|octets| octets.extend_from_slice(b"\n"));
                    self.out.end_frame();
                }
                Output::Close(farewell) => {
                    self.flush_batch().await;
                    self.begin_close(farewell);
                    return;
                }
            }
        }
    }

    /// The client is let in: the engine gets to know it, and the small limits of strangers end.
    fn enter(&mut self) -> Result<(), Refusal> {
        let name = self.standing.as_ref().map_or("", |(who, _)| who.as_str());
        let whose = Users::whose(name, Network::of(self.peer.address));
        let (membership, holders) = self.surroundings.open.enter(whose)?;
        self.holding.belong_to(&holders);
        self.decoder.set_limits(self.surroundings.options.limits);
        self.client = Some(self.surroundings.handle.open_for(self.owner.clone(), membership.whose()));
        self.membership = Some(membership);
        self.stream.admit();
        self.place.is_in();
        Ok(())
    }

    /// Asks whether open transactions may hold what they do since the last frame, before anything is said about it: what is
    /// refused gets no receipt. What they hold less is given back behind the answers.
    async fn ask_for_transactions(&mut self) {
        let (held, open) = (self.session.transaction_bytes(), self.session.transactions());
        let counted = self.membership.as_ref().map_or(0, Membership::transactions);
        if open <= counted && !self.holding.is_outgrown_by(held) {
            return;
        }
        if let Err(refusal) = self.count_transactions() {
            self.flush_batch().await;
            if !self.is_closing() {
                self.session.retract(refusal);
            }
        }
    }

    /// Counts what open transactions hold, and how many the user has.
    fn count_transactions(&mut self) -> Result<(), Refusal> {
        self.holding.weigh_transactions(self.session.transaction_bytes())?;
        let open = self.session.transactions();
        self.membership.as_mut().map_or(Ok(()), |membership| membership.has_open(open))
    }

    /// Gives back what transactions that are over held.
    pub(super) fn give_up_transactions(&mut self) {
        if let Err(refusal) = self.count_transactions() {
            debug!(reason = %refusal, "transactions are still counted");
        }
    }

    /// Asks the engine for all that has gathered, and prepares the receipts. What is too much for one hold of its lock is
    /// asked in parts, between which others have their turns.
    pub(super) async fn flush_batch(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let now = self.now().monotonic;
        let Some(client) = &self.client else {
            // Before a client is let in its session asks nothing.
            self.batch.clear();
            return;
        };
        let unsubscribes = self.batch.unsubscribes();
        let patience = self.surroundings.options.disk_wait;
        let outcome = loop {
            match self.batch.apply(client, now, patience) {
                Some(outcome) => break outcome,
                None => tokio::task::yield_now().await,
            }
        };
        if unsubscribes {
            // They went back. Kept, they would add up: whoever does not read may subscribe again and again.
            let session = &self.session;
            self.deliveries.retain(|subscription| session.is_subscribed(subscription));
        }
        let (mut octets, mut count, mut gated) = (self.out.like(), 0, false);
        while let Some((receipt, answer, gates)) = self.batch.next_answered() {
            count += usize::from(receipt.is_some());
            gated |= gates;
            self.session.answered(receipt, answer, &mut octets);
        }
        if !octets.is_empty() {
            self.receipts.hold(Piece { octets, count, gated }, outcome.wait_for, &mut self.out);
        }
        if let Some((receipt, refusal)) = outcome.refused {
            self.batch.clear();
            self.session.refused(receipt, refusal);
            // After a refusal the session has one thing left to say.
            if let Some(Output::Close(farewell)) = self.session.next_output() {
                self.begin_close(farewell);
            }
        }
    }
}
