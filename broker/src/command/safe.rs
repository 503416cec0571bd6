//! `kolejka --safe`: all of a start but its end. The journal is read into a broker, what is there is told, and nothing is
//! changed: no time passes, nothing expires, no schedule sends, and nobody is let in.

use std::fmt::Write as _;

use kolejka::server::{Survey, survey};

use crate::args::Serve;

use super::config::load;
use super::journal::count;
use super::output;
use super::output::printable;
use super::serve::status;
use super::status::{Failure, Status};

/// Says what a broker finds here; status 0 if it would start.
pub(crate) fn start_safely(arguments: &Serve) -> Result<Status, Failure> {
    let config = load(arguments)?.config;
    let Survey { messages, clean, destinations } =
        survey(&config).map_err(|error| Failure::new(status(&error), error.to_string()))?;
    let mut text = format!("data  {}\n", config.data.display());
    for (name, found) in &destinations {
        let mut facts = vec![count(found.messages, "message", "messages")];
        if found.schedules > 0 {
            facts.push(count(found.schedules, "schedule", "schedules"));
        }
        facts.extend(found.topics.as_ref().map(|topics| format!("fed by {}", printable(topics, false))));
        if found.is_paused {
            facts.push("paused".to_owned());
        }
        let _ = writeln!(text, "{}  {}", printable(name, false), facts.join(", "));
    }
    let stop = if clean { "the last stop was orderly" } else { "the last stop was not orderly" };
    let _ = writeln!(text, "ok  {}; {stop}; nothing was changed", count(messages, "message", "messages"));
    output::print(&text)
}
