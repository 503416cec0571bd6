//! What a client sees of a job: a JSON object, the same wherever it is asked for. Times are milliseconds since 1970.

use serde_json::{Map, Value, json};

use super::row::Row;
use crate::model::{JobError, JobResult, JobState, JobToken, MessageId, ResultBody, Timestamp};

/// All that is known of a job, for whoever knows its token. `is_kept` says whether a result that lies in the log is still
/// there.
pub fn document(row: &Row, is_kept: bool) -> String {
    let mut fields = facts(row);
    fields.insert("token".into(), row.status.token.to_string().into());
    if let Some(result) = &row.status.result {
        fields.insert("result".into(), outcome(result, is_kept));
    }
    Value::Object(fields).to_string()
}

/// What is said of a token of which nothing is known, or nothing may be said.
pub fn unknown(token: JobToken) -> String {
    json!({ "token": token.to_string(), "state": "unknown" }).to_string()
}

/// What everybody may see who listens to what happens to the jobs of a queue: neither token nor result.
pub fn event(
    happened: &str,
    job: (MessageId, &str, JobState, u16),
    error: Option<&JobError>,
    row: Option<&Row>,
) -> String {
    let (id, queue, state, attempt) = job;
    let mut fields = match row {
        Some(row) => facts(row),
        None => Map::new(),
    };
    fields.insert("event".into(), happened.into());
    fields.insert("id".into(), id.to_string().into());
    fields.insert("queue".into(), queue.into());
    fields.insert("state".into(), state.as_str().into());
    fields.insert("raw_state".into(), state.raw().into());
    fields.insert("attempt".into(), attempt.into());
    if let Some(error) = error {
        fields.insert("error".into(), failure(error));
    }
    Value::Object(fields).to_string()
}

fn facts(row: &Row) -> Map<String, Value> {
    let status = &row.status;
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("id", status.job.to_string().into());
    put("queue", status.queue.as_str().into());
    put("state", status.state.as_str().into());
    put("raw_state", status.state.raw().into());
    put("attempt", status.attempt.into());
    put("max_deliveries", status.max_deliveries.into());
    put("created_at", status.created.0.into());
    put("updated_at", status.updated.0.into());
    if let Some(kind) = &status.kind {
        put("type", kind.as_ref().into());
    }
    let times: [(&str, Option<Timestamp>); 4] = [
        ("due_at", status.due),
        ("expires_at", status.expires),
        ("started_at", status.started),
        ("finished_at", status.finished),
    ];
    for (name, time) in times {
        if let Some(time) = time {
            put(name, time.0.into());
        }
    }
    if let Some(progress) = &row.progress {
        put("progress", json!({ "num": progress.done, "den": progress.of, "text": progress.text }));
    }
    if let Some(last) = status.errors.last() {
        put("error", failure(last));
        put("errors", status.errors.iter().map(|error| failure(error)).collect());
    }
    if let Some(worker) = &row.worker {
        put("worker", json!({ "id": worker }));
    }
    fields
}

fn failure(error: &JobError) -> Value {
    json!({
        "attempt": error.attempt,
        "class": error.class.as_deref(),
        "message": &*error.message,
        "trace": error.trace.as_deref(),
    })
}

/// Small results that are JSON or text stand in the document.
fn outcome(result: &JobResult, is_kept: bool) -> Value {
    let kept = match &result.body {
        ResultBody::Untold => false,
        ResultBody::Small(_) => true,
        ResultBody::Stored { .. } => is_kept,
    };
    let mut value = json!({ "content_type": result.content_type.as_deref(), "size": result.size, "kept": kept });
    if let Some(text) = result.text() {
        let is_json = result.content_type.as_deref().is_some_and(|kind| kind.contains("json"));
        let parsed = if is_json { serde_json::from_str(text).ok() } else { None };
        value["inline"] = parsed.unwrap_or_else(|| text.into());
    }
    value
}
