//! Messages as jobs: their holders say more than ACK and NACK, and others watch how they are doing.

use kolejka::journal::fault::Dice;
use kolejka_codec::{Command, Frame};

use super::broker::Failure;
use super::client::{Asked, Held, Mode, Source, Subscription};
use super::history::{Answer, Fate, History};
use super::run::Run;
use super::wire::spell;

/// The statuses that are looked at in the end.
const LOOKED_AT: usize = 20;
/// How long a status is kept for certain once its job has ended.
const KEPT_MS: u64 = 86_400_000;

/// The states in which a job stays.
const FINAL: [&str; 4] = ["completed", "failed", "cancelled", "expired"];

/// What a client has said about a job, and what follows if it is not refused.
#[derive(Clone, Debug)]
pub(crate) struct Word {
    /// Place and message-id.
    key: (String, String),
    /// Who holds it.
    holder: (u64, String),
    /// It is held until then.
    until: u64,
}

impl Run {
    /// The holder of a job gives a sign of life, with or without another time to run.
    pub(crate) fn touch(&mut self, client: usize, dice: &mut Dice) {
        let Some(session) = &self.clients[client].session else { return };
        let mut held: Vec<&Held> = session.held.iter().filter(|held| held.key.is_some()).collect();
        // One whose time runs has more to gain.
        let runs = |held: &&Held| {
            held.key.as_ref().and_then(|key| self.history.copies.get(key)).is_some_and(|copy| copy.is_leased)
        };
        if held.iter().any(runs) {
            held.retain(runs);
        }
        let Some(held) = held.get(dice.below(held.len().max(1) as u64) as usize).copied().cloned() else { return };
        let holder = (session.number, held.subscription.clone());
        let Some(key) = held.key else { return };
        let mut headers = vec![("destination", format!("/job/{}", key.1)), ("ack", held.ack)];
        let mut until = 0;
        match dice.below(6) {
            0 => headers.extend([("x-event", "progress".to_owned()), ("x-progress", format!("{}/9", dice.below(10)))]),
            1 => headers.push(("x-event", "touch".to_owned())),
            2 => headers.push(("x-event", "data".to_owned())),
            _ => {
                let ms = if dice.below(2) == 0 { 100 + dice.below(400) } else { 5000 };
                headers.extend([("x-event", "touch".to_owned()), ("x-ttr", ms.to_string())]);
                until = self.broker.time() + ms;
                // The time may be shorter than it was.
                self.history.hold_until(&key, &holder, 0);
            }
        }
        self.say(client, Command::Send, headers, Some(Asked::Touched(Word { key, holder, until })));
    }

    /// The end of a delivery in the words of a job. `None`: it is said by ACK or NACK.
    pub(crate) fn job_words(
        &mut self,
        held: &Held,
        is_ack: bool,
        dice: &mut Dice,
    ) -> Option<(Vec<(&'static str, String)>, String)> {
        let (place, id) = held.key.as_ref().filter(|_| dice.below(4) == 0)?;
        let event = if is_ack { "complete" } else { "fail" };
        let headers = vec![
            ("destination", format!("/job/{id}")),
            ("ack", held.ack.clone()),
            ("x-event", event.to_owned()),
            ("content-type", "text/plain".to_owned()),
        ];
        let number = self.history.copies.get(&(place.clone(), id.clone())).map_or(0, |copy| copy.number);
        let words = format!("what came of {number}: {}", dice.below(1000));
        if is_ack {
            self.history.results.entry(number).or_default().push(words.clone());
        }
        Some((headers, words))
    }

    /// Says it.
    pub(crate) fn say_with(
        &mut self,
        client: usize,
        mut headers: Vec<(&str, String)>,
        body: &str,
        asked: Option<Asked>,
    ) {
        let Some(session) = &mut self.clients[client].session else { return };
        headers.extend(asked.map(|asked| session.receipt(asked)));
        session.wire.say(&spell(Command::Send, &headers, body.as_bytes()));
        self.history.asked.insert(session.number, session.last_receipt);
    }

    /// Watches a job.
    pub(crate) fn watch(&mut self, client: usize, number: u64) {
        let Some(session) = &mut self.clients[client].session else { return };
        session.last_subscription += 1;
        let id = format!("s{}", session.last_subscription);
        let destination = format!("/job/{}", token_of(number));
        let headers = vec![("id", id.clone()), ("destination", destination.clone())];
        self.history.watches.insert((session.number, id.clone()), (number, self.history.ended.get(&number).cloned()));
        let (mode, source) = (Mode::Auto, Source::Copies);
        session.subscriptions.push(Subscription { id, destination, mode, source, is_gone: false });
        self.say(client, Command::Subscribe, headers, Some(Asked::Other));
    }

    /// Everything has been taken: what was followed has come to an end, and its status says which.
    pub(crate) fn look_at_statuses(&mut self, dice: &mut Dice) -> Result<(), Failure> {
        let now = self.broker.time();
        let is_followed = |number: &u64| {
            let message = &self.history.messages[number];
            message.is_followed && message.fate == Fate::Stays && message.answer == Answer::Confirmed
        };
        let numbers: Vec<u64> =
            self.history.messages.keys().copied().filter(is_followed).rev().take(LOOKED_AT).collect();
        for number in &numbers {
            self.watch(0, *number);
        }
        self.rest(dice)?;
        for number in numbers {
            let sent = self.history.messages[&number].sent_at;
            match self.history.ended.get(&number).map(String::as_str) {
                Some("completed" | "failed") => {}
                None if now.saturating_sub(sent) >= KEPT_MS => {}
                other => return Err(format!("status: message {number} was taken, and its status is {other:?}")),
            }
        }
        Ok(())
    }
}

impl History {
    /// A lease lasts so long.
    pub(crate) fn hold_until(&mut self, key: &(String, String), holder: &(u64, String), until: u64) {
        if let Some(copy) = self.copies.get_mut(key).filter(|copy| copy.holder.as_ref() == Some(holder)) {
            copy.is_leased = true;
            copy.lease_until = until;
        }
    }

    /// The broker has not refused it.
    pub(crate) fn touched(&mut self, word: &Word) {
        self.tally.touched += 1;
        if word.until > 0 {
            self.hold_until(&word.key, &word.holder, word.until);
        }
    }

    /// A watcher is told something. An end that was told was durable, and stays.
    pub(crate) fn told(&mut self, connection: u64, through: &str, frame: &Frame) -> Result<(), Failure> {
        let Some((number, expected)) = self.watches.get_mut(&(connection, through.to_owned())) else { return Ok(()) };
        let (number, expected) = (*number, expected.take());
        if frame.headers.get("x-job-token").is_some_and(|token| token != token_of(number)) {
            return Err(format!("status: a watcher of {number} hears of another job"));
        }
        if frame.headers.get("x-event") == Some("result") {
            return Ok(());
        }
        let Ok(status) = serde_json::from_slice::<serde_json::Value>(&frame.body) else { return Ok(()) };
        let Some(state) = status.get("state").and_then(|state| state.as_str()) else { return Ok(()) };
        // What became a dead letter may have been taken up again.
        let is_it = |expected: &String| expected == state || state == "unknown";
        let may_be_reopened = expected.as_deref() == Some("failed") && self.has_moved_dead;
        if !self.is_spoilt && !may_be_reopened && expected.as_ref().is_some_and(|expected| !is_it(expected)) {
            return Err(format!("status: message {number} was {expected:?} and is {state}"));
        }
        if let Some(result) = status.pointer("/result/inline").and_then(|text| text.as_str()) {
            let is_said = self.results.get(&number).is_some_and(|said| said.iter().any(|words| words == result));
            if !is_said {
                return Err(format!("status: the result of message {number} was never said: {result}"));
            }
        }
        if FINAL.contains(&state) {
            self.tally.ends += 1;
            self.ended.insert(number, state.to_owned());
        }
        Ok(())
    }
}

/// What a job is called that is followed.
pub(crate) fn token_of(number: u64) -> String {
    format!("{:08x}-0000-4000-8000-{:012x}", 0x5eed_0000_u64 + number % 97, number)
}
