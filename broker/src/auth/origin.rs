//! Names that the broker makes from others: who may read where something came from may read it there, too.
//!
//! `/queue/DLQ.<name>` has the dead letters of `/queue/<name>`. `/topic/Kolejka.Job.<event>.<name>` and
//! `/topic/ActiveMQ.Advisory.<kind>.Queue.<name>` tell what happens in `/queue/<name>`, and `/queue/Consumer.<group>.<topic>`
//! is where a group gathers that.

use crate::model::{DestinationKind, DestinationName, Pattern, Segment};

/// Where what is at a name comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The place has a meaning of its own.
    Itself,
    /// It is the dead-letter queue of that one.
    DeadLetters(DestinationName),
    /// The broker tells there what happens in that one.
    Events(DestinationName),
    /// It gathers what is told on such topics.
    Gathered(Pattern),
}

impl Origin {
    /// Read off the name.
    pub(super) fn of(name: &DestinationName) -> Origin {
        let path = name.path();
        match name.kind() {
            DestinationKind::Queue if path.starts_with("DLQ.") || path.starts_with("DLQ/") => {
                DestinationName::queue(&path[4..]).map_or(Origin::Itself, Origin::DeadLetters)
            }
            DestinationKind::Queue if path.starts_with("Consumer.") || path.starts_with("Consumer/") => {
                gathered(path).map_or(Origin::Itself, Origin::Gathered)
            }
            DestinationKind::Topic if name.is_announced() => told_of(path).map_or(Origin::Itself, Origin::Events),
            _ => Origin::Itself,
        }
    }
}

/// The queue of which a topic of the broker tells.
fn told_of(path: &str) -> Option<DestinationName> {
    let kolejka = |queue: &str| DestinationName::queue(queue).ok();
    let parts: Vec<&str> = path.splitn(4, ['.', '/']).collect();
    match parts[..] {
        ["Kolejka", "Job", _, queue] => kolejka(queue),
        ["ActiveMQ", "Advisory", _, rest] => {
            kolejka(rest.strip_prefix("Queue.").or_else(|| rest.strip_prefix("Queue/"))?)
        }
        _ => None,
    }
}

/// The topics of the broker that a group gathers, whose wildcards are spelled in the name of its queue.
fn gathered(path: &str) -> Option<Pattern> {
    let topics = path.splitn(3, ['.', '/']).nth(2)?;
    let own = |first: &str| topics.strip_prefix(first).is_some_and(|rest| rest.starts_with(['.', '/']));
    if !own("Kolejka") && !own("ActiveMQ") {
        return None;
    }
    Pattern::parse(&format!("/topic/{}", unspelled(topics)?)).ok()
}

/// The queues of which the topics of a pattern tell; `None` if it means no such topics.
pub(super) fn queues_told_of(topics: &Pattern) -> Option<Pattern> {
    let [kind, own, rest @ ..] = topics.segments() else { return None };
    let is = |segment: &Segment, text: &str| matches!(segment, Segment::Exactly(it) if it == text);
    if !is(kind, "topic") {
        return None;
    }
    // What stands before the name of the queue, behind the broker's own part; any word where there is none.
    let between: &[&str] = match own {
        Segment::Exactly(first) if first == "Kolejka" => &["Job", ""],
        Segment::Exactly(first) if first == "ActiveMQ" => &["Advisory", "", "Queue"],
        _ => return None,
    };
    let mut rest = rest.iter();
    for word in between {
        match rest.next()? {
            Segment::Rest => return Pattern::parse("/queue/**").ok(),
            Segment::Exactly(text) if !word.is_empty() && text != word => return None,
            Segment::Exactly(_) | Segment::One => {}
        }
    }
    let mut text = String::from("/queue");
    for segment in rest {
        text.push('.');
        text.push_str(match segment {
            Segment::Exactly(part) => part,
            Segment::One => "*",
            Segment::Rest => "**",
        });
    }
    Pattern::parse(&text).ok().filter(|queues| queues.segments().len() > 1)
}

/// Whose durable subscription a queue is, and which topics feed it, from its name.
pub(super) fn subscription(name: &DestinationName) -> Option<(String, Pattern)> {
    let parts: Vec<&str> = name.path().splitn(4, '/').collect();
    let [login, _, _, topics] = parts[..] else { return None };
    let is_one = name.kind() == DestinationKind::Subscription;
    let topics = Pattern::parse(&format!("/topic/{}", unspelled(topics)?)).ok();
    Some((unspelled(login)?, topics.filter(|_| is_one)?))
}

/// Undoes the spelling of what is part of a name: `%` and two digits stand for a byte.
fn unspelled(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16).map(|digit| digit as u8);
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' { digit(rest.next())? << 4 | digit(rest.next())? } else { byte });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> String {
        match Origin::of(&DestinationName::parse(name, "o").expect("a name")) {
            Origin::Itself => "-".to_owned(),
            Origin::DeadLetters(from) => format!("dead {from}"),
            Origin::Events(of) => format!("told {of}"),
            Origin::Gathered(topics) => format!("gathered {}", topics.as_str()),
        }
    }

    #[test]
    fn a_name_says_where_what_is_there_comes_from() {
        for (name, expected) in [
            ("/queue/a", "-"),
            ("/queue/DLQ", "-"),
            ("/queue/DLQx.a", "-"),
            ("/queue/DLQ.a.b", "dead /queue/a.b"),
            ("/queue/DLQ/a/b", "dead /queue/a/b"),
            ("/queue/DLQ.DLQ.a", "dead /queue/DLQ.a"),
            ("/topic/DLQ.a", "-"),
            ("/topic/Kolejka.Job.completed.a.b", "told /queue/a.b"),
            ("/topic/Kolejka/Job/completed/a", "told /queue/a"),
            ("/topic/Kolejka.Job.completed", "-"),
            ("/topic/Kolejka.Other.x.a", "-"),
            ("/topic/ActiveMQ.Advisory.Expired.Queue.a.b", "told /queue/a.b"),
            ("/topic/ActiveMQ.Advisory.Expired.Topic.a", "-"),
            ("/queue/Consumer.g.orders", "-"),
            ("/queue/Consumer.g.Kolejkas.a", "-"),
            ("/queue/Consumer.g.Kolejka.Job.%3E", "gathered /topic/Kolejka.Job.>"),
            ("/queue/Consumer.g.ActiveMQ.Advisory.%2A.Queue.a", "gathered /topic/ActiveMQ.Advisory.*.Queue.a"),
        ] {
            assert_eq!(of(name), expected, "{name}");
        }
    }

    #[test]
    fn a_pattern_of_events_says_of_which_queues_they_tell() {
        for (topics, expected) in [
            ("/topic/Kolejka.Job.>", Some("/queue/**")),
            ("/topic/Kolejka.>", Some("/queue/**")),
            ("/topic/Kolejka.Job.*.mail.>", Some("/queue.mail.**")),
            ("/topic/Kolejka.Job.failed.a.*", Some("/queue.a.*")),
            ("/topic/Kolejka.Job.*", None),
            ("/topic/Kolejka.*.*.a", Some("/queue.a")),
            ("/topic/ActiveMQ.Advisory.*.Queue.a", Some("/queue.a")),
            ("/topic/ActiveMQ.Advisory.>", Some("/queue/**")),
            ("/topic/ActiveMQ.Advisory.*.Topic.a", None),
            ("/topic/>", None),
            ("/queue/Kolejka.Job.>", None),
        ] {
            let queues = queues_told_of(&Pattern::parse(topics).expect("a pattern"));
            assert_eq!(queues.as_ref().map(Pattern::as_str), expected, "{topics}");
        }
    }

    #[test]
    fn the_name_of_a_durable_subscription_says_whose_it_is() {
        let name = DestinationName::subscription("a%2Fb/~/news/price.%2A").expect("a name");
        let (login, topics) = subscription(&name).expect("a subscription");
        assert_eq!((login.as_str(), topics.as_str()), ("a/b", "/topic/price.*"));
        assert_eq!(subscription(&DestinationName::queue("a.b").expect("a name")), None);
    }
}
