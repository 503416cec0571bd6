//! Several destinations in one subscription.

use super::{DestinationKind, DestinationName};

/// Destinations that one subscription reads, in the order in which they were written.
#[derive(Debug)]
pub struct List {
    text: String,
    names: Vec<DestinationName>,
    order: Order,
}

/// Which of several queues the next message comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// From that with the most urgent message, and of equals with the oldest.
    #[default]
    Priority,
    /// From the first in the list that has one.
    Strict,
    /// From each in turn.
    Fair,
}

impl List {
    /// A list without the repetitions in it.
    pub fn new(names: impl IntoIterator<Item = DestinationName>, order: Order) -> List {
        let mut list = List { text: String::new(), names: Vec::new(), order };
        for name in names {
            if !list.names.contains(&name) {
                list.text.push_str(if list.text.is_empty() { "" } else { "," });
                list.text.push_str(name.as_str());
                list.names.push(name);
            }
        }
        list
    }

    /// The destinations.
    pub fn names(&self) -> &[DestinationName] {
        &self.names
    }

    /// Which of its queues comes first.
    pub fn order(&self) -> Order {
        self.order
    }

    /// Their full names, separated by commas.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// That of a topic if there is one among them, else that of a queue: of topics less may be asked.
    pub fn kind(&self) -> DestinationKind {
        let mut kinds = self.names.iter().map(DestinationName::kind);
        kinds.clone().find(|kind| !kind.is_queue()).or_else(|| kinds.next()).unwrap_or(DestinationKind::Queue)
    }
}

impl Order {
    /// What a word says.
    pub fn from_word(word: &str) -> Option<Order> {
        match word {
            "priority" => Some(Order::Priority),
            "strict" => Some(Order::Strict),
            "fair" => Some(Order::Fair),
            _ => None,
        }
    }
}
