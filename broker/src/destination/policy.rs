//! What is allowed in a destination, by pattern of its name.

use std::sync::Arc;

use crate::model::{Backoff, DestinationKind, DestinationName, Limits, Message, OnExhaust, Pattern, Timestamp};

use super::Overflow;

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
    /// How long a message waits after a NACK.
    pub backoff: Backoff,
    /// What becomes of a message whose deliveries are used up.
    pub on_exhaust: OnExhaust,
    /// Longest life of a message from its arrival until somebody takes it, in milliseconds.
    pub expiry_ms: Option<u64>,
    /// Whether what has expired goes to the dead-letter queue instead of being dropped.
    pub dead_letter_expired: bool,
    /// How long a consumer may keep a message, in milliseconds, where neither it nor the message says.
    pub time_to_run_ms: Option<u32>,
    /// Whether of a group of messages nothing is out with two consumers, and nothing overtakes what has failed.
    pub exclusive_groups: bool,
    /// Whether one consumer at a time is served, as if each had asked to be alone.
    pub exclusive_consumer: bool,
    /// How long a queue is kept empty and unused, in milliseconds, if not as long as any.
    pub idle_ms: Option<u64>,
    /// Header by whose value a newer message replaces an older one that nobody holds.
    pub last_value_key: Option<Arc<str>>,
    /// Whether keys (`x-unique`, `idempotency-key`, `x-job-token`) are those of all users together.
    pub shared_keys: bool,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            max_deliveries: 16,
            dead_letter: "DLQ.{name}".into(),
            max_length: 10_000_000,
            max_bytes: 10 << 30,
            overflow: Overflow::Refuse,
            backoff: Backoff::default(),
            on_exhaust: OnExhaust::DeadLetter,
            expiry_ms: None,
            dead_letter_expired: false,
            time_to_run_ms: None,
            exclusive_groups: false,
            exclusive_consumer: false,
            idle_ms: None,
            last_value_key: None,
            shared_keys: false,
        }
    }
}

impl Policy {
    /// The life of a message may end earlier here than its sender says.
    #[must_use]
    pub fn limit_life(&self, mut message: Message, now: Timestamp) -> Message {
        if let Some(expiry) = self.expiry_ms {
            let latest = now.after(expiry);
            let terms = message.terms.get_or_insert_default();
            terms.expires = Some(terms.expires.map_or(latest, |end| end.min(latest)));
        }
        message
    }

    /// Takes over what is asked for.
    fn grant(&mut self, limits: &Limits) {
        self.max_length = limits.max_length.map_or(self.max_length, |asked| asked.min(self.max_length));
        self.max_bytes = limits.max_bytes.map_or(self.max_bytes, |asked| asked.min(self.max_bytes));
        if let Some(drops) = limits.drops_oldest {
            self.overflow = if drops { Overflow::DropOldest } else { Overflow::Refuse };
        }
        self.expiry_ms = limits.expiry_ms.or(self.expiry_ms);
        self.idle_ms = limits.idle_ms.or(self.idle_ms);
        self.max_deliveries = limits.max_deliveries.unwrap_or(self.max_deliveries);
        if let Some(name) = &limits.dead_letter {
            self.dead_letter = name.path().into();
        }
    }

    /// Whether a destination has a dead-letter queue: not if it is one itself, and not if it lives in memory only.
    pub fn has_dead_letters(name: &DestinationName) -> bool {
        let kind = name.kind();
        let is_plain = kind.is_queue() && !kind.is_temporary() && kind != DestinationKind::Schedules;
        is_plain && !name.path().starts_with("DLQ.")
    }

    /// Where dead letters of that destination go. `None` for what has no dead-letter queue: a dead-letter queue itself,
    /// and whatever lives in memory only.
    pub fn dead_letter_for(&self, name: &DestinationName) -> Option<DestinationName> {
        if !Policy::has_dead_letters(name) {
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
    /// See [`Policy::backoff`].
    pub backoff: Option<Backoff>,
    /// See [`Policy::on_exhaust`].
    pub on_exhaust: Option<OnExhaust>,
    /// See [`Policy::expiry_ms`].
    pub expiry_ms: Option<u64>,
    /// See [`Policy::dead_letter_expired`].
    pub dead_letter_expired: Option<bool>,
    /// See [`Policy::time_to_run_ms`].
    pub time_to_run_ms: Option<u32>,
    /// See [`Policy::exclusive_groups`].
    pub exclusive_groups: Option<bool>,
    /// See [`Policy::exclusive_consumer`].
    pub exclusive_consumer: Option<bool>,
    /// See [`Policy::idle_ms`].
    pub idle_ms: Option<u64>,
    /// See [`Policy::last_value_key`].
    pub last_value_key: Option<Arc<str>>,
    /// See [`Policy::shared_keys`].
    pub shared_keys: Option<bool>,
}

impl PolicyRule {
    /// A rule that says nothing yet about the destinations of that pattern.
    pub fn new(pattern: Pattern) -> PolicyRule {
        PolicyRule {
            pattern,
            max_deliveries: None,
            dead_letter: None,
            max_length: None,
            max_bytes: None,
            overflow: None,
            backoff: None,
            on_exhaust: None,
            expiry_ms: None,
            dead_letter_expired: None,
            time_to_run_ms: None,
            exclusive_groups: None,
            exclusive_consumer: None,
            idle_ms: None,
            last_value_key: None,
            shared_keys: None,
        }
    }
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
        self.resolve_for(name, None)
    }

    /// Whether dead letters of other destinations may go to that one.
    pub fn take_dead_letters(&self, name: &DestinationName) -> bool {
        let targets = self.rules.iter().filter_map(|rule| rule.dead_letter.as_ref());
        targets.chain([&self.default.dead_letter]).any(|target| {
            let target = target.strip_prefix("/queue/").unwrap_or(target);
            match target.split_once("{name}") {
                None => target == name.path(),
                Some((before, behind)) => {
                    let rest = name.path().strip_prefix(before).and_then(|rest| rest.strip_suffix(behind));
                    rest.is_some_and(|name| !name.is_empty())
                }
            }
        })
    }

    /// The same for a queue whose maker asked for limits. The rules come first, and the default bounds what is granted.
    pub fn resolve_for(&self, name: &DestinationName, asked: Option<&Limits>) -> Policy {
        let mut policy = self.default.clone();
        if let Some(limits) = asked {
            policy.grant(limits);
        }
        if name.kind() == DestinationKind::Retained {
            // The newest message and no other.
            (policy.max_length, policy.max_bytes, policy.overflow) = (1, u64::MAX, Overflow::DropOldest);
            return policy;
        }
        if name.kind() == DestinationKind::Results {
            // What lies longest gives way.
            (policy.max_length, policy.max_bytes, policy.overflow) = (1 << 20, 256 << 20, Overflow::DropOldest);
            (policy.expiry_ms, policy.dead_letter_expired) = (None, false);
            return policy;
        }
        if name.kind() == DestinationKind::Schedules {
            // They have a limit of their own, and stay until they are over.
            (policy.max_length, policy.overflow, policy.expiry_ms) = (u64::MAX, Overflow::Refuse, None);
            return policy;
        }
        for rule in self.rules.iter().filter(|rule| rule.pattern.matches(name)) {
            policy.max_deliveries = rule.max_deliveries.unwrap_or(policy.max_deliveries);
            policy.max_length = rule.max_length.unwrap_or(policy.max_length);
            policy.max_bytes = rule.max_bytes.unwrap_or(policy.max_bytes);
            policy.overflow = rule.overflow.unwrap_or(policy.overflow);
            policy.backoff = rule.backoff.unwrap_or(policy.backoff);
            policy.on_exhaust = rule.on_exhaust.unwrap_or(policy.on_exhaust);
            policy.expiry_ms = rule.expiry_ms.or(policy.expiry_ms);
            policy.dead_letter_expired = rule.dead_letter_expired.unwrap_or(policy.dead_letter_expired);
            policy.time_to_run_ms = rule.time_to_run_ms.or(policy.time_to_run_ms);
            policy.exclusive_groups = rule.exclusive_groups.unwrap_or(policy.exclusive_groups);
            policy.exclusive_consumer = rule.exclusive_consumer.unwrap_or(policy.exclusive_consumer);
            policy.idle_ms = rule.idle_ms.or(policy.idle_ms);
            policy.shared_keys = rule.shared_keys.unwrap_or(policy.shared_keys);
            if rule.last_value_key.is_some() {
                policy.last_value_key.clone_from(&rule.last_value_key);
            }
            if let Some(target) = &rule.dead_letter {
                policy.dead_letter = Arc::clone(target);
            }
        }
        policy
    }
}
