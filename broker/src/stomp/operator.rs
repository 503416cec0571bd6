//! A client as an operator: what it says to the broker itself, and where it is answered.

use kolejka_codec::Frame;
use kolejka_codec::header::names::TRANSACTION;

use super::client::Client;
use super::composite;
use super::error::Fault;
use super::gate::Routing;
use super::job;
use super::manage;
use super::oversee;
use super::statistics;
use super::turn::Turn;
use crate::model::DestinationName;
use crate::model::Request;

/// Whether a destination is surely neither a list nor an address of the broker itself, as nearly all are.
pub(super) fn is_plain(written: &str) -> bool {
    let path = written.strip_prefix("/queue/").or_else(|| written.strip_prefix("/topic/")).unwrap_or(written);
    !path.starts_with(['/', 'A', 'K']) && !composite::is_list(written)
}

impl Client {
    /// A SEND to what may be an address of the broker itself, or a list.
    pub(super) fn send_elsewhere(&mut self, turn: Turn<'_>, frame: &Frame, written: &str) -> Result<(), Fault> {
        if let Some(name) = written.strip_prefix(job::PREFIX) {
            return self.speak(turn, frame, name);
        }
        if manage::is_meant(written) {
            return self.manage(turn, frame);
        }
        if let Some(asked) = statistics::asked(written) {
            return self.inquire(turn, frame, asked);
        }
        if oversee::is_meant(written) {
            return self.oversee(turn, frame);
        }
        if composite::is_list(written) {
            return self.send_to_all(turn, frame, written);
        }
        self.send_to_one(turn, frame, written)
    }

    /// A word to the broker about a queue.
    pub(super) fn manage(&mut self, mut turn: Turn<'_>, frame: &Frame) -> Result<(), Fault> {
        let reply = self.answer_to(&mut turn, frame)?;
        let manage = manage::read(&frame.headers, reply, &self.gate, turn.now.wall)?;
        turn.ask(Request::Manage(Box::new(manage)));
        Ok(())
    }

    /// A question about numbers.
    pub(super) fn inquire(&mut self, mut turn: Turn<'_>, frame: &Frame, asked: (&str, Routing)) -> Result<(), Fault> {
        let reply = self.answer_to(&mut turn, frame)?;
        let head = |written| manage::head(written, &frame.headers, turn.now.wall);
        let request = statistics::read(asked, reply.map(|(written, to)| (to, head(written))), &self.gate)?;
        turn.ask(request);
        Ok(())
    }

    /// A word to the broker about all that waits for its time.
    pub(super) fn oversee(&mut self, mut turn: Turn<'_>, frame: &Frame) -> Result<(), Fault> {
        let reply = self.answer_to(&mut turn, frame)?;
        turn.ask(oversee::read(&frame.headers, reply, &self.gate)?);
        Ok(())
    }

    /// Where the answer to an operator goes: somewhere where he may send to.
    fn answer_to<'f>(
        &mut self,
        turn: &mut Turn<'_>,
        frame: &'f Frame,
    ) -> Result<Option<(&'f str, DestinationName)>, Fault> {
        if frame.headers.get(TRANSACTION).is_some() {
            return Err(Fault::Unsupported("managing queues in a transaction"));
        }
        self.reply_to(turn, frame)
    }

    /// Where an answer goes that the broker makes itself.
    pub(super) fn reply_to<'f>(
        &mut self,
        turn: &mut Turn<'_>,
        frame: &'f Frame,
    ) -> Result<Option<(&'f str, DestinationName)>, Fault> {
        let Some(written) = frame.headers.get("reply-to") else { return Ok(None) };
        let full = self.gate.writable(written, Routing::Queue)?;
        if written.starts_with("/temp-") {
            self.listen_for_reply(turn, written, full.clone())?;
        }
        Ok(Some((written, full)))
    }
}
