//! What a client makes of what it hears: each frame is judged, and noted.

use kolejka_codec::{Command, Frame};

use super::alone::RETAINING;
use super::broker::Failure;
use super::client::{Asked, Held, Mode, Session, Source, Subscription};
use super::history::{Answer, Count, Outcome, Reader};
use super::run::Run;

/// The queue that one client reads, and nobody else.
pub(crate) const ORDERED: &str = "/queue/ordered";

impl Run {
    /// A client reads what has come.
    pub(crate) fn hear(&mut self, client: usize) -> Result<(), Failure> {
        let Some(session) = &mut self.clients[client].session else { return Ok(()) };
        let (frames, is_open) = session.wire.read(&mut self.trace)?;
        for frame in frames {
            match frame.command {
                Command::Connected => self.session(client)?.is_in = true,
                Command::Receipt => self.receipt(client, &frame)?,
                Command::Message => self.message(client, &frame)?,
                Command::Error => {
                    self.history.tally.refusals += 1;
                    self.part(client);
                    return Ok(());
                }
                other => return Err(format!("protocol: the broker says {}", other.as_str())),
            }
        }
        if !is_open {
            self.part(client);
        }
        Ok(())
    }

    fn session(&mut self, client: usize) -> Result<&mut Session, Failure> {
        self.clients[client].session.as_mut().ok_or_else(|| "protocol: something follows the end".to_owned())
    }

    /// I10: receipts come in order, once each, and only where one was asked for.
    fn receipt(&mut self, client: usize, frame: &Frame) -> Result<(), Failure> {
        let said = frame.headers.get("receipt-id").unwrap_or_default().to_owned();
        let session = self.session(client)?;
        let number = session.number;
        let Some((asked, what)) = session.asked.pop_front() else {
            return Err(format!("I10: receipt {said} was not asked for"));
        };
        if asked.to_string() != said {
            return Err(format!("I10: receipt {said} comes in the place of {asked}"));
        }
        self.history.tally.receipts += 1;
        self.history.proves_alive(number, asked)?;
        let is_refused = frame.headers.get("x-refused").is_some();
        let is_duplicate = frame.headers.get("x-duplicate").is_some();
        let answer = if is_refused || is_duplicate { Answer::Declined } else { Answer::Confirmed };
        match what {
            Asked::Message(message) => self.confirm(&[message], answer),
            Asked::Settled(keys) if !is_refused => self.history.settled(&keys),
            Asked::Touched(word) if !is_refused => self.history.touched(&word),
            Asked::Failed(failing) if !is_refused => self.history.failed(&failing),
            Asked::Committed(index, keys) if !is_refused => {
                self.history.transactions[index].outcome = Outcome::Committed;
                self.history.tally.committed += 1;
                let sent = self.history.transactions[index].sent.clone();
                self.confirm(&sent, answer);
                self.history.settled(&keys);
            }
            Asked::Durable(name) if !is_refused => {
                let topic = super::act::DURABLE_TOPIC.to_owned();
                self.durable.insert(name, topic);
            }
            _ => {}
        }
        Ok(())
    }

    /// A message is known to be there, or to have been.
    fn is_there(&mut self, number: u64) {
        let now = self.broker.time();
        if let Some((_, known)) = self.history.taken.get_mut(&number) {
            known.get_or_insert(now);
        }
    }

    fn confirm(&mut self, messages: &[u64], answer: Answer) {
        for number in messages {
            if let Some(message) = self.history.messages.get_mut(number) {
                message.answer = answer;
                self.is_there(*number);
            }
        }
    }

    fn message(&mut self, client: usize, frame: &Frame) -> Result<(), Failure> {
        let header = |name: &str| frame.headers.get(name);
        let (Some(id), Some(through)) = (header("message-id"), header("subscription")) else {
            return Err("protocol: a MESSAGE without id or subscription".to_owned());
        };
        let session = self.session(client)?;
        let connection = session.number;
        let Some(subscription) = session.subscription(through).cloned() else {
            return Err(format!("protocol: a MESSAGE for the subscription {through}, which never was"));
        };
        if subscription.destination.starts_with("/job/") {
            return self.history.told(connection, through, frame);
        }
        if id == "0" || header("x-end").is_some() || header("browser").is_some() {
            return Ok(());
        }
        let number = header("x-n").and_then(|number| number.parse::<u64>().ok());
        let place = subscription.place();
        let key = place.filter(|_| number.is_some()).map(|place| (place, id.to_owned()));
        if let Some(ack) = header("ack").filter(|_| subscription.mode != Mode::Auto && !subscription.is_gone) {
            // A late ACK of an earlier delivery must not settle this one. On a topic there is nothing to settle, and what it
            // retains is given to each new subscriber.
            if key.is_some() && !session.acks.insert(ack.to_owned()) {
                return Err(format!("I9: the ack {ack} names two deliveries of one connection"));
            }
            let held = Held { ack: ack.to_owned(), subscription: subscription.id.clone(), key: key.clone() };
            session.held.push(held);
        }
        let Some(number) = number else { return Ok(()) };
        self.history.check_content(number, &frame.body, header("x-tag"))?;
        self.is_there(number);
        self.history.found_alone(number, header("destination").unwrap_or_default(), header("redelivered").is_some())?;
        if subscription.destination == RETAINING {
            self.history.recalled = Some(number);
        }
        if let Source::Durable(name) = &subscription.source {
            self.history.given.entry(name.clone()).or_default().push(number);
        }
        let Some(key) = &key else { return Ok(()) };
        let (place, id) = key;
        let lease_until = header("x-lease-until").and_then(|text| text.parse().ok());
        let reader = Reader {
            is_leased: lease_until.is_some(),
            lease_until: lease_until.unwrap_or_default(),
            now: self.broker.time(),
            ..reader(connection, &subscription)
        };
        let count = |name: &str| header(name).and_then(|text| text.parse().ok());
        let died_after = count("x-death-deliveries").filter(|_| header("x-death-reason") == Some("deliveries"));
        let is_dead = header("destination").is_some_and(|name| name.starts_with("/queue/DLQ."));
        self.history.delivered((place, id), number, &reader, header("redelivered") == Some("true"))?;
        let count = Count { delivery: count("delivery-count").unwrap_or(1), died_after, is_dead };
        self.history.counted(key, number, &reader, count)
    }
}

fn reader(connection: u64, subscription: &Subscription) -> Reader<'_> {
    Reader {
        connection,
        subscription: &subscription.id,
        destination: &subscription.destination,
        is_auto: subscription.mode == Mode::Auto,
        is_gone: subscription.is_gone,
        is_leased: false,
        lease_until: 0,
        now: 0,
        is_ordered: subscription.destination == ORDERED,
    }
}
