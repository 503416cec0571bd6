//! Whose turn it is in a queue: by priority, round and round among equals, or one consumer alone.

use std::collections::{BTreeMap, VecDeque};

use super::ConsumerKey;

/// The consumers of a queue that have credit, as far as is known: who has none is found out when it is its turn.
#[derive(Debug, Default)]
pub struct Rotation {
    /// Those of the usual priority, which is 0.
    usual: VecDeque<ConsumerKey>,
    /// Those of others. No list is empty.
    others: BTreeMap<i32, VecDeque<ConsumerKey>>,
    /// Those that want the queue for themselves, in the order in which they get it; the first has it.
    line: Vec<(i32, ConsumerKey)>,
}

impl Rotation {
    /// Who is next.
    pub fn next(&self) -> Option<ConsumerKey> {
        if self.others.is_empty() && self.line.is_empty() {
            return self.usual.front().copied();
        }
        if let Some(&(priority, sole)) = self.line.first() {
            return self.level(priority).filter(|level| level.contains(&sole)).map(|_| sole);
        }
        let above = self.others.range(1..).next_back().and_then(|(_, level)| level.front());
        let below = || self.others.range(..0).next_back().and_then(|(_, level)| level.front());
        above.or(self.usual.front()).or_else(below).copied()
    }

    /// Gives a consumer a turn, behind those of its priority.
    pub fn push(&mut self, consumer: ConsumerKey, priority: i32) {
        let is_sole = self.line.first().is_some_and(|(_, sole)| *sole == consumer);
        let level = if priority == 0 { &mut self.usual } else { self.others.entry(priority).or_default() };
        // Who is alone is found at once.
        if is_sole { level.push_front(consumer) } else { level.push_back(consumer) }
    }

    /// The turn of the next one is over.
    pub fn turn(&mut self) {
        if !self.line.is_empty() {
            return;
        }
        if let Some(level) = self.next_level() {
            level.rotate_left(1);
        }
    }

    /// The next one has no more turns.
    pub fn drop_next(&mut self) {
        let Some(next) = self.next() else { return };
        if !self.line.is_empty() {
            self.remove(next);
            return;
        }
        if let Some(level) = self.next_level() {
            level.pop_front();
        }
        self.others.retain(|_, level| !level.is_empty());
    }

    /// A consumer has no more turns. Says whether it had.
    pub fn remove(&mut self, consumer: ConsumerKey) -> bool {
        let before = self.len();
        self.usual.retain(|&other| other != consumer);
        if !self.others.is_empty() {
            self.others.values_mut().for_each(|level| level.retain(|&other| other != consumer));
            self.others.retain(|_, level| !level.is_empty());
        }
        self.len() < before
    }

    fn len(&self) -> usize {
        self.usual.len() + self.others.values().map(VecDeque::len).sum::<usize>()
    }

    /// A consumer wants the queue for itself: nobody else has turns while it is first in line.
    pub fn stand_in_line(&mut self, consumer: ConsumerKey, priority: i32) {
        let at = self.line.partition_point(|(other, _)| *other >= priority);
        self.line.insert(at, (priority, consumer));
    }

    /// A consumer is gone.
    pub fn leave(&mut self, consumer: ConsumerKey) {
        self.remove(consumer);
        self.line.retain(|(_, other)| *other != consumer);
    }

    /// Whether a consumer would have to let somebody else go first: one of a higher priority, or the one that has the queue
    /// for itself.
    pub fn is_behind(&self, consumer: ConsumerKey, priority: i32) -> bool {
        if self.others.is_empty() && self.line.is_empty() {
            return false;
        }
        match self.line.first() {
            Some((_, sole)) => *sole != consumer,
            None => {
                self.others.range(priority.saturating_add(1)..).next_back().is_some()
                    || priority < 0 && !self.usual.is_empty()
            }
        }
    }

    /// Whether somebody else has the queue for itself.
    pub fn is_barred(&self, consumer: ConsumerKey) -> bool {
        self.line.first().is_some_and(|(_, sole)| *sole != consumer)
    }

    fn level(&self, priority: i32) -> Option<&VecDeque<ConsumerKey>> {
        if priority == 0 { Some(&self.usual) } else { self.others.get(&priority) }
    }

    fn next_level(&mut self) -> Option<&mut VecDeque<ConsumerKey>> {
        if self.others.is_empty() {
            return Some(&mut self.usual);
        }
        let above = self.others.range(1..).next_back().map(|(priority, _)| *priority);
        let below = || self.others.range(..0).next_back().map(|(priority, _)| *priority);
        match above.or_else(|| if self.usual.is_empty() { below() } else { None }) {
            Some(priority) => self.others.get_mut(&priority),
            None => Some(&mut self.usual),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slotmap::SlotMap;

    fn keys() -> [ConsumerKey; 4] {
        let mut all = SlotMap::<ConsumerKey, ()>::with_key();
        [(); 4].map(|()| all.insert(()))
    }

    fn turns(rotation: &mut Rotation, count: usize) -> Vec<ConsumerKey> {
        let turn = |rotation: &mut Rotation| {
            let next = rotation.next();
            rotation.turn();
            next
        };
        (0..count).map_while(|_| turn(rotation)).collect()
    }

    #[test]
    fn the_highest_priority_has_all_turns_and_equals_share_them() {
        let ([a, b, c, d], mut rotation) = (keys(), Rotation::default());
        for (consumer, priority) in [(a, 0), (b, 5), (c, -1), (d, 5)] {
            rotation.push(consumer, priority);
        }
        assert_eq!(turns(&mut rotation, 3), [b, d, b]);
        assert!(rotation.is_behind(a, 0) && rotation.is_behind(c, -1) && !rotation.is_behind(b, 5));
        rotation.drop_next();
        assert_eq!(turns(&mut rotation, 2), [b, b]);
        rotation.drop_next();
        assert_eq!(turns(&mut rotation, 2), [a, a]);
        rotation.drop_next();
        assert_eq!(turns(&mut rotation, 2), [c, c]);
        rotation.drop_next();
        assert_eq!(rotation.next(), None);
    }

    #[test]
    fn who_is_alone_has_all_turns_and_the_next_in_line_follows() {
        let ([a, b, c, d], mut rotation) = (keys(), Rotation::default());
        for consumer in [a, b, c, d] {
            rotation.push(consumer, i32::from(consumer == d));
        }
        rotation.stand_in_line(b, 0);
        rotation.stand_in_line(c, 0);
        rotation.stand_in_line(d, 1);
        assert_eq!(turns(&mut rotation, 2), [d, d], "the highest priority comes first in line too");
        rotation.drop_next();
        assert_eq!(rotation.next(), None, "it has no credit, and nobody else may");
        rotation.push(d, 1);
        assert_eq!(rotation.next(), Some(d));
        rotation.leave(d);
        assert_eq!(turns(&mut rotation, 2), [b, b]);
        assert!(rotation.is_barred(a) && !rotation.is_barred(b));
        rotation.leave(b);
        rotation.leave(c);
        assert_eq!(turns(&mut rotation, 2), [a, a]);
    }
}
