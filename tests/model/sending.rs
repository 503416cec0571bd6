//! Sending: who takes a message, and who refuses it.

use kolejka::model::{DestinationName, MessageId, Retain, Standing, Terms, Timestamp, Urgency, Windows};

use super::message::Known;
use super::queue::{Behind, Queue};
use super::reference::Model;
use super::subscriber::{Sub, Waiting};

/// A message as it is sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    /// The client, if it is one.
    pub(super) from: Option<usize>,
    pub(super) to: DestinationName,
    pub(super) urgency: u32,
    /// The urgency in its head.
    pub(super) says: u32,
    pub(super) durable: bool,
    pub(super) body: Vec<u8>,
    /// Octets of head and body.
    pub(super) size: u32,
    pub(super) terms: Option<Terms>,
    pub(super) key: Option<u8>,
    pub(super) retain: Option<Retain>,
}

/// What becomes of a request to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Taken,
    /// Everybody has it already.
    Duplicate,
    /// No room in a queue, or in the log.
    Refused,
}

impl Model {
    /// All of them or none; one alone is the same.
    pub(super) fn judge(&self, sends: &[&Sent], now: Timestamp) -> Verdict {
        let mut loads: Vec<(DestinationName, u64, u64)> = Vec::new();
        let mut memory = self.transient_bytes();
        let mut is_duplicate = !sends.is_empty();
        for sent in sends {
            if !self.is_there(&sent.to) {
                is_duplicate = false;
                continue;
            }
            let wholly_known = sent.key.is_some() && self.goes_to(sent, now).is_empty();
            is_duplicate &= wholly_known;
            if wholly_known {
                continue;
            }
            // A queue that knows the key has to have room for it all the same.
            for queue in self.takers(sent) {
                let stays = queue.kind().is_temporary() || !sent.durable;
                memory += if stays { u64::from(sent.size) } else { 0 };
                let spills = memory > self.setting.transient_bytes;
                let at = loads.iter().position(|load| load.0 == queue).unwrap_or(loads.len());
                if at == loads.len() {
                    loads.push((queue.clone(), 0, 0));
                }
                loads[at].1 += 1;
                loads[at].2 += u64::from(sent.size);
                let is_shut = self.find_queue(&queue).is_some_and(|queue| queue.pause.input.is_some());
                let lacks_room = is_shut || self.lacks_room(&loads[at]);
                let is_memory_full = queue.kind().is_temporary() && spills;
                let is_log_full = self.is_full && !queue.kind().is_temporary() && (sent.durable || spills);
                if lacks_room || is_memory_full || is_log_full {
                    return Verdict::Refused;
                }
            }
            // What a topic retains lies in memory, or goes to the log, as what lies in a queue does.
            if sent.retain == Some(Retain::Set) {
                memory += if sent.durable { 0 } else { u64::from(sent.size) };
                if self.is_full && (sent.durable || memory > self.setting.transient_bytes) {
                    return Verdict::Refused;
                }
            }
        }
        if is_duplicate { Verdict::Duplicate } else { Verdict::Taken }
    }

    fn lacks_room(&self, (name, messages, bytes): &(DestinationName, u64, u64)) -> bool {
        match self.find_queue(name) {
            Some(queue) => queue.lacks_room(*messages, *bytes),
            None => Queue::new(name.clone(), self.policy(name)).lacks_room(*messages, *bytes),
        }
    }

    /// What is sent to a temporary destination that is gone, nobody can ever read.
    fn is_there(&self, name: &DestinationName) -> bool {
        !name.kind().is_temporary() || self.find_queue(name).is_some()
    }

    /// The queues that a message is for.
    pub(super) fn takers(&self, sent: &Sent) -> Vec<DestinationName> {
        if sent.to.kind().is_queue() {
            return vec![sent.to.clone()];
        }
        let takes =
            |feed: &Behind| feed.topics.reaches(&sent.to) && feed.wants.is_none_or(|wanted| wanted == sent.says);
        let fed = self.queues.iter().filter(|queue| !queue.is_doomed && queue.feed.as_ref().is_some_and(takes));
        fed.map(|queue| queue.name.clone()).collect()
    }

    /// Where it has not been seen, among the queues that it is for and the topic itself.
    fn goes_to(&self, sent: &Sent, now: Timestamp) -> Vec<DestinationName> {
        let mut all = self.takers(sent);
        if !sent.to.kind().is_queue() {
            all.push(sent.to.clone());
        }
        all.retain(|name| !self.has_seen(name, sent.key, now));
        all
    }

    fn has_seen(&self, name: &DestinationName, key: Option<u8>, now: Timestamp) -> bool {
        let at = key.and_then(|key| self.keys.get(&(name.clone(), key)));
        at.is_some_and(|(at, _)| now.0 - at.0 < Windows::MS)
    }

    /// Takes a message that was judged to be taken.
    pub(super) fn send(&mut self, sent: &Sent, now: Timestamp) {
        if !self.is_there(&sent.to) {
            return;
        }
        let goes_to = self.goes_to(sent, now);
        let is_first = goes_to.contains(&sent.to);
        if is_first && let Some(retain) = sent.retain {
            self.retain(sent, retain, now);
        }
        if is_first && !sent.to.kind().is_queue() {
            self.fan_out(sent, now);
            self.remember(&sent.to, sent.key, now, false);
        }
        for queue in goes_to.iter().filter(|name| name.kind().is_queue()) {
            let is_durable = self.enqueue(queue, sent, now);
            self.remember(queue, sent.key, now, is_durable);
        }
    }

    fn remember(&mut self, name: &DestinationName, key: Option<u8>, now: Timestamp, durable: bool) {
        if let Some(key) = key {
            self.keys.insert((name.clone(), key), (now, durable));
        }
    }

    fn retain(&mut self, sent: &Sent, retain: Retain, now: Timestamp) {
        let place = sent.to.retained();
        match retain {
            Retain::Set => {
                let kept = Sent { urgency: Urgency::NORMAL.0, ..sent.clone() };
                self.enqueue(&place, &kept, now);
            }
            Retain::Remove => self.doom(&place),
        }
    }

    /// A queue loses its name, and whatever is in it will go.
    pub(super) fn doom(&mut self, name: &DestinationName) {
        if let Some(queue) = self.queues.iter_mut().find(|queue| queue.name == *name && !queue.is_doomed) {
            (queue.is_doomed, queue.feed) = (true, None);
            self.keys.retain(|(known, _), _| known != name);
            self.legacies
                .iter_mut()
                .filter(|legacy| legacy.2.as_ref() == Some(name))
                .for_each(|legacy| legacy.2 = None);
        }
    }

    /// Puts a message into a queue. Says whether the log has it, or will.
    fn enqueue(&mut self, name: &DestinationName, sent: &Sent, now: Timestamp) -> bool {
        let spills = self.transient_bytes() + u64::from(sent.size) > self.setting.transient_bytes;
        let durable = !name.kind().is_temporary() && (sent.durable || spills);
        let shard = self.setting.shard;
        let (ticket, last_pending) = (self.next_ticket, self.last_pending);
        let queue = self.queue(name);
        let waits_for = if durable { Some(ticket) } else { last_pending.filter(|_| queue.has_unseen()) };
        let mut terms = sent.terms.clone();
        if let Some(expiry) = queue.policy.expiry_ms {
            let latest = Timestamp(now.0 + expiry);
            let terms = terms.get_or_insert_default();
            terms.expires = Some(terms.expires.map_or(latest, |end| end.min(latest)));
        }
        queue.messages.push(Known {
            id: MessageId::new(shard, 0),
            sequence: 0,
            urgency: sent.urgency,
            says: sent.says,
            body: sent.body.clone(),
            size: sent.size,
            attempts: 0,
            nacks: 0,
            is_in_memory: true,
            handed_out: false,
            is_noted: false,
            durable,
            waits_for,
            withheld: None,
            holder: None,
            standing: terms.as_ref().and_then(|terms| terms.due).map_or(Standing::Ready, Standing::Delayed),
            due_within: None,
            is_arriving: false,
            is_gone: false,
            has_moved: false,
            terms,
            note: None,
        });
        if durable {
            self.last_pending = Some(ticket);
        }
        durable
    }

    /// Every subscriber of the moment is to have it: at once, or when it has credit.
    fn fan_out(&mut self, sent: &Sent, now: Timestamp) {
        let expires = sent.terms.as_ref().and_then(|terms| terms.expires);
        if expires.is_some_and(|end| end <= now) {
            return;
        }
        let is_meant = |sub: &Sub| {
            sub.hears(&sent.to) && sub.wants(sent.says) && !(sub.is_no_local && sent.from == Some(sub.client))
        };
        let waiting = Waiting { body: sent.body.clone(), size: sent.size, expires, is_recalled: false };
        let meant = self.subs.iter().filter(|(_, sub)| is_meant(sub)).map(|(&id, _)| id);
        for id in meant.collect::<Vec<_>>() {
            self.pass_on(id, waiting.clone());
        }
    }

    /// A subscription gets a topic's message at once, or it is kept. What is kept is bounded for all subscriptions of a client.
    pub(super) fn pass_on(&mut self, id: u32, waiting: Waiting) {
        let of_client = self.subs.values().filter(|other| other.client == self.subs[&id].client);
        let kept: usize = of_client.map(|other| other.backlog.len()).sum();
        let sub = self.subs.get_mut(&id).expect("a subscription that is there");
        let client = &mut self.clients[sub.client];
        if client.is_leaving {
        } else if sub.backlog.is_empty() && sub.is_hungry() {
            sub.coming.push_back(waiting);
        } else if kept >= self.setting.backlog as usize {
            client.is_leaving = true;
        } else {
            sub.backlog.push_back(waiting);
        }
    }
}
