//! Patterns and what hangs on them, as a tree over their parts: the cost of a look-up goes by the length of the name, not by
//! the number of patterns.

use std::collections::BTreeMap;

use crate::model::{DestinationName, Pattern, Segment};

/// Patterns, each with any number of values.
#[derive(Debug)]
pub struct Patterns<T> {
    root: Node<T>,
    len: usize,
}

#[derive(Debug)]
struct Node<T> {
    exactly: BTreeMap<Box<str>, Node<T>>,
    one: Option<Box<Node<T>>>,
    /// Values of patterns that end here.
    here: Vec<T>,
    /// Values of patterns that take whatever follows.
    rest: Vec<T>,
}

impl<T: Copy + Ord> Patterns<T> {
    /// Hangs a value on a pattern.
    pub fn insert(&mut self, pattern: &Pattern, value: T) {
        let mut node = &mut self.root;
        self.len += 1;
        for segment in pattern.segments() {
            node = match segment {
                Segment::Exactly(text) => node.exactly.entry(text.as_str().into()).or_default(),
                Segment::One => node.one.get_or_insert_default(),
                Segment::Rest => return node.rest.push(value),
            };
        }
        node.here.push(value);
    }

    /// Takes a value off a pattern.
    pub fn remove(&mut self, pattern: &Pattern, value: T) {
        if self.root.remove(pattern.segments(), value) {
            self.len -= 1;
        }
    }

    /// The values of all patterns that mean the name, in their own order, each once.
    pub fn matching(&self, name: &DestinationName) -> Vec<T> {
        let mut found = Vec::new();
        if self.len > 0 {
            let parts: Vec<&str> = name.as_str()[1..].split(['.', '/']).collect();
            self.root.collect(&parts, &mut found);
            found.sort_unstable();
            found.dedup();
        }
        found
    }

    /// Values that hang on patterns.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<T: Copy + Ord> Node<T> {
    fn collect(&self, parts: &[&str], found: &mut Vec<T>) {
        found.extend_from_slice(&self.rest);
        let Some((first, others)) = parts.split_first() else {
            return found.extend_from_slice(&self.here);
        };
        if let Some(node) = self.exactly.get(*first) {
            node.collect(others, found);
        }
        if let Some(node) = &self.one {
            node.collect(others, found);
        }
    }

    /// Takes the value out, and nodes that hold nothing any more with it.
    fn remove(&mut self, segments: &[Segment], value: T) -> bool {
        let take = |values: &mut Vec<T>| match values.iter().position(|other| *other == value) {
            Some(at) => {
                values.remove(at);
                true
            }
            None => false,
        };
        let Some((first, others)) = segments.split_first() else { return take(&mut self.here) };
        match first {
            Segment::Rest => take(&mut self.rest),
            Segment::One => {
                let removed = self.one.as_mut().is_some_and(|node| node.remove(others, value));
                if self.one.as_ref().is_some_and(|node| node.is_bare()) {
                    self.one = None;
                }
                removed
            }
            Segment::Exactly(text) => {
                let Some(node) = self.exactly.get_mut(text.as_str()) else { return false };
                let removed = node.remove(others, value);
                if node.is_bare() {
                    self.exactly.remove(text.as_str());
                }
                removed
            }
        }
    }

    fn is_bare(&self) -> bool {
        self.exactly.is_empty() && self.one.is_none() && self.here.is_empty() && self.rest.is_empty()
    }
}

impl<T> Default for Node<T> {
    fn default() -> Node<T> {
        Node { exactly: BTreeMap::new(), one: None, here: Vec::new(), rest: Vec::new() }
    }
}

impl<T> Default for Patterns<T> {
    fn default() -> Patterns<T> {
        Patterns { root: Node::default(), len: 0 }
    }
}
