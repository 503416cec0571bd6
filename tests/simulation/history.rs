//! What was said and what was seen, and the promises that are judged as it happens.

use std::collections::BTreeMap;

use super::alone::Newest;
use super::broker::Failure;
use super::tally::Tally;

/// Whether a message has to be there in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Until it is consumed.
    Stays,
    /// It may expire, be replaced, dropped or purged, or be lost with the process.
    MayGo,
    /// A schedule sends it, any number of times.
    Repeats,
}

/// What the broker said to something that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing so far.
    None,
    /// It was confirmed.
    Confirmed,
    /// It is there already, or not wanted.
    Declined,
}

/// A message as its sender knows it.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// The connection that sent it.
    pub(crate) by: u64,
    pub(crate) to: String,
    /// Queues that get a copy each.
    pub(crate) queues: usize,
    pub(crate) fate: Fate,
    pub(crate) body: usize,
    pub(crate) transaction: Option<usize>,
    pub(crate) answer: Answer,
    pub(crate) key: Option<String>,
    /// Its place is for one of these.
    pub(crate) alone: Option<String>,
    pub(crate) is_delayed: bool,
    /// It is a job whose status is kept.
    pub(crate) is_followed: bool,
    pub(crate) sent_at: u64,
    /// Deliveries before it is dead.
    pub(crate) limit: u64,
    /// Rises in the order in which its sender sent or committed.
    pub(crate) order: u64,
    /// Names of durable subscriptions that have to get it.
    pub(crate) owed: Vec<String>,
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Open,
    Aborted,
    /// COMMIT was said, and nothing heard.
    Unknown,
    Committed,
}

/// A transaction.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    pub(crate) outcome: Outcome,
    pub(crate) sent: Vec<u64>,
}

/// One message in one queue, wherever it was moved.
#[derive(Clone, Debug, Default)]
pub(crate) struct Copy {
    pub(crate) number: u64,
    /// Who has it and has not settled it: the connection and its subscription.
    pub(crate) holder: Option<(u64, String)>,
    /// It is held for a time only.
    pub(crate) is_leased: bool,
    /// Until then for certain.
    pub(crate) lease_until: u64,
    /// Its end was asked for, or came with its delivery.
    pub(crate) is_finished: bool,
    /// Its end was confirmed.
    pub(crate) is_over: bool,
    /// Where it was delivered, and whether it was said to have been delivered before.
    pub(crate) seen: Vec<(String, bool)>,
    /// The least that the next delivery has to count, and the same where it is a dead letter.
    pub(crate) least: [u64; 2],
    /// It was last read as a dead letter.
    pub(crate) is_dead: bool,
}

/// Two connections seem to hold the same. It is a fault if both turn out to be alive.
#[derive(Clone, Debug)]
struct Doubt {
    /// Each with the number of requests that prove nothing, until it is proved.
    connections: [(u64, Option<u64>); 2],
    text: String,
}

/// A delivery that its client has refused.
#[derive(Clone, Debug)]
pub(crate) struct Failing {
    key: (String, String),
    is_dead: bool,
    next: u64,
}

/// Who is delivered to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    pub(crate) connection: u64,
    pub(crate) subscription: &'a str,
    pub(crate) destination: &'a str,
    /// Nothing is settled there.
    pub(crate) is_auto: bool,
    /// Nothing is held there any more.
    pub(crate) is_gone: bool,
    /// Leases may end by themselves, and this one not before that.
    pub(crate) is_leased: bool,
    pub(crate) lease_until: u64,
    /// When it is read.
    pub(crate) now: u64,
    /// Nobody else reads what it reads, in the order in which it was sent.
    pub(crate) is_ordered: bool,
}

/// How often a copy was delivered, as its delivery says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count {
    /// This one included.
    pub(crate) delivery: u64,
    /// After so many it became a dead letter.
    pub(crate) died_after: Option<u64>,
    /// It is read from a queue of dead letters.
    pub(crate) is_dead: bool,
}

/// All of it.
#[derive(Clone, Default)]
pub(crate) struct History {
    pub(crate) messages: BTreeMap<u64, Message>,
    pub(crate) transactions: Vec<Transaction>,
    /// The disk was spoilt: what is delivered has to be what was sent, and no more.
    pub(crate) is_spoilt: bool,
    /// By place (queue or durable subscription) and message-id.
    pub(crate) copies: BTreeMap<(String, String), Copy>,
    /// When a message was sent, and when it was first known to be there: it was taken between the two.
    pub(crate) taken: BTreeMap<u64, (u64, Option<u64>)>,
    /// Messages that a durable subscription was given.
    pub(crate) given: BTreeMap<String, Vec<u64>>,
    /// The newest message of a value, by its place.
    pub(crate) newest: BTreeMap<(String, String), Newest>,
    /// What was found once nobody sent any more.
    pub(crate) found: Option<BTreeMap<(String, String), u64>>,
    /// What a topic retained in the end.
    pub(crate) recalled: Option<u64>,
    /// What came of jobs, in the words of their holders.
    pub(crate) results: BTreeMap<u64, Vec<String>>,
    /// What the end of a job was, as a watcher was told.
    pub(crate) ended: BTreeMap<u64, String>,
    /// Who watches which job, and what the first word has to be.
    pub(crate) watches: BTreeMap<(u64, String), (u64, Option<String>)>,
    /// How much each connection has asked for with a receipt.
    pub(crate) asked: BTreeMap<u64, u64>,
    doubts: Vec<Doubt>,
    /// Dead letters were to go elsewhere, at some time: where they arrive they are counted anew.
    pub(crate) has_moved_dead: bool,
    /// The last message that each ordered subscription had of each sender.
    last: BTreeMap<(u64, String, u64), u64>,
    pub(crate) tally: Tally,
}

impl History {
    /// The body of a message.
    pub(crate) fn body(number: u64, length: usize) -> Vec<u8> {
        let mut body = format!("{number}|").into_bytes();
        let filler = b'a' + (number % 26) as u8;
        body.resize(body.len().max(length), filler);
        body
    }

    /// I2 and I4: what is delivered was said, and said to be kept.
    pub(crate) fn check_content(&mut self, number: u64, body: &[u8], tag: Option<&str>) -> Result<(), Failure> {
        let Some(message) = self.messages.get(&number) else {
            return Err(format!("I2: message {number} was never sent"));
        };
        if body != History::body(number, message.body) {
            return Err(format!("I2: the body of message {number} is another one: {} bytes", body.len()));
        }
        if tag != Some(tag_of(number).as_str()) {
            return Err(format!("I2: the header of message {number} is another one: {tag:?}"));
        }
        let outcome = message.transaction.map(|transaction| self.transactions[transaction].outcome);
        if matches!(outcome, Some(Outcome::Open | Outcome::Aborted)) {
            return Err(format!("I4: message {number} of a transaction that is {outcome:?} was delivered"));
        }
        Ok(())
    }

    /// A copy is delivered to somebody who takes it.
    pub(crate) fn delivered(
        &mut self,
        (place, id): (&str, &str),
        number: u64,
        reader: &Reader<'_>,
        is_again: bool,
    ) -> Result<(), Failure> {
        self.tally.delivered += 1;
        self.tally.redelivered += u64::from(is_again);
        if self.is_spoilt {
            return Ok(());
        }
        let may_replace = self.messages.get(&number).is_some_and(|message| message.fate == Fate::MayGo);
        let copy = self.copies.entry((place.to_owned(), id.to_owned())).or_default();
        if may_replace && copy.number != number {
            // It has taken the place of another one, with its id.
            *copy = Copy::default();
        }
        let is_new = copy.seen.is_empty();
        copy.number = number;
        let doubted = |connection| (connection, Some(self.asked.get(&connection).copied().unwrap_or_default()));
        // What came back because its lease ran out may be on its way while the late ACK of it is accepted; and so may what
        // a connection was sent that has ended.
        if copy.is_over && !copy.is_leased && !reader.is_gone {
            let text = format!("I3: message {number} ({id}) was settled for good and is delivered again");
            self.doubts.push(Doubt { connections: [doubted(reader.connection); 2], text });
        }
        let is_first = |(place, is_again): &(String, bool)| !is_again && place == reader.destination;
        if !is_again && copy.seen.iter().any(is_first) {
            return Err(format!("I7: message {number} ({id}) is delivered again and does not say so"));
        }
        copy.seen.push((reader.destination.to_owned(), is_again));
        copy.is_finished |= reader.is_auto;
        copy.is_leased |= reader.is_leased;
        let is_over = copy.is_leased && reader.now >= copy.lease_until;
        let holder = (reader.connection, reader.subscription.to_owned());
        if !is_over && copy.is_leased && !reader.is_gone && copy.holder.as_ref() == Some(&holder) {
            return Err(format!("I9: message {number} ({id}) comes again before its lease is over"));
        }
        if let Some(other) = copy.holder.as_ref().filter(|other| !is_over && !reader.is_gone && **other != holder) {
            let text = format!("I9: message {number} ({id}) is held by two");
            if other.0 == reader.connection {
                return Err(text);
            }
            self.doubts.push(Doubt { connections: [doubted(other.0), doubted(reader.connection)], text });
        }
        if !reader.is_gone {
            copy.lease_until = reader.lease_until;
            copy.holder = (!reader.is_auto).then_some(holder);
        }
        if reader.is_ordered && is_new && !is_again {
            self.check_order(number, reader)?;
        }
        Ok(())
    }

    /// I8: a copy is handed out again when the log has its return, so what a delivery counts never falls, whatever happened
    /// to the process; nobody gets it beyond its limit, and it becomes a dead letter there and not before.
    pub(crate) fn counted(
        &mut self,
        key: &(String, String),
        number: u64,
        reader: &Reader<'_>,
        count: Count,
    ) -> Result<(), Failure> {
        if self.is_spoilt {
            return Ok(());
        }
        let limit = self.messages[&number].limit;
        // What is dead is not given up a second time, and what is moved takes its count along.
        let is_limited = !count.is_dead && !self.has_moved_dead;
        if is_limited && count.delivery > limit {
            return Err(format!(
                "I8: message {number} is delivered {} times, and {limit} is its limit",
                count.delivery
            ));
        }
        if count.died_after.is_some_and(|after| after < limit || after > limit && !self.has_moved_dead) {
            return Err(format!("I8: message {number} died after {:?} deliveries, not {limit}", count.died_after));
        }
        let asked = self.asked.get(&reader.connection).copied().unwrap_or_default();
        let Some(copy) = self.copies.get_mut(key) else { return Ok(()) };
        let least = copy.least[usize::from(count.is_dead)];
        let may_start_anew = self.has_moved_dead && (count.is_dead || least >= limit);
        // What was sent to one whose lease has run out since may be read behind what came later.
        if count.delivery < least && !may_start_anew && !copy.is_leased && !reader.is_gone {
            let text = format!("I8: message {number} was to count {least} deliveries and counts {}", count.delivery);
            self.doubts.push(Doubt { connections: [(reader.connection, Some(asked)); 2], text });
        }
        copy.least[usize::from(count.is_dead)] = count.delivery;
        copy.is_dead = count.is_dead;
        Ok(())
    }

    /// What the next delivery of a copy has to count once it is certain that this one has failed.
    pub(crate) fn failing(&self, key: &(String, String)) -> Option<Failing> {
        let copy = self.copies.get(key)?;
        Some(Failing { key: key.clone(), is_dead: copy.is_dead, next: copy.least[usize::from(copy.is_dead)] + 1 })
    }

    /// The broker has confirmed that these have failed.
    pub(crate) fn failed(&mut self, failing: &[Failing]) {
        for Failing { key, is_dead, next } in failing {
            if let Some(copy) = self.copies.get_mut(key) {
                let least = &mut copy.least[usize::from(*is_dead)];
                *least = (*least).max(*next);
            }
        }
    }

    /// I6: of one sender the first deliveries come in the order in which they were sent.
    fn check_order(&mut self, number: u64, reader: &Reader<'_>) -> Result<(), Failure> {
        let Message { by, order, .. } = self.messages[&number];
        let last = self.last.entry((reader.connection, reader.subscription.to_owned(), by)).or_default();
        if *last > order {
            return Err(format!("I6: message {number} comes behind a later one of the same sender"));
        }
        *last = order;
        Ok(())
    }

    /// A copy was written to a subscription in auto mode, and the connection ended before it was read.
    pub(crate) fn lost_on_the_way(&mut self, key: (String, String), number: u64) {
        if key.0 != "queue" {
            self.given.entry(key.0.clone()).or_default().push(number);
        }
        let copy = self.copies.entry(key).or_default();
        (copy.number, copy.is_finished) = (number, true);
    }

    /// Its holder has let go of it, in whatever way.
    pub(crate) fn released(&mut self, connection: u64, subscription: Option<&str>) {
        for copy in self.copies.values_mut() {
            let is_it = copy.holder.as_ref().is_some_and(|(held_by, through)| {
                *held_by == connection && subscription.is_none_or(|wanted| wanted == through)
            });
            if is_it {
                copy.holder = None;
            }
        }
        if subscription.is_none() {
            self.doubts.retain(|doubt| doubt.connections.iter().all(|(doubted, _)| *doubted != connection));
        }
    }

    /// Its holder has said that it lets go of this one.
    pub(crate) fn let_go(&mut self, key: &(String, String), is_finished: bool) {
        if let Some(copy) = self.copies.get_mut(key) {
            copy.holder = None;
            copy.is_finished |= is_finished;
        }
    }

    /// The broker has confirmed that it is settled.
    pub(crate) fn settled(&mut self, keys: &[(String, String)]) {
        for key in keys {
            if let Some(copy) = self.copies.get_mut(key) {
                copy.is_over = true;
                self.tally.acknowledged += 1;
            }
        }
    }

    /// A connection has answered what it was asked after so many other things: it was alive then.
    pub(crate) fn proves_alive(&mut self, connection: u64, asked: u64) -> Result<(), Failure> {
        for doubt in &mut self.doubts {
            for (doubted, before) in &mut doubt.connections {
                if *doubted == connection && before.is_some_and(|before| asked > before) {
                    *before = None;
                }
            }
            if doubt.connections.iter().all(|(_, before)| before.is_none()) {
                return Err(doubt.text.clone());
            }
        }
        Ok(())
    }

    /// The process is gone, and nobody holds anything.
    pub(crate) fn nobody_holds(&mut self) {
        self.copies.values_mut().for_each(|copy| copy.holder = None);
        self.doubts.clear();
    }
}

/// A header that each message has.
pub(crate) fn tag_of(number: u64) -> String {
    format!("tag-{:x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}
