//! How an export is spelled: one JSON object a line, which `import` reads back.
//!
//! What people may want to read stands there in words; what the log knows beyond that stands beside it as the log spells it,
//! in Base64, and is what counts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kolejka::journal::inspect;
use kolejka::journal::inspect::{decode, decode_terms, encode, encode_terms, of_terms};
use kolejka::model::{Accepted, Content, DestinationId, MessageId, Place, Position, Record, ShardId, Terms, Urgency};
use serde_json::{Map, Value, json};

/// The format of the lines.
pub(super) const VERSION: u64 = 1;

/// A field as JSON.
pub(super) fn value(field: &inspect::Value) -> Value {
    match field {
        inspect::Value::Number(number) => (*number).into(),
        inspect::Value::Signed(number) => (*number).into(),
        inspect::Value::Flag(flag) => (*flag).into(),
        inspect::Value::Text(text) => text.as_str().into(),
        inspect::Value::Bytes(bytes) => STANDARD.encode(bytes).into(),
    }
}

/// A record that is no message, without what belongs to one directory only: numbers of queues and places in the log.
pub(super) fn of_record(record: &Record) -> Value {
    STANDARD.encode(encode(&addressed(record.clone(), DestinationId(0), nowhere()))).into()
}

/// Back from [`of_record`], for a queue of this directory.
pub(super) fn to_record(value: &Value, queue: DestinationId) -> Option<Record> {
    let record = decode(&STANDARD.decode(value.as_str()?).ok()?)?;
    Some(addressed(record, queue, nowhere()))
}

fn nowhere() -> Position {
    Position::new(ShardId::default(), 0)
}

fn addressed(mut record: Record, queue: DestinationId, at: Position) -> Record {
    match &mut record {
        Record::Moved(moved) => (moved.from, moved.to, moved.position) = (queue, queue, at),
        Record::Returned(returned) => (returned.destination, returned.position) = (queue, at),
        Record::Paused(paused) => paused.queue = queue,
        Record::Limited(limited) => limited.queue = queue,
        _ => {}
    }
    record
}

/// A message as it is exported.
#[derive(Debug)]
pub(super) struct Exported<'a> {
    pub(super) accepted: &'a Accepted,
    pub(super) content: &'a Content,
    pub(super) changes: &'a [Record],
    pub(super) queue: (u64, &'a str),
}

/// A message's line.
pub(super) fn of_message(exported: &Exported<'_>) -> Value {
    let Exported { accepted, content, changes, queue: (number, name) } = exported;
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| drop(object.insert(name.to_owned(), value));
    put("message", accepted.message.to_string().into());
    put("queue", (*name).into());
    put("number", (*number).into());
    put("priority", accepted.place.urgency.to_priority().into());
    put("urgency", accepted.place.urgency.0.into());
    put("place", accepted.place.sequence.into());
    let (head, body) = (content.head(), content.body());
    match std::str::from_utf8(head) {
        Ok(head) => put("head", head.into()),
        Err(_) => put("head_base64", STANDARD.encode(head).into()),
    }
    match std::str::from_utf8(body) {
        Ok(text) => put("text", text.into()),
        Err(_) => put("base64", STANDARD.encode(body).into()),
    }
    if let Some(terms) = &accepted.terms {
        let said: Map<String, Value> =
            of_terms(terms).iter().map(|(name, field)| ((*name).to_owned(), value(field))).collect();
        put("said", said.into());
        put("terms", STANDARD.encode(encode_terms(terms)).into());
    }
    for change in *changes {
        match change {
            Record::Moved(moved) => {
                if let Some(note) = &moved.note {
                    let error = note.error.as_deref();
                    put(
                        "dead_letter",
                        json!({"from": note.origin.as_str(), "reason": note.reason.as_str(),
                        "deliveries": note.attempts, "error": error}),
                    );
                }
            }
            Record::Returned(returned) => put("attempts", returned.attempts.into()),
            _ => {}
        }
    }
    if !changes.is_empty() {
        put("changes", changes.iter().map(of_record).collect());
    }
    object.into()
}

/// A message that was read from a line.
#[derive(Debug)]
pub(super) struct Imported {
    pub(super) accepted: Accepted,
    pub(super) changes: Vec<Record>,
}

/// Back from [`of_message`], for a queue of this directory; or which field makes no sense.
pub(super) fn to_message(line: &Value, queue: DestinationId) -> Result<Imported, &'static str> {
    let number = |name: &'static str| line.get(name).and_then(Value::as_u64).ok_or(name);
    let octets = |text: &'static str, encoded: &'static str| match (line.get(text), line.get(encoded)) {
        (Some(Value::String(text)), _) => Ok(text.clone().into_bytes()),
        (_, Some(Value::String(encoded))) => STANDARD.decode(encoded).map_err(|_| encoded.len()).map_err(|_| text),
        _ => Err(text),
    };
    let message = line.get("message").and_then(Value::as_str).and_then(|id| id.parse::<MessageId>().ok());
    let place = Place {
        urgency: Urgency(u32::try_from(number("urgency")?).map_err(|_| "urgency")?),
        sequence: line.get("place").and_then(Value::as_i64).ok_or("place")?,
    };
    let content = Content::new(&octets("head", "head_base64")?, octets("text", "base64")?.into());
    let terms = match line.get("terms") {
        Some(terms) => Some(Box::new(to_terms(terms).ok_or("terms")?)),
        None => None,
    };
    let changes = match line.get("changes") {
        Some(Value::Array(changes)) => {
            changes.iter().map(|change| to_record(change, queue)).collect::<Option<Vec<_>>>().ok_or("changes")?
        }
        Some(_) => return Err("changes"),
        None => Vec::new(),
    };
    let (message, size) = (message.ok_or("message")?, u32::try_from(content.len()).map_err(|_| "text")?);
    let content = Some(content);
    Ok(Imported { accepted: Accepted { destination: queue, message, place, size, content, terms }, changes })
}

fn to_terms(value: &Value) -> Option<Terms> {
    decode_terms(&STANDARD.decode(value.as_str()?).ok()?)
}
