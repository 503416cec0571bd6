//! The end of a run: the disk is whole, everybody goes, what is left is taken, and all promises are judged.

use std::collections::BTreeMap;

use kolejka::engine::Engine;
use kolejka::journal::fault::Dice;
use kolejka::memory::Purpose;
use kolejka_codec::Command;

use super::act::DURABLE_TOPIC;
use super::alone::{LAST, UNIQUE};
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

impl Run {
    /// Takes all that is left, and judges.
    pub(crate) fn finish(&mut self, dice: &mut Dice) -> Result<(), Failure> {
        self.broker.disk.heal();
        self.broker.disk.set_free(u64::MAX);
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
        self.part(0);
        self.rest(dice)?;
        self.check_memory()?;
        self.history.judge()?;
        self.trace.note(self.broker.polls);
        self.trace.note(self.broker.disk.operations());
        Ok(())
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
        for name in self.durable.keys().cloned().collect::<Vec<_>>() {
            self.take_from(DURABLE_TOPIC.to_owned(), Source::Durable(name));
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
        if let Source::Durable(name) = &source {
            headers.push(("durable-subscription-name", name.clone()));
        }
        let mode = Mode::Auto;
        session.subscriptions.push(Subscription { id, destination, mode, source, is_gone: false });
        self.say(0, Command::Subscribe, headers, Some(Asked::Other));
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
