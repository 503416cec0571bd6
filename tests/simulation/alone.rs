//! What is alone in its place: of a unique key one message is alive, of a value the newest stays, a topic retains one.

use kolejka::journal::fault::Dice;

use super::broker::Failure;
use super::client::Source;
use super::history::{Answer, History};
use super::run::Run;

/// The queue of unique messages.
pub(crate) const UNIQUE: &str = "/queue/unique";
/// The queue that keeps the last value of each symbol.
pub(crate) const LAST: &str = "/queue/last";
/// The topic that retains what is sent to it.
pub(crate) const RETAINING: &str = "/topic/t.r";

/// The newest message of a value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newest {
    number: u64,
    /// It was sent when everything before it had its answer.
    is_last: bool,
    is_persistent: bool,
}

impl History {
    /// A message is sent whose place is for one.
    pub(crate) fn sent_alone(&mut self, number: u64, is_persistent: bool) {
        let Some(message) = self.messages.get(&number) else { return };
        let Some(value) = &message.alone else { return };
        let is_before = |(_, other): &(&u64, &super::history::Message)| {
            other.answer == Answer::None
                && other.by != message.by
                && other.to == message.to
                && other.alone == message.alone
        };
        let is_last = !self.messages.range(..number).any(|pair| is_before(&pair));
        self.newest.insert((message.to.clone(), value.clone()), Newest { number, is_last, is_persistent });
    }

    /// Nobody sends any more, and what is read was there all at once: nothing is there twice.
    pub(crate) fn found_alone(&mut self, number: u64, place: &str, is_again: bool) -> Result<(), Failure> {
        let Some(found) = &mut self.found else { return Ok(()) };
        let Some(message) = self.messages.get(&number).filter(|message| message.to == place) else { return Ok(()) };
        let Some(value) = &message.alone else { return Ok(()) };
        // One that was out when a newer one came stays.
        if place == LAST && is_again || self.is_spoilt {
            return Ok(());
        }
        match found.insert((place.to_owned(), value.clone()), number) {
            Some(other) if other != number => {
                Err(format!("alone: messages {other} and {number} are both in {place} and have the same key, {value}"))
            }
            _ => Ok(()),
        }
    }

    /// The newest of a value is there until it is consumed.
    pub(crate) fn judge_newest(&self, is_taken: impl Fn(u64) -> bool) -> Result<(), Failure> {
        for ((place, value), newest) in &self.newest {
            let is_there = match place.as_str() {
                LAST => is_taken(newest.number),
                RETAINING => self.recalled == Some(newest.number),
                _ => continue,
            };
            let is_certain = newest.is_last && newest.is_persistent;
            let is_confirmed = self.messages[&newest.number].answer == Answer::Confirmed;
            if is_certain && is_confirmed && !is_there {
                return Err(format!("alone: message {}, the newest of {value} in {place}, is lost", newest.number));
            }
        }
        Ok(())
    }
}

impl Run {
    /// What the topic retains comes first.
    pub(crate) fn look_at_retained(&mut self, dice: &mut Dice) -> Result<(), Failure> {
        self.history.recalled = None;
        self.take_from(RETAINING.to_owned(), Source::Copies);
        self.rest(dice)
    }
}
