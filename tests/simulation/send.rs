//! What clients send: to queues, lists and topics, with everything that a header can ask for.

use std::fmt::Display;

use kolejka::journal::fault::Dice;
use kolejka_codec::{Command, Limits};

use super::act::DURABLE_TOPIC;
use super::alone::{LAST, RETAINING, UNIQUE};
use super::client::Asked;
use super::hear::ORDERED;
use super::history::{Answer, Fate, History, Message, tag_of};
use super::jobs::token_of;
use super::run::Run;
use super::setting::{BODY_BYTES, DELIVERIES};
use super::wire::spell;

/// A message that takes shape.
struct Draft {
    to: String,
    queues: usize,
    fate: Fate,
    headers: Vec<(&'static str, String)>,
    key: Option<String>,
    /// Its place is for one of these.
    alone: Option<String>,
    /// Deliveries before it is dead.
    limit: u64,
}

impl Draft {
    fn set(&mut self, name: &'static str, value: impl Display) {
        self.headers.push((name, value.to_string()));
    }

    /// Its head is just below a limit, at it, or just above.
    fn fill(&mut self, dice: &mut Dice) {
        let limits = Limits::default();
        let longest = limits.line_bytes - "x-fill:".len();
        match dice.below(3) {
            0 => self.set("x-fill", "f".repeat(longest - 1 + dice.below(3) as usize)),
            1 => (0..=dice.below(9)).for_each(|_| self.set("x-fill", "f".repeat(longest - 1))),
            _ => {
                let more = limits.header_count - 12 + dice.below(12) as usize;
                (0..more.saturating_sub(self.headers.len())).for_each(|_| self.set("x-fill", "f"));
            }
        }
    }

    /// It need not be there in the end.
    fn may_go(&mut self) {
        self.fate = Fate::MayGo;
    }
}

impl Run {
    /// A client sends a message, perhaps in a transaction.
    pub(crate) fn send(&mut self, client: usize, dice: &mut Dice) {
        self.last += 1;
        let number = self.last;
        let mut draft = address(dice);
        self.dress(&mut draft, dice);
        let body = match dice.below(if self.is_busy { 24 } else { 200 }) {
            0 => BODY_BYTES,
            1 if !self.is_busy => BODY_BYTES + 1,
            12 => BODY_BYTES - 1,
            2..12 => 1 + dice.below(10_000) as usize,
            _ => dice.below(200) as usize,
        };
        let Some(session) = &mut self.clients[client].session else { return };
        let (by, mut transaction) = (session.number, None);
        if draft.key.is_none()
            && draft.alone.is_none()
            && dice.below(3) == 0
            && let Some(open) = session.open.last()
        {
            draft.headers.push(("transaction", open.id.clone()));
            transaction = Some(open.index);
            self.history.transactions[open.index].sent.push(number);
        } else if draft.alone.is_some() || dice.below(4) > 0 {
            draft.headers.push(session.receipt(Asked::Message(number)));
        }
        draft.set("x-n", number);
        draft.set("u", number % 5);
        draft.set("x-tag", tag_of(number));
        let bytes = History::body(number, body);
        draft.set("content-length", bytes.len());
        session.wire.say(&spell(Command::Send, &draft.headers, &bytes));
        self.history.asked.insert(by, session.last_receipt);
        let owed = self.durable.iter().filter(|(_, topic)| draft.fate == Fate::Stays && **topic == draft.to);
        let owed = owed.map(|(name, _)| name.clone()).collect();
        let is_followed = draft.headers.iter().any(|(name, _)| *name == "x-job-token");
        let sent_at = self.broker.time();
        let is_delayed = draft.headers.iter().any(|(name, _)| *name == "x-delay");
        let is_persistent = draft.headers.iter().any(|(name, value)| *name == "persistent" && value == "true");
        let Draft { to, queues, fate, key, alone, limit, .. } = draft;
        let answer = Answer::None;
        self.history.messages.insert(
            number,
            Message {
                by,
                to,
                queues,
                fate,
                body,
                transaction,
                answer,
                key,
                alone,
                is_delayed,
                is_followed,
                sent_at,
                limit,
                order: number,
                owed,
            },
        );
        self.history.sent_alone(number, is_persistent);
        if self.history.messages[&number].key.is_some() {
            self.history.taken.insert(number, (self.broker.time(), None));
        }
        self.history.tally.sent += 1;
    }

    /// Gives it headers.
    fn dress(&mut self, draft: &mut Draft, dice: &mut Dice) {
        let is_persistent = dice.below(5) > 0;
        draft.set("persistent", is_persistent);
        if !is_persistent && draft.fate == Fate::Stays {
            draft.may_go();
        }
        match draft.to.as_str() {
            ORDERED => return,
            UNIQUE => {
                let key = format!("job{}", dice.below(3));
                draft.set("x-unique", &key);
                let ways = ["drop", "replace", "drop", "replace", "attach", "drop", "drop", "reject"];
                draft.set("x-on-duplicate", ways[dice.below(8) as usize]);
                draft.alone = Some(key);
                return;
            }
            LAST => {
                let symbol = format!("s{}", dice.below(4));
                draft.set("symbol", &symbol);
                draft.alone = Some(symbol);
                return;
            }
            RETAINING => {
                draft.set("retain", "set");
                draft.alone = Some("the topic".to_owned());
                return;
            }
            _ => {}
        }
        match dice.below(26) {
            0 => {
                draft.set("ttl", 1 + dice.below(500));
                draft.may_go();
            }
            1 => {
                draft.set("x-delay", 1 + dice.below(2000));
                if self.has_removed_all {
                    draft.may_go();
                }
            }
            2 => draft.set("priority", dice.below(10)),
            3 | 4 if is_persistent && draft.queues == 1 && draft.fate == Fate::Stays => {
                // Within the window, however time jumps, the same key means the same message.
                let minute = self.broker.time() / 60_000;
                let key = format!("k{minute}-{}", dice.below(3));
                draft.set("idempotency-key", &key);
                draft.key = Some(key);
            }
            5 => {
                draft.set("x-unique", format!("job{}", dice.below(3)));
                draft.set("x-on-duplicate", ["drop", "replace"][dice.below(2) as usize]);
                draft.may_go();
            }
            6 => draft.set("reply-to", "/queue/b"),
            7 if draft.queues == 1 => {
                let more = 1 + dice.below(3);
                draft.set("AMQ_SCHEDULED_REPEAT", more);
                draft.queues = 1 + more as usize;
                draft.set("AMQ_SCHEDULED_PERIOD", 1000);
                draft.set("x-schedule", format!("plan{}", dice.below(2)));
                draft.fate = Fate::Repeats;
            }
            8 if draft.queues == 1 && dice.below(3) == 0 => {
                draft.set("AMQ_SCHEDULED_CRON", "* * * * *");
                draft.set("x-schedule", "clock");
                draft.queues = usize::MAX;
                draft.fate = Fate::Repeats;
            }
            9 => {
                draft.limit = 1 + dice.below(5);
                draft.set("x-max-deliveries", draft.limit);
            }
            10 if draft.to == "/queue/leased" => draft.set("x-ttr", 1 + dice.below(300)),
            13 if dice.below(4) == 0 => draft.fill(dice),
            11 | 12 if draft.queues == 1 && !draft.to.contains(',') => {
                draft.set("x-job-token", token_of(self.last));
                draft.set("x-track", ["true", "result"][dice.below(2) as usize]);
            }
            _ => {}
        }
    }
}

/// Chooses where it goes.
fn address(dice: &mut Dice) -> Draft {
    let (to, queues, fate) = match dice.below(28) {
        0..5 => ("/queue/a", 1, Fate::Stays),
        5..8 => ("/queue/b", 1, Fate::Stays),
        8..12 => (ORDERED, 1, Fate::Stays),
        12 => ("/queue/purged", 1, Fate::MayGo),
        13 | 14 => ("/queue/leased", 1, Fate::Stays),
        15 => ("/queue/small", 1, Fate::Stays),
        16 => ("/queue/newest", 1, Fate::MayGo),
        17 | 18 => ("/queue/grouped", 1, Fate::Stays),
        19 => ("/queue/a,/queue/b", 2, Fate::Stays),
        20 => ("/topic/t.b", 0, Fate::Stays),
        21 => ("/queue/a,/queue/b,/topic/t.b", 2, Fate::Stays),
        22 | 23 => (UNIQUE, 1, Fate::MayGo),
        24 => (LAST, 1, Fate::MayGo),
        25 => (RETAINING, 0, Fate::Stays),
        _ => (DURABLE_TOPIC, 0, Fate::Stays),
    };
    let headers = vec![("destination", to.to_owned())];
    let mut draft =
        Draft { to: to.to_owned(), queues, fate, headers, key: None, alone: None, limit: DELIVERIES.into() };
    if to == "/queue/grouped" {
        draft.set("JMSXGroupID", format!("g{}", dice.below(3)));
    }
    draft
}
