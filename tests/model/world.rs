//! The engine and the model side by side. Each step is taken by both; then both have to be alike.

use std::collections::BTreeMap;
use std::time::Duration;

use kolejka::engine::{Departure, Engine};
use kolejka::model::{
    Answer, Content, Delivery, Durable, Effects, Event, Now, Payload, Refusal, Request, SessionId, Ticket, Timestamp,
};

use super::log::{Log, Store};
use super::reference::Model;
use super::setting::{Setting, owner};
use super::step::Step;

/// Both sides, and what stands around them.
pub(super) struct World {
    pub(super) setting: Setting,
    pub(super) now: Now,
    pub(super) engine: Engine,
    pub(super) effects: Effects,
    pub(super) clients: [SessionId; 3],
    pub(super) log: Log,
    pub(super) model: Model,
    pub(super) next_sub: u32,
    /// The number in the body of the last message.
    pub(super) last: u64,
    /// Clients that were told to go, and why.
    pub(super) sent_away: BTreeMap<usize, Refusal>,
    /// Clients that have asked something since the last append.
    pub(super) asking: Vec<usize>,
}

impl World {
    pub(super) fn new(setting: Setting, store: Box<dyn Store>) -> World {
        let mut engine = Engine::new(setting.options());
        let model = Model::new(setting.clone());
        let clients = std::array::from_fn(|client| engine.open(owner(client)));
        let mut world = World {
            now: Now { monotonic: Duration::from_secs(1), wall: Timestamp(1_000) },
            engine,
            effects: Effects::default(),
            clients,
            log: Log::new(store, model.clone()),
            model,
            setting,
            next_sub: 1,
            last: 0,
            sent_away: BTreeMap::new(),
            asking: Vec::new(),
        };
        world.begin();
        world
    }

    /// Nobody is let in before the first ids are reserved.
    pub(super) fn begin(&mut self) {
        self.engine.reserve_ids(&mut self.effects);
        self.end_batch();
        self.sync(usize::MAX);
    }

    /// Takes a step. `goes_on`: what comes next belongs to the same batch.
    pub(super) fn run(&mut self, step: Step, goes_on: bool) {
        match step {
            Step::Wait { ms, on_time } => self.wait(ms, on_time),
            Step::Sync(units) => self.sync(units),
            Step::Full(is_full) => {
                self.engine.set_full(is_full);
                self.model.is_full = is_full;
            }
            Step::Crash => self.crash(),
            Step::Restart => self.restart(),
            request => {
                self.ask(request);
                self.listen();
                if goes_on {
                    return;
                }
            }
        }
        self.end_batch();
    }

    pub(super) fn apply(&mut self, client: usize, request: Request) -> Result<Answer, Refusal> {
        if !self.asking.contains(&client) {
            self.asking.push(client);
        }
        self.engine.apply(self.now, self.clients[client], request, &mut self.effects)
    }

    /// What a batch has made ready goes out, and its records go to the log as one unit.
    pub(super) fn end_batch(&mut self) {
        self.engine.dispatch(self.now, &mut self.effects);
        self.settle_down();
        let ticket = self.log.append(&mut self.effects.records, &self.model);
        self.model.next_ticket = Ticket(ticket.0 + 1);
        self.model.appended(ticket);
        self.engine.appended(ticket);
        // Whatever they were answered holds once that append is durable.
        for client in std::mem::take(&mut self.asking) {
            self.engine.promise(self.clients[client], ticket);
            self.model.clients[client].promises.push_back(ticket);
        }
        self.compare();
    }

    /// Follows what the engine has just done by itself.
    fn settle_down(&mut self) {
        self.hand_out();
        self.model.drop_surplus(&self.engine.queues());
    }

    /// Follows what it has handed out.
    fn hand_out(&mut self) {
        self.model.expire(self.now.wall);
        self.listen();
        while self.read_heads() || self.engine.is_unfinished() {
            self.engine.dispatch(self.now, &mut self.effects);
            self.listen();
        }
        self.model.note_readers(self.now.monotonic);
        self.model.examine(self.now);
        self.model.arrive();
    }

    /// What the driver does for selective consumers.
    fn read_heads(&mut self) -> bool {
        let unread = self.engine.next_unread(self.now, &mut self.effects);
        let Some(unread) = unread else { return !self.effects.events.is_empty() };
        let read = |(message, position)| (message, self.log.read(position));
        let contents: Vec<_> = unread.messages.into_iter().map(read).collect();
        let ids: Vec<_> = contents.iter().map(|(message, _)| *message).collect();
        self.engine.heads_read(self.now, unread.destination, contents, &mut self.effects);
        self.model.legacy_read(&ids, self.now.wall);
        true
    }

    /// Takes in what was told to clients.
    pub(super) fn listen(&mut self) {
        self.model.learn(&self.engine.queues());
        for (session, event) in std::mem::take(&mut self.effects.events) {
            let Some(client) = self.clients.iter().position(|&known| known == session) else { continue };
            match event {
                Event::Deliver(delivery) => {
                    let content = self.content(&delivery);
                    self.model.delivered(client, &delivery, &content, self.now);
                }
                Event::Durable(ticket) => {
                    let promised = self.model.clients[client].promises.pop_front();
                    assert_eq!(promised, Some(ticket), "promises are kept in order");
                }
                Event::End { subscription, why } => self.model.ended(subscription.0, why, self.now),
                // Once for each of its subscriptions that somebody has taken over.
                Event::Disconnect(refusal) => drop(self.sent_away.insert(client, refusal)),
            }
        }
        self.model.clients.iter_mut().for_each(|client| client.settled.clear());
        for (client, refusal) in std::mem::take(&mut self.sent_away) {
            assert!(matches!(refusal, Refusal::SlowConsumer { .. } | Refusal::TakenOver), "{refusal}");
            assert!(self.model.clients[client].is_leaving, "{refusal}");
            self.leave(client, Departure::Lost);
        }
    }

    fn content(&self, delivery: &Delivery) -> Content {
        match &delivery.payload {
            Payload::Memory(content) => content.clone(),
            Payload::Stored { position, .. } => self.log.read(*position).expect("what is out can be read"),
        }
    }

    pub(super) fn leave(&mut self, client: usize, departure: Departure) {
        self.engine.close(self.now, self.clients[client], departure, &mut self.effects);
        self.model.leave(client, departure, self.now.wall);
        self.clients[client] = self.engine.open(owner(client));
        self.asking.retain(|&other| other != client);
        self.listen();
    }

    fn wait(&mut self, ms: u64, on_time: bool) {
        self.end_batch();
        let target = self.now.monotonic + Duration::from_millis(ms);
        for _ in 0..100_000 {
            let due = self.engine.deadline(self.now).filter(|due| on_time && *due <= target);
            let Some(due) = due.map(|due| due.max(self.now.monotonic)) else { break };
            self.advance(due);
            self.tick();
        }
        assert!(self.engine.deadline(self.now).is_none_or(|due| !on_time || due > target), "a timer fires for ever");
        self.advance(target);
        self.tick();
    }

    fn advance(&mut self, to: Duration) {
        let passed = to.saturating_sub(self.now.monotonic);
        self.now = Now { monotonic: to, wall: Timestamp(self.now.wall.0 + passed.as_millis() as u64) };
    }

    pub(super) fn tick(&mut self) {
        self.engine.tick(self.now, &mut self.effects);
        self.model.tick(self.now);
        self.hand_out();
        self.model.give_up(self.now.monotonic);
        self.model.drain();
        self.end_batch();
    }

    pub(super) fn sync(&mut self, units: usize) {
        let (through, positions) = self.log.sync(units);
        self.model.make_visible(through);
        let durable = Durable { through, positions: &positions };
        self.engine.persisted(self.now, durable, &mut self.effects);
        self.settle_down();
        let waits = |ticket: &Ticket| *ticket > through;
        for client in &self.model.clients {
            assert!(client.promises.iter().all(waits), "a promise that could be kept is not");
        }
    }

    fn compare(&self) {
        self.model.check_nothing_kept_back();
        self.model.check_nothing_held_twice();
        self.model.compare(&self.engine.queues(), |message| self.log.position(message));
        let until = |moment: Timestamp| Duration::from_millis(moment.0.saturating_sub(self.now.wall.0));
        let moment = self.model.next_moment().map(|moment| self.now.monotonic + until(moment));
        if let Some(due) = moment.into_iter().chain(self.model.next_patience()).min() {
            assert!(self.engine.deadline(self.now).is_some_and(|deadline| deadline <= due), "a timer is forgotten");
        }
    }
}
