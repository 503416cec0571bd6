//! What can be seen of a job by its name. A copy: whoever looks at it holds nothing up.

use super::handle::Handle;
use super::machine::Engine;
use crate::jobs::{Row, document};
use crate::model::{Content, DestinationName, JobToken, Payload, Place, ResultBody, Status, Urgency};

/// What can be seen of a job.
#[derive(Clone, Debug)]
pub struct JobView {
    /// Its status.
    pub status: Status,
    /// The same as JSON, with what is known beyond the status.
    pub document: String,
    /// What came of it, if that is kept: the body is the result.
    pub result: Option<Payload>,
}

impl Engine {
    /// The job of that name, if it is known.
    pub fn job(&self, token: JobToken) -> Option<JobView> {
        let row = self.jobs.find(token)?;
        let body = row.status.result.as_ref().map(|result| &result.body);
        let is_kept = body.is_none_or(|body| self.has_result(body));
        Some(JobView {
            status: row.status.clone(),
            document: document(row, is_kept),
            result: body.and_then(|body| self.read_result(body)),
        })
    }

    /// All jobs that are followed, by message. For comparison and inspection.
    pub fn jobs(&self) -> Vec<&Row> {
        self.jobs.rows()
    }

    /// Whether a result that lies in the log is still there.
    pub(super) fn has_result(&self, body: &ResultBody) -> bool {
        !matches!(body, ResultBody::Stored { .. }) || self.read_result(body).is_some()
    }

    pub(super) fn read_result(&self, body: &ResultBody) -> Option<Payload> {
        match body {
            ResultBody::Untold => None,
            ResultBody::Small(body) => Some(Payload::Memory(Content::new(&[], body.clone()))),
            ResultBody::Stored { message, sequence } => {
                let place = Place { urgency: Urgency::NORMAL, sequence: *sequence };
                let results = self.router.resolve(&DestinationName::results())?;
                let entry = self.destinations.get(&results)?.kind.queue()?.locate(*message, place)?;
                let cached = entry.content.and_then(|key| self.contents.get(key).cloned()).map(Payload::Memory);
                let size = entry.size;
                cached.or_else(|| entry.position().map(|position| Payload::Stored { position, size }))
            }
        }
    }
}

impl Handle {
    /// The job of that name, if it is known.
    pub fn job(&self, token: JobToken) -> Option<JobView> {
        self.lock().engine.job(token)
    }
}
