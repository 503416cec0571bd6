//! What has to hold when everything that was left has been taken.

use std::collections::{BTreeMap, BTreeSet};

use kolejka::model::Windows;

use super::broker::Failure;
use super::history::{Answer, Fate, History, Outcome};

/// Between which moments a message was taken, and its number.
type Taken = (u64, u64, u64);

impl History {
    /// I1, I5, I11 and I12.
    pub(crate) fn judge(&mut self) -> Result<(), Failure> {
        let mut seen: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
        for (_, copy) in self.copies.iter().filter(|((place, _), _)| place == "queue") {
            let (copies, finished) = seen.entry(copy.number).or_default();
            *copies += 1;
            *finished += usize::from(copy.is_finished || copy.is_over);
        }
        for (number, message) in &self.messages {
            let (copies, finished) = seen.get(number).copied().unwrap_or_default();
            self.tally.recovered += u64::from(message.answer == Answer::None && copies > 0);
            let is_kept = message.fate == Fate::Stays && message.answer == Answer::Confirmed;
            if is_kept && finished < message.queues {
                return Err(format!(
                    "I1: message {number} to {} was confirmed and is lost: {finished} of {}",
                    message.to, message.queues
                ));
            }
            // What somebody was given was durable.
            if message.fate == Fate::Stays && finished < copies {
                return Err(format!("I1: message {number} to {} was delivered, not settled, and is lost", message.to));
            }
            // Behind a topic there are queues of subscribers, whose dead letters are copies as well.
            let is_counted = !message.to.contains("/topic/");
            if is_counted && copies > message.queues {
                return Err(format!(
                    "I2: message {number} to {} is there {copies} times, not {}",
                    message.to, message.queues
                ));
            }
            for name in message.owed.iter().filter(|_| message.answer == Answer::Confirmed) {
                let is_given = self.given.get(name).is_some_and(|given| given.contains(number));
                let is_dead = message.queues == 0 && copies > 0;
                if !is_given && !is_dead {
                    return Err(format!("I12: message {number} was confirmed, and {name} never got it"));
                }
            }
        }
        self.judge_newest(|number| seen.get(&number).is_some_and(|(_, finished)| *finished > 0))?;
        self.judge_transactions(&seen)?;
        self.judge_keys(&seen)
    }

    /// I5: all or nothing.
    fn judge_transactions(&self, seen: &BTreeMap<u64, (usize, usize)>) -> Result<(), Failure> {
        for transaction in &self.transactions {
            if transaction.outcome != Outcome::Unknown {
                continue;
            }
            let is_kept = |number: &&u64| {
                let message = &self.messages[*number];
                message.fate == Fate::Stays && message.queues > 0
            };
            let kept = transaction.sent.iter().filter(is_kept);
            let there: Vec<_> = kept.map(|number| (*number, seen.contains_key(number))).collect();
            let some = there.iter().any(|(_, is_there)| *is_there);
            if some && there.iter().any(|(_, is_there)| !is_there) {
                return Err(format!("I5: a transaction is there in part: {there:?}"));
            }
        }
        Ok(())
    }

    /// I11: what has the same key is there once.
    fn judge_keys(&self, seen: &BTreeMap<u64, (usize, usize)>) -> Result<(), Failure> {
        let mut by_key: BTreeMap<(&str, &str), BTreeSet<Taken>> = BTreeMap::new();
        for (number, message) in self.messages.iter().filter(|(number, _)| seen.contains_key(number)) {
            if let (Some(key), Some((from, Some(until)))) = (&message.key, self.taken.get(number)) {
                by_key.entry((&message.to, key)).or_default().insert((*from, *until, *number));
            }
        }
        // Both were taken within the window for certain.
        let are_near = |pair: &[Taken]| pair[0].1.max(pair[1].1) - pair[0].0 < Windows::MS;
        let is_near = |numbers: &BTreeSet<Taken>| numbers.iter().copied().collect::<Vec<_>>().windows(2).any(are_near);
        match by_key.into_iter().find(|(_, numbers)| is_near(numbers)) {
            Some(((to, key), numbers)) => Err(format!("I11: {numbers:?} with the key {key} are all in {to}")),
            None => Ok(()),
        }
    }
}
