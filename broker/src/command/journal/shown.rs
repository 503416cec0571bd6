//! What is found in a directory, as lines for people and as lines of JSON.

use kolejka::journal::inspect::{Checked, Damage, Finding, Lost, Segment};
use kolejka::model::DestinationName;
use serde_json::json;

use super::count;
use crate::command::output::printable;

/// A line of JSON; progress has none.
pub(super) fn json(finding: &Finding) -> Option<String> {
    let value = match finding {
        Finding::Segment(segment) => {
            let Segment { file, bytes, batches, messages, living, is_sealed, torn_at } = segment;
            json!({"segment": file, "bytes": bytes, "batches": batches, "messages": messages, "living": living,
                "sealed": is_sealed, "torn_at": torn_at})
        }
        Finding::Damage(Damage { file, offset, until, what }) => {
            json!({"damage": file, "offset": offset, "until": until, "what": what})
        }
        Finding::Lost(Lost { message, queue, file, offset, is_certain, count }) => json!({
            "lost": message.map(|id| id.to_string()), "queue": queue.as_ref().map(DestinationName::as_str), "file": file,
            "offset": offset, "certain": is_certain, "count": count}),
        Finding::Note(note) => json!({"note": note}),
        Finding::Progress { .. } => return None,
    };
    Some(value.to_string())
}

/// A line for people.
pub(super) fn text(finding: &Finding) -> Option<String> {
    Some(match finding {
        Finding::Segment(segment) => {
            let Segment { file, bytes, batches, messages, living, is_sealed, torn_at } = segment;
            let torn = torn_at.map_or(String::new(), |at| format!(", a write at {at} was never finished"));
            let kind = if *is_sealed { "" } else { ", not full yet" };
            let batches = count(*batches, "batch", "batches");
            let messages = count(*messages, "message", "messages");
            format!("{file}  {bytes} bytes, {batches}, {messages}, {living} of them there{kind}{torn}")
        }
        Finding::Damage(Damage { file, offset, until, what }) => {
            format!("damaged  {file} from byte {offset} to {until}: {what}")
        }
        Finding::Lost(Lost { message: Some(message), queue, file, offset, is_certain, .. }) => {
            let queue = queue.as_ref().map_or("an unknown queue".into(), |name| printable(name.as_str(), false));
            let at = offset.map_or(String::new(), |at| format!(" at byte {at}"));
            let by = if *is_certain { "" } else { ", by what its damaged record says" };
            format!("lost  message {message} of {queue} ({file}{at}{by})")
        }
        Finding::Lost(Lost { file, count: number, .. }) => {
            format!("lost  {} of {file}, which cannot be named", count(*number, "message", "messages"))
        }
        Finding::Note(note) => format!("note  {note}"),
        Finding::Progress { .. } => return None,
    })
}

/// The outcome as JSON.
pub(super) fn outcome_json(checked: &Checked) -> String {
    let Checked { refusal, damages, messages, lost, segments, unneeded } = checked;
    json!({"sound": checked.is_sound(), "refusal": refusal, "damages": damages, "messages": messages, "lost": lost,
        "segments": segments, "unneeded": unneeded})
    .to_string()
}

/// The outcome in a sentence or two.
pub(super) fn outcome(checked: &Checked) -> String {
    let Checked { refusal, damages, messages, lost, segments, unneeded } = checked;
    let messages = count(*messages, "message", "messages");
    let segments = count(*segments, "segment", "segments");
    if checked.is_sound() {
        return format!("ok  {messages} in {segments}, {unneeded} more to be used again");
    }
    let places = count(*damages, "place is", "places are");
    let mut text = format!("{places} damaged; of {messages}, {lost} cannot be read any more");
    if let Some(refusal) = refusal {
        text.push_str("\na broker does not start here: ");
        text.push_str(refusal);
    }
    text
}
