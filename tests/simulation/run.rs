//! A run: the steps of a seed, one after the other, and what comes of them.

use std::collections::BTreeMap;

use kolejka::journal::fault::{Dice, Fault};

use super::broker::{Broker, Failure, Health};
use super::client::{Client, Session, given_up};
use super::history::History;
use super::step::{Kind, Step};
use super::tally::Tally;
use super::trace::{Trace, show};
use super::wire::Wire;

/// Everything that takes part.
pub(crate) struct Run {
    pub(crate) broker: Broker,
    pub(crate) clients: Vec<Client>,
    pub(crate) history: History,
    pub(crate) trace: Trace,
    /// The last message that was sent.
    pub(crate) last: u64,
    /// Large messages come and go, so that segments fill and are given back.
    pub(crate) is_busy: bool,
    /// All schedules were to be removed, at some time.
    pub(crate) has_removed_all: bool,
    /// Durable subscriptions that are certain to be there, by name: their topic.
    pub(crate) durable: BTreeMap<String, String>,
}

/// Carries out steps on an empty disk, takes what is left and judges. The same steps come to the same.
pub(crate) fn run(seed: u64, steps: &[Step]) -> Result<(Tally, Trace), Failure> {
    let mut run = walk(seed, steps)?;
    run.finish(&mut Dice::new(seed ^ 0xf1a1))?;
    Ok((run.history.tally, run.trace))
}

/// Carries out steps on an empty disk, and leaves everything as it is.
pub(crate) fn walk(seed: u64, steps: &[Step]) -> Result<Run, Failure> {
    let clients = steps.iter().map(|step| step.client + 1).max().unwrap_or(1);
    let mut run = Run { clients: (0..clients).map(|_| Client::default()).collect(), ..Run::new(seed) };
    run.broker.start(&mut Dice::new(seed ^ 0x5eed), &mut run.history.tally)?;
    for step in steps {
        run.step(step).map_err(|failure| format!("{failure} (step {}: {:?})", step.number, step.kind))?;
    }
    Ok(run)
}

impl Run {
    /// Nothing has happened, and nobody is there.
    pub(crate) fn new(seed: u64) -> Run {
        Run {
            broker: Broker::new(seed),
            clients: Vec::new(),
            history: History::default(),
            trace: Trace::new(),
            last: 0,
            is_busy: seed % 3 == 2,
            has_removed_all: false,
            durable: BTreeMap::new(),
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), Failure> {
        let mut dice = Dice::new(step.salt);
        self.history.tally.steps += 1;
        show(&format!("step {}", step.number), format!("{:?} of {}", step.kind, step.client).as_bytes());
        self.trace.note(step.number as u64);
        self.trace.note(self.broker.disk.operations());
        self.trace.note(self.broker.polls);
        if !self.happen(step, &mut dice)? {
            if self.clients[step.client].session.is_none() {
                // Not as much as a segment: what one read brings is appended before the log can say that it is full.
                let window = [64, 1024, 8192][dice.below(3) as usize];
                self.connect(step.client, window);
            }
            self.act(step, &mut dice);
        }
        self.go_on(step.client, &mut dice)
    }

    /// Lets a client say a piece, others do a little, and the client hear what has come.
    fn go_on(&mut self, client: usize, dice: &mut Dice) -> Result<(), Failure> {
        if let Some(session) = &mut self.clients[client].session {
            session.wire.write(dice);
        }
        for _ in 0..dice.below(5) {
            let Some(health) = self.broker.run_one(dice)? else { break };
            self.look(&health, dice)?;
        }
        if dice.below(4) > 0 { self.hear(client) } else { Ok(()) }
    }

    /// What happens to the machine, to the broker or to time. `false`: it is something that a client does.
    fn happen(&mut self, step: &Step, dice: &mut Dice) -> Result<bool, Failure> {
        let health = match step.kind {
            Kind::Settle => self.settle(dice)?,
            Kind::Wait => {
                self.broker.jump(1 + dice.below(60));
                self.broker.settle(dice)?
            }
            Kind::Jump => {
                let ms = [5_000, 61_000, 3_600_000, 86_400_000][dice.below(4) as usize];
                self.broker.jump(ms);
                self.broker.settle(dice)?
            }
            Kind::Idle => self.broker.idle()?,
            Kind::Cut => Health::Cut,
            Kind::CutSoon => {
                let far = [4, 30, 200][dice.below(3) as usize];
                self.broker.plan_cut(dice.below(far));
                Health::Fine
            }
            Kind::Fault => {
                let fault = [Fault::Io, Fault::Short][dice.below(2) as usize];
                self.broker.plan_fault(dice.below(60), fault);
                Health::Fine
            }
            Kind::Fill => {
                self.history.tally.full += 1;
                let bytes = dice.below(5) * (48 << 10);
                show("free", bytes.to_string().as_bytes());
                self.broker.disk.set_free(bytes);
                Health::Fine
            }
            Kind::FillSoon => {
                self.history.tally.full += 1;
                self.broker.fill_at = Some(self.broker.disk.operations() + dice.below(20));
                Health::Fine
            }
            Kind::Empty => {
                self.broker.fill_at = None;
                self.broker.disk.set_free(u64::MAX);
                self.broker.idle()?
            }
            Kind::Stop => return self.stop(dice).map(|()| true),
            _ => return Ok(false),
        };
        self.look(&health, dice)?;
        Ok(true)
    }

    /// Everybody says all that there is to say, and hears all.
    pub(crate) fn settle(&mut self, dice: &mut Dice) -> Result<Health, Failure> {
        for _ in 0..20 {
            for client in 0..self.clients.len() {
                if let Some(session) = &mut self.clients[client].session {
                    session.wire.write(dice);
                }
            }
            let health = self.broker.settle(dice)?;
            if health != Health::Fine {
                return Ok(health);
            }
            for client in 0..self.clients.len() {
                self.hear(client)?;
            }
        }
        Ok(Health::Fine)
    }

    /// The broker ends if it has to, and another one begins.
    pub(crate) fn look(&mut self, health: &Health, dice: &mut Dice) -> Result<(), Failure> {
        match health {
            Health::Fine => return Ok(()),
            Health::Cut => self.broker.cut(dice, &mut self.history.tally),
            Health::Failed => self.broker.give_up(&mut self.history.tally),
        }
        self.lose_everybody(dice)?;
        self.broker.start(dice, &mut self.history.tally)
    }

    /// The broker stops in order, and another one begins.
    fn stop(&mut self, dice: &mut Dice) -> Result<(), Failure> {
        self.history.tally.stops += 1;
        let health = self.broker.stop(dice)?;
        if health != Health::Fine {
            return self.look(&health, dice);
        }
        self.lose_everybody(dice)?;
        if dice.below(3) == 0 {
            // The machine's clock is set meanwhile.
            let hours = dice.below(48) * 3_600_000;
            self.broker.wall = (self.broker.wall + hours).saturating_sub(24 * 3_600_000);
        }
        self.broker.start(dice, &mut self.history.tally)
    }

    /// The broker is gone: what it had said is read or not.
    fn lose_everybody(&mut self, dice: &mut Dice) -> Result<(), Failure> {
        for client in 0..self.clients.len() {
            if dice.below(2) == 0 {
                self.hear(client)?;
            }
            self.part(client);
        }
        self.history.nobody_holds();
        Ok(())
    }

    /// A client connects and says hello.
    pub(crate) fn connect(&mut self, client: usize, window: usize) {
        let Some((number, pipe)) = self.broker.connect(window) else { return };
        let mut session = Session::new(number, Wire::new(number, pipe));
        session.wire.say(b"CONNECT\naccept-version:1.2\nhost:sim\n\n\0");
        self.clients[client].session = Some(session);
    }

    /// A connection has ended, or its client has dropped it.
    pub(crate) fn part(&mut self, client: usize) {
        let Some(mut session) = self.clients[client].session.take() else { return };
        // What a subscription in auto mode was written is settled by that, whether it was read or not.
        let unread = session.wire.read(&mut Trace::new()).map_or_else(|_| Vec::new(), |(frames, _)| frames);
        unread.iter().filter_map(|frame| session.settled_unread(frame)).for_each(|(key, number)| {
            self.history.lost_on_the_way(key, number);
        });
        self.history.released(session.number, None);
        for open in &session.open {
            let outcome = &mut self.history.transactions[open.index].outcome;
            *outcome = given_up(*outcome);
        }
    }
}
