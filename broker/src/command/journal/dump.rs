//! `kolejka journal dump`: the records of the log, one line of JSON each.

use kolejka::journal::inspect::{Damage, Filter, Line};
use serde_json::{Map, Value, json};

use super::spelling::value;
use super::{directory, failure, inspect};
use crate::args::Dump;
use crate::command::output;
use crate::command::status::{Failure, Status};

/// Status 0 if all could be read, 65 if there is damage among it.
pub(crate) fn dump(arguments: &Dump) -> Result<Status, Failure> {
    let directory = directory(&arguments.directory)?;
    let queue = arguments.queue.as_ref().map(|name| full_name(name));
    let filter = Filter { queue, segment: arguments.segment, contents: arguments.bodies };
    let (mut printed, mut status) = (Ok(Status::Done), Status::Done);
    inspect(&directory)?
        .dump(&filter, &mut |line| {
            if line.is_err() {
                status = Status::Damaged;
            }
            printed = output::print(&format!("{}\n", line.map_or_else(|damage| of_damage(&damage), of_line)));
            printed.is_ok()
        })
        .map_err(|error| failure(&directory, &error))?;
    printed.map(|_| status)
}

/// A bare name is a queue.
pub(super) fn full_name(name: &str) -> String {
    if name.starts_with('/') { name.to_owned() } else { format!("/queue/{name}") }
}

fn of_line(line: Line) -> String {
    let mut object = Map::new();
    object.insert("file".to_owned(), line.file.into());
    object.insert("offset".to_owned(), line.offset.into());
    object.insert("sequence".to_owned(), line.sequence.into());
    object.insert("record".to_owned(), line.kind.into());
    object.extend(line.fields.iter().map(|(name, field)| ((*name).to_owned(), value(field))));
    Value::Object(object).to_string()
}

fn of_damage(damage: &Damage) -> String {
    json!({"damage": damage.file, "offset": damage.offset, "until": damage.until, "what": damage.what}).to_string()
}
