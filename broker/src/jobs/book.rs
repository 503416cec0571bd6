//! All jobs that are followed, by message and by token, with the order in which those that have ended are forgotten.

use std::collections::BTreeSet;

use super::row::Row;
use crate::model::{
    DestinationId, DestinationName, JobState, JobToken, MessageId, Place, Progress, Report, Status, Timestamp, Waiter,
};
use crate::table::Table;

/// What may be known at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Jobs.
    pub records: usize,
    /// Octets of their statuses, roughly: small results and errors count, what workers send meanwhile does not.
    pub bytes: usize,
    /// Octets of what workers send meanwhile, of all jobs together.
    pub data_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { records: 100_000, bytes: 64 << 20, data_bytes: 16 << 20 }
    }
}

/// The rows. Costs nothing while there are none.
#[derive(Debug, Default)]
pub struct Book {
    rows: Table<MessageId, Box<Row>>,
    tokens: Table<JobToken, MessageId>,
    /// Those that have ended, by the moment of their end.
    finished: BTreeSet<(Timestamp, MessageId)>,
    /// The same by the moment when they are forgotten.
    ends: BTreeSet<(Timestamp, MessageId)>,
    /// Jobs of which somebody is to be told how far they are.
    due: BTreeSet<(Timestamp, MessageId)>,
    /// Jobs that are wanted by one destination only.
    ties: BTreeSet<(DestinationName, MessageId)>,
    /// Jobs with data.
    streams: BTreeSet<MessageId>,
    /// The job that came last, with its name.
    newest: Option<(MessageId, JobToken)>,
    bytes: usize,
    data_bytes: usize,
}

impl Book {
    /// How often somebody is told how far a job is: at most once in so many milliseconds.
    pub const PROGRESS_MS: u64 = 100;

    /// Whether nothing is followed.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes of what is known of them, and of what workers sent meanwhile.
    pub fn bytes(&self) -> usize {
        self.bytes + self.data_bytes
    }

    /// How many jobs are followed.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The job of that message.
    pub fn get(&self, job: MessageId) -> Option<&Row> {
        self.rows.get(&job).map(AsRef::as_ref)
    }

    /// The job of that name.
    pub fn find(&self, token: JobToken) -> Option<&Row> {
        self.get(*self.tokens.get(&token)?)
    }

    /// The name of a job, if it is the one that came last: to be asked where a lookup would cost too much.
    pub fn newest(&self, job: MessageId) -> Option<JobToken> {
        self.newest.filter(|(newest, _)| *newest == job).map(|(_, token)| token)
    }

    /// All rows, by message.
    pub fn rows(&self) -> Vec<&Row> {
        let mut rows: Vec<_> = self.rows.values().map(AsRef::as_ref).collect();
        rows.sort_by_key(|row| row.status.job);
        rows
    }

    /// Follows a job.
    pub fn insert(&mut self, status: Status, durable: bool) {
        let job = status.job;
        self.forget(job);
        self.bytes += status.bytes();
        self.tokens.insert(status.token, job);
        self.newest = Some((job, status.token));
        let row = Row::new(status, durable);
        self.mark(&row);
        self.rows.insert(job, Box::new(row));
    }

    /// Something happened to a job.
    pub fn report(&mut self, report: &Report) {
        self.change(report.job, |row| {
            if report.state != JobState::Running {
                row.worker = None;
            }
            row.status.apply(report);
        });
    }

    /// One more waits for the result.
    pub fn attach(&mut self, job: MessageId, waiter: Waiter) {
        self.change(job, |row| row.status.attach(waiter));
    }

    /// Changes a row, and what goes by it.
    fn change(&mut self, job: MessageId, change: impl FnOnce(&mut Row)) {
        let Some(mut row) = self.rows.remove(&job) else { return };
        self.unmark(&row);
        self.bytes -= row.status.bytes();
        change(&mut row);
        self.bytes += row.status.bytes();
        self.mark(&row);
        self.rows.insert(job, row);
    }

    /// Nothing is known of a job any more.
    pub fn forget(&mut self, job: MessageId) {
        let Some(row) = self.rows.remove(&job) else { return };
        self.unmark(&row);
        self.tokens.remove(&row.status.token);
        self.bytes -= row.status.bytes();
        self.data_bytes -= row.data.len();
        self.streams.remove(&job);
        if let Some(told) = row.told {
            self.due.remove(&(told.after(Self::PROGRESS_MS), job));
        }
        if let Some(to) = row.tie {
            self.ties.remove(&(to, job));
        }
        if self.rows.is_empty() {
            *self = Book::default();
        }
    }

    fn mark(&mut self, row: &Row) {
        let job = row.status.job;
        self.finished.extend(row.status.finished.map(|at| (at, job)));
        self.ends.extend(row.status.end().map(|at| (at, job)));
    }

    fn unmark(&mut self, row: &Row) {
        let job = row.status.job;
        if let Some((finished, end)) = row.status.finished.zip(row.status.end()) {
            self.finished.remove(&(finished, job));
            self.ends.remove(&(end, job));
        }
    }

    /// Where the message of a job is now; `None` if it is gone.
    pub fn place(&mut self, job: MessageId, at: Option<(DestinationId, Place)>) {
        if let Some(row) = self.rows.get_mut(&job) {
            row.at = at;
        }
    }

    /// A job is wanted by whoever reads there, and by nobody else.
    pub fn tie(&mut self, job: MessageId, to: DestinationName) {
        if let Some(row) = self.rows.get_mut(&job) {
            row.tie = Some(to.clone());
            self.ties.insert((to, job));
        }
    }

    /// The jobs that are wanted by whoever reads there.
    pub fn tied(&self, to: &DestinationName) -> Vec<MessageId> {
        let first = (to.clone(), MessageId::from_bits(0));
        self.ties.range(first..).take_while(|(other, _)| other == to).map(|(_, job)| *job).collect()
    }

    /// Who works at a job.
    pub fn set_worker(&mut self, job: MessageId, worker: Box<str>) {
        if let Some(row) = self.rows.get_mut(&job) {
            row.worker = Some(worker);
        }
    }

    /// How far a job is. Says whether somebody may be told now; otherwise that is due later, see [`overdue`](Self::overdue).
    pub fn set_progress(&mut self, job: MessageId, progress: Progress, now: Timestamp) -> bool {
        let Some(row) = self.rows.get_mut(&job) else { return false };
        row.progress = Some(progress);
        row.status.updated = row.status.updated.max(now);
        let next = row.told.map_or(now, |told| told.after(Self::PROGRESS_MS));
        if next <= now {
            row.told = Some(now);
            return true;
        }
        self.due.insert((next, job));
        false
    }

    /// A job of which it is time to tell how far it is.
    pub fn overdue(&mut self, now: Timestamp) -> Option<MessageId> {
        let (at, job) = *self.due.first().filter(|(at, _)| *at <= now)?;
        self.due.remove(&(at, job));
        if let Some(row) = self.rows.get_mut(&job) {
            row.told = Some(now);
        }
        Some(job)
    }

    /// A worker sends a part of what it makes. Beyond the limit of all, the oldest jobs lose what was kept of theirs.
    pub fn append(&mut self, job: MessageId, more: &[u8], limits: Limits) {
        let Some(row) = self.rows.get_mut(&job) else { return };
        self.data_bytes -= row.data.len();
        row.append(more);
        self.data_bytes += row.data.len();
        self.streams.insert(job);
        while self.data_bytes > limits.data_bytes
            && let Some(oldest) = self.streams.pop_first()
        {
            if let Some(row) = self.rows.get_mut(&oldest) {
                self.data_bytes -= std::mem::take(&mut row.data).len();
            }
        }
    }

    /// A job that is to be forgotten because its time is over.
    pub fn spent(&self, now: Timestamp) -> Option<MessageId> {
        self.ends.first().filter(|(at, _)| *at <= now).map(|(_, job)| *job)
    }

    /// When something here has to be looked at.
    pub fn deadline(&self) -> Option<Timestamp> {
        let first = |set: &BTreeSet<(Timestamp, MessageId)>| set.first().map(|(at, _)| *at);
        first(&self.ends).into_iter().chain(first(&self.due)).min()
    }

    /// Whether more is known than may be.
    pub fn is_over(&self, limits: Limits) -> bool {
        self.rows.len() > limits.records || self.bytes > limits.bytes
    }

    /// Whether one more job may be followed, once others are forgotten that have ended.
    pub fn has_room(&self, limits: Limits) -> bool {
        let fits = self.rows.len() < limits.records && self.bytes < limits.bytes;
        fits || !self.finished.is_empty()
    }

    /// The job that ended first.
    pub fn oldest(&self) -> Option<MessageId> {
        self.finished.first().map(|(_, job)| *job)
    }

    /// The process has begun: nobody works at anything.
    pub fn begin(&mut self) {
        for row in self.rows.values_mut().filter(|row| row.status.state == JobState::Running) {
            row.status.state = JobState::Ready;
        }
    }
}
