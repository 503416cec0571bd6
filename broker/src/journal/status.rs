//! How the records about jobs are spelled, both ways, and what of them still matters.
//!
//! The document of this file is docs/journal-format.md. It must not know where batches lie.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::octets::{Octets, put_text};
use super::record::RECORD_HEAD_BYTES;
use crate::model::{
    DestinationName, JobError, JobResult, JobState, JobToken, MessageId, Record, Report, ResultBody, Status, Timestamp,
    Waiter,
};

/// Kinds of records.
pub(super) const TRACKED: u8 = 60;
pub(super) const REPORTED: u8 = 61;
pub(super) const ATTACHED: u8 = 62;
pub(super) const FORGOTTEN: u8 = 63;

/// Octets of a status or a report beside its texts, generously.
const FIXED_BYTES: usize = 128;

const KEEPS_RESULT: u8 = 1;
const IS_OPEN: u8 = 1 << 1;
/// The name of a user follows behind everything else.
const HAS_OWNER: u8 = 1 << 2;

/// What may be there or not, once it has been read.
struct Maybe<T>(Option<T>);

/// The statuses that a log keeps.
#[derive(Debug, Default)]
pub(super) struct Statuses {
    known: BTreeMap<MessageId, Status>,
    /// Bytes of the records that say them.
    bytes: usize,
}

impl Statuses {
    /// A record about a job; others change nothing here.
    pub(super) fn apply(&mut self, record: &Record) {
        match record {
            Record::Tracked(status) => {
                self.bytes += status_bytes(status);
                self.bytes -= self.known.insert(status.job, (**status).clone()).map_or(0, |old| status_bytes(&old));
            }
            Record::Reported(report) => self.change(report.job, |status| status.apply(report)),
            Record::Attached { job, waiter } => self.change(*job, |status| status.attach((**waiter).clone())),
            Record::Forgotten { job } => {
                self.bytes -= self.known.remove(job).map_or(0, |old| status_bytes(&old));
            }
            _ => {}
        }
    }

    fn change(&mut self, job: MessageId, change: impl FnOnce(&mut Status)) {
        if let Some(status) = self.known.get_mut(&job) {
            self.bytes -= status_bytes(status);
            change(status);
            self.bytes += status_bytes(status);
        }
    }

    /// Bytes of the records that say all of them. Rather more than less.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What brings all of them back.
    pub(super) fn heads(&self) -> impl Iterator<Item = Record> {
        self.known.values().map(|status| Record::Tracked(Box::new(status.clone())))
    }
}

fn status_bytes(status: &Status) -> usize {
    const FIXED: usize = RECORD_HEAD_BYTES + 8 + 16 + 2 + 4 + 7 * 8 + 2 + 1 + 2;
    let text = |text: &Option<Arc<str>>| text.as_ref().map_or(1, |text| 3 + text.len());
    let error = |e: &Arc<JobError>| 4 + e.message.len() + text(&e.class) + text(&e.trace);
    let waiter = |w: &Waiter| 2 + w.to.as_str().len() + text(&w.correlation);
    let result = status.result.as_ref().map_or(0, |result| {
        let body = if let ResultBody::Small(body) = &result.body { body.len() } else { 16 };
        5 + text(&result.content_type) + body
    });
    let errors: usize = status.errors.iter().map(error).sum();
    let waiters: usize = status.waiters.iter().map(waiter).sum();
    let owner = status.owner.as_ref().map_or(0, |owner| 2 + owner.len());
    FIXED + status.queue.as_str().len() + text(&status.kind) + errors + waiters + result + owner
}

/// Most octets of such a record behind its head.
pub(super) fn job_bytes(record: &Record) -> usize {
    match record {
        Record::Tracked(status) => FIXED_BYTES + status.bytes() + status.queue.as_str().len(),
        Record::Reported(report) => report.bytes(),
        Record::Attached { waiter, .. } => {
            FIXED_BYTES + waiter.to.as_str().len() + waiter.correlation.as_ref().map_or(0, |text| text.len())
        }
        _ => FIXED_BYTES,
    }
}

/// Writes what stands behind the head, and says which kind it is.
pub(super) fn put_job(into: &mut Vec<u8>, record: &Record) -> Option<u8> {
    match record {
        Record::Tracked(status) => {
            put_status(into, status);
            Some(TRACKED)
        }
        Record::Reported(report) => {
            put_report(into, report);
            Some(REPORTED)
        }
        Record::Attached { job, waiter } => {
            into.extend_from_slice(&job.to_bits().to_le_bytes());
            put_waiter(into, waiter);
            Some(ATTACHED)
        }
        Record::Forgotten { job } => {
            into.extend_from_slice(&job.to_bits().to_le_bytes());
            Some(FORGOTTEN)
        }
        _ => None,
    }
}

/// Reads it back.
pub(super) fn read_job(kind: u8, fields: &mut Octets<'_>) -> Option<Record> {
    match kind {
        TRACKED => read_status(fields).map(|status| Record::Tracked(Box::new(status))),
        REPORTED => read_report(fields).map(|report| Record::Reported(Box::new(report))),
        ATTACHED => {
            let job = MessageId::from_bits(fields.u64()?);
            Some(Record::Attached { job, waiter: Box::new(read_waiter(fields)?) })
        }
        FORGOTTEN => Some(Record::Forgotten { job: MessageId::from_bits(fields.u64()?) }),
        _ => None,
    }
}

fn put_status(into: &mut Vec<u8>, status: &Status) {
    let flag = |is: bool, bit: u8| if is { bit } else { 0 };
    into.extend_from_slice(&status.job.to_bits().to_le_bytes());
    into.extend_from_slice(&status.token.to_bits().to_le_bytes());
    let owner = flag(status.owner.is_some(), HAS_OWNER);
    into.push(flag(status.keeps_result, KEEPS_RESULT) | flag(status.is_open, IS_OPEN) | owner);
    put_state(into, status.state);
    into.extend_from_slice(&status.attempt.to_le_bytes());
    into.extend_from_slice(&status.max_deliveries.to_le_bytes());
    put_time(into, Some(status.created));
    put_time(into, Some(status.updated));
    for time in [status.due, status.expires, status.started, status.finished, status.keep_ms.map(Timestamp)] {
        put_time(into, time);
    }
    put_text(into, status.queue.as_str());
    put_maybe(into, status.kind.as_ref());
    into.push(status.waiters.len() as u8);
    status.waiters.iter().for_each(|waiter| put_waiter(into, waiter));
    into.push(status.errors.len() as u8);
    status.errors.iter().for_each(|error| put_error(into, error));
    put_result(into, status.result.as_ref());
    status.owner.iter().for_each(|owner| put_text(into, owner));
}

fn read_status(fields: &mut Octets<'_>) -> Option<Status> {
    let (job, token) = (MessageId::from_bits(fields.u64()?), JobToken::from_bits(fields.u128()?));
    let flags = fields.u8().filter(|flags| flags & !(KEEPS_RESULT | IS_OPEN | HAS_OWNER) == 0)?;
    let state = read_state(fields)?;
    let (attempt, max_deliveries) = (fields.u16()?, fields.u16()?);
    let (created, updated) = (Timestamp(fields.u64()?), Timestamp(fields.u64()?));
    let (due, expires, started) = (read_time(fields)?.0, read_time(fields)?.0, read_time(fields)?.0);
    let (finished, keep) = (read_time(fields)?.0, read_time(fields)?.0);
    let queue = DestinationName::from_full(fields.text()?).ok()?;
    let kind = read_maybe(fields)?.0;
    let waiters = (0..fields.u8()?).map(|_| read_waiter(fields)).collect::<Option<_>>()?;
    let errors = (0..fields.u8()?).map(|_| read_error(fields)).collect::<Option<_>>()?;
    let result = read_result(fields)?.0;
    let owner = if flags & HAS_OWNER == 0 { None } else { Some(fields.text()?.into()) };
    Some(Status {
        job,
        token,
        owner,
        queue,
        kind,
        keeps_result: flags & KEEPS_RESULT != 0,
        is_open: flags & IS_OPEN != 0,
        keep_ms: keep.map(|keep| keep.0),
        waiters,
        state,
        attempt,
        max_deliveries,
        created,
        updated,
        due,
        expires,
        started,
        finished,
        errors,
        result,
    })
}

fn put_report(into: &mut Vec<u8>, report: &Report) {
    into.extend_from_slice(&report.job.to_bits().to_le_bytes());
    put_time(into, Some(report.at));
    put_state(into, report.state);
    into.extend_from_slice(&report.attempt.to_le_bytes());
    put_time(into, report.due);
    put_maybe(into, report.queue.as_ref().map(DestinationName::as_str));
    into.push(u8::from(report.error.is_some()));
    report.error.iter().for_each(|error| put_error(into, error));
    put_result(into, report.result.as_ref());
}

fn read_report(fields: &mut Octets<'_>) -> Option<Report> {
    let (job, at) = (MessageId::from_bits(fields.u64()?), Timestamp(fields.u64()?));
    let (state, attempt, due) = (read_state(fields)?, fields.u16()?, read_time(fields)?.0);
    let queue = match read_maybe(fields)?.0 {
        Some(name) => Some(DestinationName::from_full(&name).ok()?),
        None => None,
    };
    let error = match fields.u8()? {
        0 => None,
        1 => Some(read_error(fields)?),
        _ => return None,
    };
    Some(Report { job, at, state, attempt, due, queue, error, result: read_result(fields)?.0 })
}

fn put_error(into: &mut Vec<u8>, error: &JobError) {
    into.extend_from_slice(&error.attempt.to_le_bytes());
    put_text(into, &error.message);
    put_maybe(into, error.class.as_ref());
    put_maybe(into, error.trace.as_ref());
}

fn read_error(fields: &mut Octets<'_>) -> Option<Arc<JobError>> {
    let (attempt, message) = (fields.u16()?, fields.text()?.into());
    Some(Arc::new(JobError { attempt, message, class: read_maybe(fields)?.0, trace: read_maybe(fields)?.0 }))
}

fn put_waiter(into: &mut Vec<u8>, waiter: &Waiter) {
    put_text(into, waiter.to.as_str());
    put_maybe(into, waiter.correlation.as_ref());
}

fn read_waiter(fields: &mut Octets<'_>) -> Option<Waiter> {
    Some(Waiter { to: DestinationName::from_full(fields.text()?).ok()?, correlation: read_maybe(fields)?.0 })
}

/// 0 none, 1 not kept, 2 here, 3 in a message of its own.
fn put_result(into: &mut Vec<u8>, result: Option<&JobResult>) {
    let Some(result) = result else { return into.push(0) };
    into.push(match &result.body {
        ResultBody::Untold => 1,
        ResultBody::Small(_) => 2,
        ResultBody::Stored { .. } => 3,
    });
    into.extend_from_slice(&result.size.to_le_bytes());
    put_maybe(into, result.content_type.as_ref());
    match &result.body {
        ResultBody::Untold => {}
        ResultBody::Small(body) => into.extend_from_slice(body),
        ResultBody::Stored { message, sequence } => {
            into.extend_from_slice(&message.to_bits().to_le_bytes());
            into.extend_from_slice(&sequence.to_le_bytes());
        }
    }
}

fn read_result(fields: &mut Octets<'_>) -> Option<Maybe<JobResult>> {
    let place = fields.u8()?;
    if place == 0 {
        return Some(Maybe(None));
    }
    let (size, content_type) = (fields.u32()?, read_maybe(fields)?.0);
    let body = match place {
        1 => ResultBody::Untold,
        2 => ResultBody::Small(Bytes::copy_from_slice(fields.take(size as usize)?)),
        3 => ResultBody::Stored { message: MessageId::from_bits(fields.u64()?), sequence: fields.i64()? },
        _ => return None,
    };
    Some(Maybe(Some(JobResult { content_type, size, body })))
}

fn put_state(into: &mut Vec<u8>, state: JobState) {
    into.push(JobState::ALL.iter().position(|known| *known == state).unwrap_or_default() as u8);
}

fn read_state(fields: &mut Octets<'_>) -> Option<JobState> {
    JobState::ALL.get(usize::from(fields.u8()?)).copied()
}

/// A time that is not there is all ones, which no clock reaches.
fn put_time(into: &mut Vec<u8>, time: Option<Timestamp>) {
    into.extend_from_slice(&time.map_or(u64::MAX, |time| time.0).to_le_bytes());
}

fn read_time(fields: &mut Octets<'_>) -> Option<Maybe<Timestamp>> {
    let time = fields.u64()?;
    Some(Maybe((time != u64::MAX).then_some(Timestamp(time))))
}

fn put_maybe(into: &mut Vec<u8>, text: Option<impl AsRef<str>>) {
    into.push(u8::from(text.is_some()));
    if let Some(text) = text {
        put_text(into, text.as_ref());
    }
}

fn read_maybe(fields: &mut Octets<'_>) -> Option<Maybe<Arc<str>>> {
    match fields.u8()? {
        0 => Some(Maybe(None)),
        1 => Some(Maybe(Some(fields.text()?.into()))),
        _ => None,
    }
}
