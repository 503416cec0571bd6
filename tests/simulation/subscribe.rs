//! What clients subscribe to: queues in all modes, browsers, topics, durable subscriptions, the broker's own topics.

use kolejka::journal::fault::Dice;
use kolejka::selector::Selector;
use kolejka_codec::Command;

use super::act::DURABLE_TOPIC;
use super::alone::{LAST, UNIQUE};
use super::client::{Asked, Mode, Source, Subscription};
use super::hear::ORDERED;
use super::run::Run;

/// Conditions, some of which are meant to hurt.
const SELECTORS: [&str; 5] = [
    "u = 1",
    "u IN (0, 2, 4) AND x-n > 3",
    "u LIKE '%_%_%_%_%_%_%_%_%_%_%_%'",
    "NOT (u = 1 OR (u = 2 AND (u = 3 OR u BETWEEN 0 AND 4)))",
    "missing IS NULL",
];

impl Run {
    /// A client subscribes to something.
    pub(crate) fn subscribe(&mut self, client: usize, dice: &mut Dice) {
        let Some(session) = &mut self.clients[client].session else { return };
        if session.subscriptions.iter().filter(|sub| !sub.is_gone).count() >= 6 {
            return;
        }
        if self.last > 0 && dice.below(12) == 0 {
            let number = 1 + self.last.saturating_sub(1 + dice.below(40));
            return self.watch(client, number.min(self.last));
        }
        session.last_subscription += 1;
        let id = format!("s{}", session.last_subscription);
        let is_plain = self.is_busy && dice.below(2) == 0;
        let mode = [Mode::Auto, Mode::Client, Mode::Individual, Mode::Individual][dice.below(4) as usize];
        let (destination, source) = choose(client, dice);
        let (mode, destination, source) = if is_plain {
            let name = ["a", "b", "ordered", "grouped", "purged", "leased", "small"][dice.below(7) as usize];
            let name = if name == "ordered" && client != 0 { "a" } else { name };
            (Mode::Auto, format!("/queue/{name}"), Source::Queues)
        } else {
            (mode, destination, source)
        };
        let word = ["auto", "client", "client-individual"][mode as usize];
        let is_ordered = destination == ORDERED;
        if is_ordered && session.subscriptions.iter().any(|sub| sub.destination == ORDERED) {
            return;
        }
        let mut headers = vec![("id", id.clone()), ("destination", destination.clone()), ("ack", word.to_owned())];
        let mut asked = Asked::Other;
        match &source {
            Source::Durable(name) if name.starts_with("group-") => headers.push(("group", name[6..].to_owned())),
            Source::Durable(name) => {
                headers.push(("durable-subscription-name", name.clone()));
                if destination == DURABLE_TOPIC {
                    asked = Asked::Durable(name.clone());
                }
            }
            Source::Copies if destination.starts_with("/queue/") => {
                headers.push(("browser", "true".to_owned()));
                if dice.below(3) == 0 {
                    headers.push(("browser-end", "false".to_owned()));
                }
            }
            _ => {}
        }
        if !is_ordered && !is_plain && !matches!(source, Source::Durable(_)) {
            options(&mut headers, dice);
        }
        session.subscriptions.push(Subscription { id, destination, mode, source, is_gone: false });
        self.say(client, Command::Subscribe, headers, Some(asked));
    }

    /// A client ends a subscription, or its durable one for good.
    pub(crate) fn unsubscribe(&mut self, client: usize, dice: &mut Dice) {
        let Some(session) = &mut self.clients[client].session else { return };
        let open: Vec<usize> =
            (0..session.subscriptions.len()).filter(|at| !session.subscriptions[*at].is_gone).collect();
        let Some(at) = open.get(dice.below(open.len().max(1) as u64) as usize) else { return };
        let subscription = &mut session.subscriptions[*at];
        subscription.is_gone = true;
        let id = subscription.id.clone();
        let mut headers = vec![("id", id.clone())];
        if let Source::Durable(name) = &subscription.source
            && !name.starts_with("group-")
            && dice.below(2) == 0
        {
            headers.push(("durable-subscription-name", name.clone()));
            let name = name.clone();
            self.durable.remove(&name);
            // A receipt that is under way says nothing any more.
            for (_, asked) in &mut session.asked {
                if matches!(asked, Asked::Durable(other) if *other == name) {
                    *asked = Asked::Other;
                }
            }
            for message in self.history.messages.values_mut() {
                message.owed.retain(|owed| *owed != name);
            }
        }
        session.held.retain(|held| held.subscription != id);
        self.history.released(session.number, Some(&id));
        self.say(client, Command::Unsubscribe, headers, Some(Asked::Other));
    }
}

/// Chooses what is read.
fn choose(client: usize, dice: &mut Dice) -> (String, Source) {
    let queue = |name: &str| (format!("/queue/{name}"), Source::Queues);
    match dice.below(30) {
        0..4 => queue("a"),
        4 | 5 => queue("b"),
        6..9 if client == 0 => (ORDERED.to_owned(), Source::Queues),
        6 | 7 => queue("leased"),
        8 => queue("small"),
        9 => queue("newest"),
        10 => queue("purged"),
        11 | 12 => queue("grouped"),
        13 => ("/queue/a,/queue/b".to_owned(), Source::Queues),
        14 => queue("DLQ.a"),
        15 => queue("DLQ.leased"),
        16 => ("/queue/a".to_owned(), Source::Copies),
        17 => ("/topic/t.*".to_owned(), Source::Copies),
        18 => ("/topic/t.>".to_owned(), Source::Copies),
        19 => ("/topic/t.b".to_owned(), Source::Durable("group-g".to_owned())),
        20 => ("/topic/Kolejka.Job.>".to_owned(), Source::Copies),
        21 => ("/topic/Kolejka.Job.>".to_owned(), Source::Durable("group-jobs".to_owned())),
        22 => queue("moved"),
        // They gather what is told of themselves as well.
        26 => ("/topic/Kolejka.>".to_owned(), Source::Durable("group-all".to_owned())),
        27 => ("/topic/Kolejka.Job.*.>".to_owned(), Source::Durable("dk".to_owned())),
        23 | 24 => (UNIQUE.to_owned(), Source::Queues),
        25 => (LAST.to_owned(), Source::Queues),
        _ => (DURABLE_TOPIC.to_owned(), Source::Durable(format!("d{client}"))),
    }
}

/// Conditions of which some are as large as they may be, or larger.
fn selector(dice: &mut Dice) -> String {
    let near = |limit: usize, dice: &mut Dice| limit - 1 + dice.below(3) as usize;
    match dice.below(8) {
        5 => vec!["u = 1"; near(Selector::MAX_NODES / 2, dice)].join(" OR "),
        6 => format!("{}u = 1{}", "(".repeat(near(Selector::MAX_DEPTH, dice)), ")".repeat(Selector::MAX_DEPTH)),
        7 => format!("u = '{}'", "q".repeat(near(Selector::MAX_BYTES, dice) - 6)),
        which => SELECTORS[which as usize].to_owned(),
    }
}

/// Asks for something special.
fn options(headers: &mut Vec<(&'static str, String)>, dice: &mut Dice) {
    match dice.below(16) {
        0 | 1 => headers.push(("selector", selector(dice))),
        2 => headers.push(("prefetch-count", (1 + dice.below(4)).to_string())),
        3 => headers.push(("activemq.prefetchSize", "0".to_owned())),
        4 => headers.push(("x-limit", (1 + dice.below(4)).to_string())),
        5 => headers.push(("x-until-empty", "true".to_owned())),
        6 => headers.push(("x-wait", (1 + dice.below(200)).to_string())),
        7 => headers.push(("activemq.priority", dice.below(10).to_string())),
        8 if dice.below(4) == 0 => headers.push(("activemq.exclusive", "true".to_owned())),
        _ => {}
    }
}
