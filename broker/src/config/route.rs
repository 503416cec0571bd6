//! Routes: copies of what is sent to one destination go to others.

use std::sync::Arc;

use crate::model::{DestinationKind, DestinationName, Filter, Pattern};
use crate::selector::Selector;

use super::keys::{Fallback, Key};
use super::problem::Problem;
use super::settings::{Section, Settings};
use super::value::Kind;

/// Most routes.
const ROUTES: usize = 1000;

/// Most destinations of one route.
const TARGETS: usize = 64;

/// The keys of a route.
pub(super) const KEYS: &[Key] = &[
    Key {
        path: "route.from",
        kind: Kind::Text,
        fallback: Fallback::Absent("required"),
        doc: " Pattern of the destinations whose messages it is about.",
    },
    Key {
        path: "route.to",
        kind: Kind::List,
        fallback: Fallback::Absent("required"),
        doc: " Queues and topics, at most 64, each of which gets a copy. A copy is not routed again.",
    },
    Key {
        path: "route.selector",
        kind: Kind::Text,
        fallback: Fallback::Absent("all messages"),
        doc: " A condition over the headers of a message, as in a SUBSCRIBE; only what fulfils it is routed.",
    },
    Key {
        path: "route.exclusive",
        kind: Kind::Switch,
        fallback: Fallback::Switch(false),
        doc: " Whether what is routed goes only there, and not where it was sent.",
    },
];

/// One route.
#[derive(Clone, Debug)]
pub struct RouteConfig {
    /// Which destinations.
    pub from: Pattern,
    /// Where copies go, at least one.
    pub to: Vec<DestinationName>,
    /// Which messages, if not all.
    pub selector: Option<Arc<dyn Filter>>,
    /// Whether they go nowhere else.
    pub exclusive: bool,
}

/// All routes, in the order of the file.
pub(super) fn read_all(settings: &Settings, problems: &mut Vec<Problem>) -> Vec<RouteConfig> {
    if let Some(beyond) = settings.routes.get(ROUTES) {
        problems.push(Problem::new(beyond.at.clone(), format!("there are more than {ROUTES} routes")));
    }
    settings.routes.iter().filter_map(|section| read(section, problems)).collect()
}

fn read(section: &Section, problems: &mut Vec<Problem>) -> Option<RouteConfig> {
    let from = from(section, problems);
    let to = to(section, problems);
    let selector = selector(section, problems);
    let (from, to) = from.zip(to)?;
    if let Some(itself) = to.iter().find(|to| from.name().as_ref() == Some(to)) {
        let problem = Problem::new(section.origin("route.to"), format!("`{itself}` is where the route begins"));
        problems.push(problem.label("leave it out: without `exclusive` a message stays where it was sent"));
    }
    let exclusive = section.get("route.exclusive").unwrap_or(false);
    Some(RouteConfig { from, to, selector, exclusive })
}

fn from(section: &Section, problems: &mut Vec<Problem>) -> Option<Pattern> {
    let Some(text) = section.get::<String>("route.from") else {
        let problem = Problem::new(section.at.clone(), "a route needs a beginning");
        problems.push(problem.label("add from = \"/queue/orders.**\""));
        return None;
    };
    let read = Pattern::parse(&text);
    if let Err(error) = &read {
        let problem = Problem::new(section.origin("route.from"), format!("`{text}` is no pattern"));
        problems.push(problem.label(error.to_string()));
    }
    read.ok()
}

fn to(section: &Section, problems: &mut Vec<Problem>) -> Option<Vec<DestinationName>> {
    let texts: Vec<String> = section.get("route.to").unwrap_or_default();
    let at = || section.origin("route.to");
    if texts.is_empty() || texts.len() > TARGETS {
        let problem = Problem::new(at(), "a route needs an end");
        problems.push(problem.label(format!("add to = [\"/queue/audit\"], with at most {TARGETS} destinations")));
        return None;
    }
    let mut names = Vec::new();
    for text in texts {
        let name = DestinationName::parse(&text, "");
        let what = match &name {
            Err(error) => error.to_string(),
            Ok(name) if !matches!(name.kind(), DestinationKind::Queue | DestinationKind::Topic) => {
                "a queue or a topic is wanted here".to_owned()
            }
            Ok(name) if name.path().split(['.', '/']).next() == Some("Kolejka") => {
                "names that begin with Kolejka are the broker's own".to_owned()
            }
            Ok(name) => {
                names.push(name.clone());
                continue;
            }
        };
        problems.push(Problem::new(at(), format!("`{text}` is no destination for a route")).label(what));
    }
    Some(names)
}

fn selector(section: &Section, problems: &mut Vec<Problem>) -> Option<Arc<dyn Filter>> {
    let text = section.get::<String>("route.selector").filter(|text| !text.trim().is_empty())?;
    match Selector::parse(&text) {
        Ok(selector) => Some(Arc::new(selector)),
        Err(error) => {
            let problem = Problem::new(section.origin("route.selector"), "`selector` is no condition");
            problems.push(problem.label(error.to_string()));
            None
        }
    }
}
