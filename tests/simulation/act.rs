//! What clients do: settle, transact, manage, go away, talk nonsense. Sending and subscribing have files of their own.

use kolejka::journal::fault::Dice;
use kolejka_codec::Command;

use super::client::{Asked, Held, Mode, Open};
use super::history::{Fate, Outcome, Transaction};
use super::run::Run;
use super::step::{Kind, Step};
use super::wire::spell;

/// The topic of all durable subscriptions.
pub(crate) const DURABLE_TOPIC: &str = "/topic/t.a";

impl Run {
    /// A connected client does something.
    pub(crate) fn act(&mut self, step: &Step, dice: &mut Dice) {
        let client = step.client;
        if self.clients[client].session.is_none() {
            return;
        }
        match step.kind {
            Kind::Send => self.send(client, dice),
            Kind::SendMany => (0..2 + dice.below(40)).for_each(|_| self.send(client, dice)),
            Kind::Subscribe => self.subscribe(client, dice),
            Kind::Unsubscribe => self.unsubscribe(client, dice),
            Kind::Ack => (0..=dice.below(8)).for_each(|_| self.settle_one(client, true, dice)),
            Kind::Nack => self.settle_one(client, false, dice),
            Kind::Touch => self.touch(client, dice),
            Kind::Begin => self.begin(client),
            Kind::Commit => self.end(client, true, dice),
            Kind::Abort => self.end(client, false, dice),
            Kind::Grant => self.grant(client, dice),
            Kind::Manage => self.manage(client, dice),
            Kind::Schedule => self.schedule(client, dice),
            Kind::Nonsense => self.nonsense(client, dice),
            Kind::Disconnect => self.disconnect(client),
            Kind::Kill => self.part(client),
            _ => {}
        }
    }

    /// A client says a frame, and is told when it is done if it wants to know.
    pub(crate) fn say(
        &mut self,
        client: usize,
        command: Command,
        mut headers: Vec<(&str, String)>,
        asked: Option<Asked>,
    ) {
        let Some(session) = &mut self.clients[client].session else { return };
        headers.extend(asked.map(|asked| session.receipt(asked)));
        session.wire.say(&spell(command, &headers, b""));
        self.history.asked.insert(session.number, session.last_receipt);
    }

    /// ACK or NACK of something that the client holds, now or with a transaction.
    fn settle_one(&mut self, client: usize, is_ack: bool, dice: &mut Dice) {
        let Some(session) = &mut self.clients[client].session else { return };
        if session.held.is_empty() {
            return;
        }
        let at = if dice.below(3) == 0 { dice.below(session.held.len() as u64) as usize } else { 0 };
        let chosen = session.held[at].clone();
        let is_cumulative = session.subscription(&chosen.subscription).is_some_and(|sub| sub.mode == Mode::Client);
        // In client mode whatever came before it on the same subscription is settled with it.
        let is_meant = |other: usize, held: &Held| {
            other == at || is_cumulative && other < at && held.subscription == chosen.subscription
        };
        let all = std::mem::take(&mut session.held).into_iter().enumerate();
        let (settled, kept): (Vec<_>, Vec<_>) = all.partition(|(other, held)| is_meant(*other, held));
        session.held = kept.into_iter().map(|(_, held)| held).collect();
        let settled: Vec<Held> = settled.into_iter().map(|(_, held)| held).collect();
        let job = if is_cumulative { None } else { self.job_words(&chosen, is_ack, dice) };
        let Some(session) = &mut self.clients[client].session else { return };
        let (mut headers, words) = job.unzip();
        let mut headers = headers.take().unwrap_or_else(|| vec![("id", chosen.ack)]);
        // A later ACK in client mode would settle what waits for a COMMIT: that is not mixed here.
        let may_wait = is_ack && !is_cumulative && dice.below(3) == 0;
        let open = session.open.last_mut().filter(|_| may_wait);
        if let Some(open) = open {
            headers.push(("transaction", open.id.clone()));
            open.settles.extend(settled);
            return match words {
                Some(words) => self.say_with(client, headers, &words, None),
                None => self.say(client, Command::Ack, headers, None),
            };
        }
        let keys: Vec<_> = settled.into_iter().filter_map(|held| held.key).collect();
        let failing = keys.iter().filter_map(|key| self.history.failing(key)).collect();
        for key in &keys {
            self.history.let_go(key, is_ack);
        }
        let asked = (dice.below(4) > 0).then_some(if is_ack { Asked::Settled(keys) } else { Asked::Failed(failing) });
        let command = if is_ack { Command::Ack } else { Command::Nack };
        match words {
            Some(words) => self.say_with(client, headers, &words, asked),
            None => self.say(client, command, headers, asked),
        }
    }

    fn disconnect(&mut self, client: usize) {
        let Some(session) = &mut self.clients[client].session else { return };
        session.subscriptions.iter_mut().for_each(|subscription| subscription.is_gone = true);
        session.held.clear();
        self.history.released(session.number, None);
        self.say(client, Command::Disconnect, Vec::new(), Some(Asked::Other));
    }

    fn begin(&mut self, client: usize) {
        let Some(session) = &mut self.clients[client].session else { return };
        if session.open.len() >= 4 {
            return;
        }
        session.last_transaction += 1;
        let id = format!("t{}", session.last_transaction);
        let index = self.history.transactions.len();
        self.history.transactions.push(Transaction { outcome: Outcome::Open, sent: Vec::new() });
        session.open.push(Open { id: id.clone(), index, settles: Vec::new() });
        self.say(client, Command::Begin, vec![("transaction", id)], None);
    }

    fn end(&mut self, client: usize, is_commit: bool, dice: &mut Dice) {
        let Some(session) = &mut self.clients[client].session else { return };
        if session.open.is_empty() {
            return;
        }
        let open = session.open.swap_remove(dice.below(session.open.len() as u64) as usize);
        let headers = vec![("transaction", open.id)];
        if !is_commit {
            self.history.transactions[open.index].outcome = Outcome::Aborted;
            session.held.extend(open.settles);
            return self.say(client, Command::Abort, headers, Some(Asked::Other));
        }
        self.history.transactions[open.index].outcome = Outcome::Unknown;
        for number in &self.history.transactions[open.index].sent {
            self.last += 1;
            if let Some(message) = self.history.messages.get_mut(number) {
                message.order = self.last;
            }
        }
        let keys: Vec<_> = open.settles.into_iter().filter_map(|held| held.key).collect();
        for key in &keys {
            self.history.let_go(key, true);
        }
        let asked = (dice.below(5) > 0).then_some(Asked::Committed(open.index, keys));
        self.say(client, Command::Commit, headers, asked);
    }

    fn grant(&mut self, client: usize, dice: &mut Dice) {
        let Some(session) = &self.clients[client].session else { return };
        if session.subscriptions.is_empty() {
            return;
        }
        let at = dice.below(session.subscriptions.len() as u64) as usize;
        let headers =
            vec![("subscription", session.subscriptions[at].id.clone()), ("credit", (1 + dice.below(5)).to_string())];
        self.say(client, Command::Ack, headers, Some(Asked::Other));
    }

    fn manage(&mut self, client: usize, dice: &mut Dice) {
        let queue = ["a", "b", "grouped", "DLQ.a", "DLQ.b"][dice.below(5) as usize];
        let mut headers = vec![("destination", "/queue/Kolejka.Manage".to_owned())];
        let (operation, queue) = match dice.below(8) {
            0 => ("pause", queue),
            1 | 2 => ("resume", queue),
            3 => ("purge", "purged"),
            4 => ("move", queue),
            5 => ("move", "DLQ.a"),
            _ => ("kick", queue),
        };
        self.history.has_moved_dead |= operation == "move" && queue.starts_with("DLQ.");
        headers.push(("x-op", operation.to_owned()));
        headers.push(("x-queue", queue.to_owned()));
        match operation {
            "pause" => {
                headers.push(("x-for", (1 + dice.below(500)).to_string()));
                headers.push(("x-side", "output".to_owned()));
            }
            "move" if !queue.starts_with("DLQ") || dice.below(2) == 0 => {
                headers.push(("x-to", ["a", "b", "moved"][dice.below(3) as usize].to_owned()));
                if dice.below(2) == 0 {
                    headers.push(("x-rate", (1 + dice.below(100)).to_string()));
                }
            }
            "kick" => headers.push(("x-count", (1 + dice.below(10)).to_string())),
            _ => {}
        }
        if dice.below(3) == 0 {
            headers.push(("selector", "u < 3".to_owned()));
        }
        self.say(client, Command::Send, headers, Some(Asked::Other));
    }

    /// Looks at schedules, or removes some.
    fn schedule(&mut self, client: usize, dice: &mut Dice) {
        let mut headers = vec![("destination", "ActiveMQ.Scheduler.Management".to_owned())];
        match dice.below(12) {
            0..4 => headers.push(("AMQ_SCHEDULER_ACTION", "BROWSE".to_owned())),
            4 => {
                headers.push(("AMQ_SCHEDULER_ACTION", "REMOVEALL".to_owned()));
                // A message with a delay counts as scheduled, and nobody knows when this arrives.
                self.has_removed_all = true;
                let delayed = self.history.messages.values_mut().filter(|message| message.is_delayed);
                delayed.for_each(|message| {
                    message.fate = Fate::MayGo;
                    message.owed.clear();
                });
            }
            _ => {
                headers.push(("AMQ_SCHEDULER_ACTION", "REMOVE".to_owned()));
                headers.push(("x-schedule", format!("plan{}", dice.below(2))));
            }
        }
        headers.push(("reply-to", "/queue/purged".to_owned()));
        self.say(client, Command::Send, headers, Some(Asked::Other));
    }

    /// What no client says that has its wits about it. It ends the connection.
    fn nonsense(&mut self, client: usize, dice: &mut Dice) {
        let Some(session) = &mut self.clients[client].session else { return };
        let text: Vec<u8> = match dice.below(8) {
            0 => b"BOGUS\n\n\0".to_vec(),
            1 => b"SEND\ndestination:/queue/a\ncontent-length:-4\n\n\0".to_vec(),
            2 => b"SEND\ndestination:/queue/a\ncontent-length:99999999999\n\n\0".to_vec(),
            3 => b"CONNECT\naccept-version:1.2\nhost:x\n\n\0".to_vec(),
            4 => [b"SEND\nx:".to_vec(), vec![b'a'; 70_000], b"\n\n\0".to_vec()].concat(),
            5 => b"ACK\nid:nothing-of-the-kind\n\n\0".to_vec(),
            6 => b"SEND\ndestination:/queue/../..\n\n\0".to_vec(),
            _ => b"COMMIT\ntransaction:none\n\n\0".to_vec(),
        };
        session.wire.say(&text);
    }
}
