//! The end of a run: the disk is whole, everybody goes, what is left is taken, and all promises are judged.

use std::collections::BTreeMap;

use kolejka::engine::Engine;
use kolejka::journal::fault::Dice;
use kolejka::memory::Purpose;
use kolejka_codec::Command;

use super::act::DURABLE_TOPIC;
use super::alone::{LAST, RETAINING, UNIQUE};
use super::broker::{Failure, Health};
use super::client::{Asked, Client, Mode, Source, Subscription};
use super::hear::ORDERED;
use super::run::Run;

/// Every queue that a run has.
const QUEUES: [&str; 11] = [
    "/queue/a",
    "/queue/b",
    ORDERED,
    "/queue/purged",
    "/queue/leased",
    "/queue/small",
    "/queue/newest",
    "/queue/grouped",
    "/queue/moved",
    UNIQUE,
    LAST,
];

/// Queues behind topics beside those of each client.
const FEEDS: [(&str, &str); 4] = [
    ("/topic/t.b", "group-g"),
    ("/topic/Kolejka.Job.>", "group-jobs"),
    ("/topic/Kolejka.>", "group-all"),
    ("/topic/Kolejka.Job.*.>", "dk"),
];

impl Run {
    /// Takes all that is left, and judges.
    pub(crate) fn finish(&mut self, dice: &mut Dice) -> Result<(), Failure> {
        self.broker.disk.heal();
        self.broker.disk.set_free(u64::MAX);
        self.broker.fill_at = None;
        if self.broker.cut_at.is_some() || self.broker.may_fail {
            self.look(&Health::Cut, dice)?;
        }
        self.broker.disk.heal();
        (self.broker.cut_at, self.broker.may_fail) = (None, false);
        for _ in 0..3 {
            self.broker.idle()?;
            let health = self.settle(dice)?;
            self.look(&health, dice)?;
        }
        for client in 0..self.clients.len() {
            self.part(client);
        }
        // What waited for room on the disk is carried out, although its sender is gone.
        self.rest(dice)?;
        let before = self.history.tally.delivered;
        self.drain(dice)?;
        self.history.tally.drained = self.history.tally.delivered - before;
        self.check_bodies()?;
        self.part(0);
        self.rest(dice)?;
        self.check_memory()?;
        self.history.judge()?;
        self.open_again(dice)?;
        self.trace.note(self.broker.polls);
        self.trace.note(self.broker.disk.operations());
        Ok(())
    }

    /// After an orderly stop the directory opens, and nothing is there that was taken.
    fn open_again(&mut self, dice: &mut Dice) -> Result<(), Failure> {
        if self.broker.stop(dice)? != Health::Fine {
            return Err("failed: the broker does not stop".to_owned());
        }
        self.history.nobody_holds();
        self.broker.open().map_err(|error| format!("open: the directory does not open in the end: {error}"))?;
        let before = self.history.tally.delivered;
        self.clients.iter_mut().for_each(|client| client.session = None);
        self.drain(dice)?;
        let more = self.history.tally.delivered - before;
        if more > 0 { Err(format!("I3: {more} messages are there again after an orderly stop")) } else { Ok(()) }
    }

    /// Time passes until nothing is left to do.
    pub(crate) fn rest(&mut self, dice: &mut Dice) -> Result<(), Failure> {
        for ms in [1, 10, 100, 3000, 6000] {
            self.broker.jump(ms);
            let health = self.settle(dice)?;
            if health != Health::Fine {
                return Err("failed: the broker failed without a cause".to_owned());
            }
        }
        Ok(())
    }

    /// The same on a disk of which not everything can be told.
    pub(crate) fn take_all(&mut self, dice: &mut Dice) -> Result<(), Failure> {
        self.rest(dice)?;
        self.drain(dice)
    }

    /// One client takes everything.
    fn drain(&mut self, dice: &mut Dice) -> Result<(), Failure> {
        self.clients.push(Client::default());
        let reader = self.clients.len() - 1;
        self.clients.swap(0, reader);
        self.connect(0, 1 << 20);
        self.history.found = Some(BTreeMap::new());
        for plan in ["plan0", "plan1", "clock"] {
            let end = vec![
                ("destination", "ActiveMQ.Scheduler.Management".to_owned()),
                ("AMQ_SCHEDULER_ACTION", "REMOVE".to_owned()),
                ("x-schedule", plan.to_owned()),
            ];
            self.say(0, Command::Send, end, Some(Asked::Other));
        }
        let names: Vec<String> = QUEUES.iter().flat_map(|queue| [(*queue).to_owned(), dead(queue)]).collect();
        for name in &names {
            // What failed for the last time among dead letters is buried there.
            for (word, more) in [("resume", ("x-side", "both")), ("kick", ("x-count", "10000"))] {
                let headers = vec![
                    ("destination", "/queue/Kolejka.Manage".to_owned()),
                    ("x-op", word.to_owned()),
                    (more.0, more.1.to_owned()),
                    ("x-queue", name.clone()),
                ];
                self.say(0, Command::Send, headers, Some(Asked::Other));
            }
        }
        // Dead letters of durable subscriptions have names of their own.
        self.take_from("/queue/DLQ.>".to_owned(), Source::Queues);
        for name in &names {
            self.take_from(name.clone(), Source::Queues);
        }
        // Whether they were confirmed or not: what they hold would never go.
        for name in ["d0", "d1", "d2", "d3"] {
            self.take_from(DURABLE_TOPIC.to_owned(), Source::Durable(name.to_owned()));
        }
        for (topic, name) in FEEDS {
            self.take_from(topic.to_owned(), Source::Durable(name.to_owned()));
        }
        let mut quiet = 0;
        while quiet < 4 {
            let before = self.history.tally.delivered;
            self.rest(dice)?;
            if self.clients[0].session.is_none() {
                return Err("drain: the last reader was sent away".to_owned());
            }
            quiet = if self.history.tally.delivered == before { quiet + 1 } else { 0 };
        }
        self.look_at_statuses(dice)?;
        self.look_at_retained(dice)?;
        let headers = [("destination", RETAINING), ("retain", "remove")];
        let headers = headers.map(|(name, value)| (name, value.to_owned())).to_vec();
        self.say(0, Command::Send, headers, Some(Asked::Other));
        // Its answer proves that all of that was meant for somebody who is alive.
        self.say(
            0,
            Command::Subscribe,
            vec![("id", "last".to_owned()), ("destination", ORDERED.to_owned())],
            Some(Asked::Other),
        );
        self.rest(dice)
    }

    pub(crate) fn take_from(&mut self, destination: String, source: Source) {
        let Some(session) = &mut self.clients[0].session else { return };
        session.last_subscription += 1;
        let id = format!("s{}", session.last_subscription);
        let mut headers = vec![("id", id.clone()), ("destination", destination.clone()), ("ack", "auto".to_owned())];
        match &source {
            Source::Durable(name) if name.starts_with("group-") => headers.push(("group", name[6..].to_owned())),
            Source::Durable(name) => headers.push(("durable-subscription-name", name.clone())),
            _ => {}
        }
        let mode = Mode::Auto;
        session.subscriptions.push(Subscription { id, destination, mode, source, is_gone: false });
        self.say(0, Command::Subscribe, headers, Some(Asked::Other));
    }

    /// All was taken, and nothing is retained: no message is left. When the reader goes, feeds are told of it.
    fn check_bodies(&self) -> Result<(), Failure> {
        let process = self.broker.process.as_ref();
        match process.map_or(0, |process| process.memory.used(Purpose::Bodies)) {
            0 => Ok(()),
            bodies => Err(format!("memory: {bodies} bytes are counted for messages, and none is left")),
        }
    }

    /// Nobody is connected: nothing is counted for connections.
    fn check_memory(&self) -> Result<(), Failure> {
        let Some(process) = &self.broker.process else { return Ok(()) };
        if !process.connections.is_empty() {
            return Err(format!("rest: {} connections do not end", process.connections.len()));
        }
        for purpose in [Purpose::Frames, Purpose::Transactions, Purpose::Output, Purpose::Topics] {
            let used = process.memory.used(purpose);
            if used > 0 {
                return Err(format!("memory: {used} bytes are counted for {purpose:?}, and nobody is there"));
            }
        }
        // A hold is the requests of one client and the dispatch behind them.
        for (verb, row) in process.handle.holds().rows() {
            if row.most_steps > Engine::REQUESTS + Engine::DISPATCH + Engine::PART {
                return Err(format!("steps: {} took {} of them in one hold", verb.as_str(), row.most_steps));
            }
        }
        Ok(())
    }
}

/// Where the dead letters of a queue go.
fn dead(queue: &str) -> String {
    queue.replacen("/queue/", "/queue/DLQ.", 1)
}
