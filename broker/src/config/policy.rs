//! Policies: what holds for the destinations that match a pattern.

use std::time::Duration;

use crate::destination::Overflow;
use crate::model::{Backoff, DestinationName, OnExhaust, Pattern};

use super::problem::Problem;
use super::settings::{Section, Settings};

/// One policy. What it leaves out, it does not touch; of several that match, the last one wins, key by key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyConfig {
    /// Which destinations.
    pub pattern: Pattern,
    /// Deliveries of a message before it is dead-lettered, at least 1.
    pub max_deliveries: Option<u16>,
    /// Path of the queue that takes dead letters, in which `{name}` is the path of the origin.
    pub dead_letter: Option<String>,
    /// Messages of one queue, at least 1.
    pub max_length: Option<u64>,
    /// Octets of one queue.
    pub max_bytes: Option<u64>,
    /// What a full queue does.
    pub overflow: Option<Overflow>,
    /// How long a message waits after a NACK.
    pub backoff: Option<Backoff>,
    /// What becomes of a message whose deliveries are used up.
    pub on_exhaust: Option<OnExhaust>,
    /// Longest life of a message from its arrival until somebody takes it.
    pub expiry: Option<Duration>,
    /// Whether what has expired goes to the dead-letter queue.
    pub dead_letter_expired: Option<bool>,
    /// How long a consumer may keep a message.
    pub time_to_run: Option<Duration>,
    /// Whether groups are exclusive.
    pub exclusive_groups: Option<bool>,
    /// Whether one consumer at a time is served.
    pub exclusive_consumer: Option<bool>,
    /// How long a queue is kept empty and unused.
    pub idle: Option<Duration>,
    /// Header by whose value a newer message replaces an older one.
    pub last_value_key: Option<String>,
    /// Whether keys are those of all users together.
    pub shared_keys: Option<bool>,
}

/// All policies, in the order of the file.
pub(super) fn read_all(settings: &Settings, problems: &mut Vec<Problem>) -> Vec<PolicyConfig> {
    settings.policies.iter().filter_map(|section| read(section, problems)).collect()
}

fn read(section: &Section, problems: &mut Vec<Problem>) -> Option<PolicyConfig> {
    let Some(text) = section.get::<String>("policy.match") else {
        problems
            .push(Problem::new(section.at.clone(), "a policy needs a pattern").label("add match = \"/queue/mail.**\""));
        return None;
    };
    let pattern = match Pattern::parse(&text) {
        Ok(pattern) => pattern,
        Err(error) => {
            problems.push(
                Problem::new(section.origin("policy.match"), format!("`{text}` is no pattern"))
                    .label(error.to_string()),
            );
            return None;
        }
    };
    Some(PolicyConfig {
        pattern,
        // The bounds of the key keep it within 16 bits.
        max_deliveries: section.get::<u32>("policy.max_deliveries").map(|count| count as u16),
        dead_letter: dead_letter(section, problems),
        max_length: section.get::<u32>("policy.max_length").map(u64::from),
        max_bytes: section.get("policy.max_bytes"),
        overflow: section.get::<String>("policy.overflow").and_then(|word| Overflow::from_word(&word)),
        backoff: backoff(section, problems),
        on_exhaust: section.get::<String>("policy.on_exhaust").and_then(|word| OnExhaust::from_word(&word)),
        expiry: section.get("policy.expiry"),
        dead_letter_expired: section.get("policy.dead_letter_expired"),
        time_to_run: section.get("policy.time_to_run"),
        exclusive_consumer: section.get("policy.exclusive_consumer"),
        exclusive_groups: section.get::<String>("policy.groups").map(|word| word == "exclusive"),
        idle: section.get("policy.idle"),
        last_value_key: section.get("policy.last_value_key"),
        shared_keys: section.get("policy.shared_keys"),
    })
}

fn backoff(section: &Section, problems: &mut Vec<Problem>) -> Option<Backoff> {
    let text = section.get::<String>("policy.backoff")?;
    let read = text.parse::<Backoff>();
    if let Err(error) = &read {
        let problem = Problem::new(section.origin("policy.backoff"), format!("`{text}` is no back-off"));
        problems.push(problem.label(error.to_string()));
    }
    read.ok()
}

fn dead_letter(section: &Section, problems: &mut Vec<Problem>) -> Option<String> {
    let text = section.get::<String>("policy.dead_letter")?;
    let path = text.strip_prefix("/queue/").unwrap_or(&text).to_owned();
    if let Err(error) = DestinationName::queue(&path.replace("{name}", "name")) {
        problems.push(
            Problem::new(section.origin("policy.dead_letter"), format!("`{text}` is no name of a queue"))
                .label(error.to_string()),
        );
    }
    Some(path)
}
