//! What the engine shows of its queues, against the model: learnt where it may choose, equal everywhere else.

use std::collections::{BTreeMap, BTreeSet};

use kolejka::destination::{Entry, Overflow, State};
use kolejka::engine::QueueView;
use kolejka::model::{DestinationName, MessageId, Pause, Position, Standing, Terms};

use super::message::Known;
use super::queue::Queue;
use super::reference::Model;

impl Model {
    /// Takes over what the engine may choose: ids and places of what is new in a queue, the jitter of a back-off.
    pub(super) fn learn(&mut self, views: &[QueueView]) {
        let known = self.ids();
        let before = self.highest;
        let mut fresh: BTreeMap<&DestinationName, BTreeSet<MessageId>> = BTreeMap::new();
        for view in views {
            let ids = view.entries.iter().map(|entry| entry.message).filter(|id| !known.contains(id));
            fresh.entry(&view.name).or_default().extend(ids);
        }
        for queue in &mut self.queues {
            if views.iter().all(|view| view.name != queue.name) {
                queue.forget_groups();
            }
            // A queue that has lost its name stands in front of the one that has it now, and was sent to before.
            if let Some(fresh) = fresh.get_mut(&queue.name) {
                self.highest = queue.name_fresh(fresh, before).max(self.highest);
            }
            let views = views.iter().filter(|view| view.name == queue.name);
            let shown: Vec<_> = views.flat_map(|view| view.entries.iter().zip(&view.standing)).collect();
            queue.place_new(&shown);
            if queue.policy.overflow == Overflow::DropOldest {
                for known in queue.messages.iter_mut().filter(|known| known.is_ready()) {
                    known.is_gone = shown.iter().all(|(entry, _)| entry.message != known.id);
                }
            }
        }
        fresh.retain(|_, ids| !ids.is_empty());
        assert_eq!(fresh, BTreeMap::new(), "no more messages than were sent");
        self.forget_idle(views);
    }

    /// A temporary queue that nobody reads and that is empty may be gone.
    fn forget_idle(&mut self, views: &[QueueView]) {
        let subs = &self.subs;
        self.queues.retain(|queue| {
            let is_gone = queue.name.kind().is_temporary() && views.iter().all(|view| view.name != queue.name);
            let is_idle = queue.messages.is_empty() && subs.values().all(|sub| !sub.names(&queue.name));
            assert!(!is_gone || is_idle, "{} is gone", queue.name);
            !is_gone
        });
    }

    /// §5.25: what a full queue has dropped was too much for it, and the least urgent of that, the oldest first.
    pub(super) fn drop_surplus(&mut self, views: &[QueueView]) {
        for queue in self.queues.iter_mut().filter(|queue| queue.policy.overflow == Overflow::DropOldest) {
            let views = views.iter().filter(|view| view.name == queue.name);
            let shown: BTreeSet<_> = views.flat_map(|view| view.entries.iter().map(|entry| entry.message)).collect();
            queue.drop_surplus(&shown);
        }
    }

    /// The queues hold the same messages in the same order, with the same counts and marks.
    pub(super) fn compare(&self, views: &[QueueView], position: impl Fn(MessageId) -> Option<Position>) {
        let mut shown: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
        for view in views {
            check_sums(view);
            let rows = view.entries.iter().zip(&view.standing).map(|(entry, standing)| Row::of(entry, standing));
            shown.entry(view.name.as_str()).or_default().extend(rows);
        }
        let mut expected: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
        for queue in &self.queues {
            let mut messages: Vec<_> = queue.messages.iter().collect();
            messages.sort_by_key(|known| (!known.is_ready(), known.place()));
            let rows = messages.into_iter().map(|known| Row::expected(known, position(known.id)));
            expected.entry(queue.name.as_str()).or_default().extend(rows);
        }
        // A queue that has lost its name and one that has it now are shown under the same.
        for rows in shown.values_mut().chain(expected.values_mut()) {
            rows.sort_by_key(|row| (row.state != State::Ready, row.urgency, row.sequence, row.message));
        }
        shown.retain(|_, rows| !rows.is_empty());
        expected.retain(|_, rows| !rows.is_empty());
        assert_eq!(shown, expected);
        self.compare_consumers(views);
        for queue in self.queues.iter().filter(|queue| !queue.is_doomed && !queue.pause.is_over()) {
            let mut named = views.iter().filter(|view| view.name == queue.name);
            assert!(named.any(|view| view.pause == queue.pause), "{} stands still: {:?}", queue.name, queue.pause);
        }
    }

    /// Each queue has the consumers that read it.
    fn compare_consumers(&self, views: &[QueueView]) {
        for view in views {
            let queue = Queue::new(view.name.clone(), self.policy(&view.name));
            let reading = self.subs.values().filter(|sub| sub.reads(&queue)).count();
            let is_named_again = views.iter().filter(|other| other.name == view.name).count() > 1;
            if !is_named_again && !self.is_doomed(view) {
                let known = self.find_queue(&view.name).map_or_else(Pause::default, |queue| queue.pause);
                assert_eq!(view.pause, known, "{}", view.name);
                assert_eq!(view.consumers, reading, "consumers of {}", view.name);
            }
        }
    }

    fn is_doomed(&self, view: &QueueView) -> bool {
        self.queues.iter().any(|queue| queue.is_doomed && queue.name == view.name)
    }
}

impl Queue {
    /// Gives ids to what was sent just now: in the order in which it was sent, and none that was ever used.
    fn name_fresh(&mut self, fresh: &mut BTreeSet<MessageId>, highest: MessageId) -> MessageId {
        let mut last = highest;
        for known in self.messages.iter_mut().filter(|known| known.id.sequence() == 0) {
            let id = fresh.pop_first().expect("as many messages as were sent");
            assert!(id > last, "an id is never used twice");
            assert_eq!(id.shard(), highest.shard());
            (known.id, last) = (id, id);
        }
        last
    }

    /// Gives places to what is new here: behind all others, and what was sent in the order of its ids.
    fn place_new(&mut self, shown: &[(&Entry, &(Standing, Option<Terms>))]) {
        let last = self.messages.iter().map(|known| known.sequence).max().unwrap_or_default();
        for known in &mut self.messages {
            let Some((entry, standing)) = shown.iter().find(|(entry, _)| entry.message == known.id) else { continue };
            if known.sequence == 0 {
                known.sequence = entry.place().sequence;
                assert!(known.sequence > last, "what comes to a queue stands behind what is there");
            }
            if let Some(within) = known.due_within.take() {
                let Standing::Delayed(due) = standing.0 else { panic!("a NACK has it wait") };
                assert!(within.contains(&due.0), "§5.2: the jitter is a fifth at most");
                known.standing = Standing::Delayed(due);
            }
        }
        let mut of_senders: Vec<_> = self.messages.iter().filter(|known| !known.has_moved).collect();
        of_senders.sort_by_key(|known| known.id);
        assert!(of_senders.is_sorted_by_key(|known| known.sequence), "first come, first served");
    }

    fn drop_surplus(&mut self, shown: &BTreeSet<MessageId>) {
        let handed_out = std::mem::take(&mut self.handed_out);
        let mut bytes = self.bytes();
        let mut ready: Vec<_> = self.messages.iter().filter(|known| known.is_ready()).collect();
        // What was dropped before it was ever shown has no place that is known: before all that is kept.
        let first_kept = |urgency| {
            let kept = ready.iter().filter(|known| known.urgency == urgency && shown.contains(&known.id));
            kept.map(|known| known.sequence).min().unwrap_or(i64::MAX)
        };
        let place = |known: &Known| match known.sequence {
            0 => (std::cmp::Reverse(known.urgency), first_kept(known.urgency), false),
            sequence => (std::cmp::Reverse(known.urgency), sequence, true),
        };
        let places: BTreeMap<_, _> = ready.iter().map(|known| (known.id, place(known))).collect();
        ready.sort_by_key(|known| places[&known.id]);
        let mut dropped = BTreeSet::new();
        for (at, known) in ready.iter().enumerate() {
            let is_gone = !shown.contains(&known.id);
            if is_gone {
                dropped.insert(known.id);
            }
            let is_too_much = self.overflows((ready.len() - at) as u64, bytes);
            // Surplus goes before the heads of messages are read that somebody may want, and before what stood behind it.
            let was_too_much = is_too_much || self.overflows((ready.len() - at) as u64 + handed_out, bytes);
            assert!(!is_gone || was_too_much, "{} drops what it has room for", self.name);
            if !is_gone {
                // Nothing has to go for what the log does not have yet.
                assert!(!is_too_much || self.has_unseen(), "{} keeps what it has no room for", self.name);
                break;
            }
            bytes -= u64::from(known.size);
        }
        self.messages.retain(|known| !dropped.contains(&known.id));
    }
}

/// The sums of a view are those of its messages.
fn check_sums(view: &QueueView) {
    let count = |state| view.entries.iter().filter(|entry| entry.state == state).count();
    let states = [State::Ready, State::Reserved, State::Delayed, State::Buried].map(count);
    assert_eq!([view.ready, view.reserved, view.delayed, view.buried], states, "{}", view.name);
    assert_eq!(view.bytes, view.entries.iter().map(|entry| u64::from(entry.size)).sum::<u64>());
}

/// A message as both sides see it.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    message: MessageId,
    urgency: u32,
    sequence: i64,
    state: State,
    standing: Standing,
    size: u32,
    attempts: u16,
    nacks: u8,
    handed_out: bool,
    durable: bool,
    position: Option<Position>,
    terms: Option<Terms>,
}

impl Row {
    fn of(entry: &Entry, (standing, terms): &(Standing, Option<Terms>)) -> Row {
        assert_eq!(entry.has_terms() || entry.expires().is_some(), terms.is_some());
        Row {
            message: entry.message,
            urgency: entry.place().urgency.0,
            sequence: entry.place().sequence,
            state: entry.state,
            standing: *standing,
            size: entry.size,
            attempts: entry.attempts,
            nacks: entry.nacks,
            handed_out: entry.handed_out,
            durable: entry.is_durable(),
            position: entry.position(),
            terms: terms.clone(),
        }
    }

    fn expected(known: &Known, position: Option<Position>) -> Row {
        let state = match known.standing {
            _ if known.waits_for.is_some() => State::Accepted,
            _ if known.holder.is_some() => State::Reserved,
            Standing::Ready => State::Ready,
            Standing::Delayed(_) => State::Delayed,
            Standing::Buried(_) => State::Buried,
        };
        Row {
            message: known.id,
            urgency: known.urgency,
            sequence: known.sequence,
            state,
            standing: if known.is_idle() { known.standing } else { Standing::Ready },
            size: known.size,
            attempts: known.attempts,
            nacks: known.nacks,
            handed_out: known.handed_out,
            durable: known.durable,
            position: position.filter(|_| known.durable && known.waits_for.is_none()),
            // Terms that say nothing are none.
            terms: known.terms.clone().filter(|terms| !terms.is_empty()),
        }
    }
}
