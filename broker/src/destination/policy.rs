//! What is allowed in a destination, by pattern of its name.

use std::sync::Arc;

use crate::model::{DestinationKind, DestinationName, Pattern};

/// Rules of one destination, all patterns applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Deliveries of a message before it is dead-lettered, at least 1.
    pub max_deliveries: u16,
    /// Queue that takes dead letters, as a path such as `DLQ.{name}`, where `{name}` is the path of the origin.
    pub dead_letter: Arc<str>,
    /// Messages that a queue may hold.
    pub max_length: u64,
    /// Octets of head and body that a queue may hold.
    pub max_bytes: u64,
    /// What becomes of a message beyond that.
    pub overflow: Overflow,
}

/// What a full queue does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// It takes nothing more.
    #[default]
    Refuse,
    /// It drops the least urgent, and of these what has waited longest; what is out is not touched.
    DropOldest,
}

impl Overflow {
    /// Its words in the configuration, the default first.
    pub const WORDS: [&str; 2] = ["refuse", "drop-oldest"];

    /// The one with that word.
    pub fn from_word(word: &str) -> Option<Overflow> {
        [Overflow::Refuse, Overflow::DropOldest]
            .into_iter()
            .zip(Overflow::WORDS)
            .find(|(_, own)| *own == word)
            .map(|it| it.0)
    }
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            max_deliveries: 16,
            dead_letter: "DLQ.{name}".into(),
            max_length: 10_000_000,
            max_bytes: 10 << 30,
            overflow: Overflow::Refuse,
        }
    }
}

impl Policy {
    /// Where dead letters of that destination go. `None` for what has no dead-letter queue: a dead-letter queue itself,
    /// and whatever lives in memory only.
    pub fn dead_letter_for(&self, name: &DestinationName) -> Option<DestinationName> {
        if !name.kind().is_queue() || name.kind().is_temporary() || name.path().starts_with("DLQ.") {
            return None;
        }
        let path = self.dead_letter.replace("{name}", name.path());
        let path = path.strip_prefix("/queue/").unwrap_or(&path);
        DestinationName::queue(path).ok().filter(|target| target != name)
    }
}

/// One rule of the configuration: what it leaves out, it does not touch.
#[derive(Clone, Debug)]
pub struct PolicyRule {
    /// Which destinations.
    pub pattern: Pattern,
    /// See [`Policy::max_deliveries`].
    pub max_deliveries: Option<u16>,
    /// See [`Policy::dead_letter`].
    pub dead_letter: Option<Arc<str>>,
    /// See [`Policy::max_length`].
    pub max_length: Option<u64>,
    /// See [`Policy::max_bytes`].
    pub max_bytes: Option<u64>,
    /// See [`Policy::overflow`].
    pub overflow: Option<Overflow>,
}

/// All rules, in the order of the file: the last match wins, key by key.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// What holds where no rule matches.
    pub default: Policy,
    /// The rules.
    pub rules: Vec<PolicyRule>,
}

impl Policies {
    /// The policy of one destination.
    pub fn resolve(&self, name: &DestinationName) -> Policy {
        let mut policy = self.default.clone();
        if name.kind() == DestinationKind::Retained {
            // The newest message and no other.
            (policy.max_length, policy.max_bytes, policy.overflow) = (1, u64::MAX, Overflow::DropOldest);
            return policy;
        }
        for rule in self.rules.iter().filter(|rule| rule.pattern.matches(name)) {
            policy.max_deliveries = rule.max_deliveries.unwrap_or(policy.max_deliveries);
            policy.max_length = rule.max_length.unwrap_or(policy.max_length);
            policy.max_bytes = rule.max_bytes.unwrap_or(policy.max_bytes);
            policy.overflow = rule.overflow.unwrap_or(policy.overflow);
            if let Some(target) = &rule.dead_letter {
                policy.dead_letter = Arc::clone(target);
            }
        }
        policy
    }
}
