//! What a call of the engine brings about. The caller owns the lists and reuses them.
//!
//! What belongs together in the log stands between two cuts. The caller puts as much of it into one append as an append may
//! hold, and cuts nowhere else.

use super::{Accepted, Audit, Content, Event, Record, SessionId};

/// Records for the log and events for sessions, in the order in which they came about.
#[derive(Debug, Default)]
pub struct Effects {
    /// To be appended, between two cuts as one unit.
    pub records: Vec<Record>,
    /// To be handed to the sessions.
    pub events: Vec<(SessionId, Event)>,
    /// For the audit log.
    pub audits: Vec<Audit>,
    /// An answer rests on what others have asked for, and holds once the log has all that was appended before.
    pub leans: bool,
    /// Behind which records another unit may begin.
    cuts: Vec<usize>,
    /// Nothing may be cut: what comes about is a whole.
    is_whole: bool,
    /// What the present call has brought about, as far as it was looked at.
    weight: Weight,
    weighed: usize,
}

/// What one call should bring about at most, in bytes, where it can stop and go on in another.
const HEAVY_BYTES: usize = 16 << 20;

/// What records take in a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// How many they are.
    pub records: usize,
    /// Their bytes. A body that several messages in a row share counts once.
    pub bytes: usize,
    /// The body of the last message: where it lies, and its length.
    body: (usize, usize),
}

impl Weight {
    /// What these take.
    pub fn of(records: &[Record]) -> Weight {
        let mut weight = Weight::default();
        for record in records {
            weight.add(record);
        }
        weight
    }

    /// One more record.
    pub fn add(&mut self, record: &Record) {
        match record {
            Record::Accepted(accepted) => self.add_message(accepted),
            record => self.add_bytes(record.bytes()),
        }
    }

    /// One more record of so many bytes.
    pub fn add_bytes(&mut self, bytes: usize) {
        self.records += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// One more message with a content, beside which it takes so many bytes.
    pub fn add_content(&mut self, content: &Content, others: usize) {
        let body = (content.body().as_ptr().addr(), content.body().len());
        let is_shared = body == self.body && body.1 >= Content::SHARED_IN_LOG;
        self.body = body;
        self.add_bytes(others + if is_shared { content.head().len() } else { content.len() });
    }

    fn add_message(&mut self, accepted: &Accepted) {
        let others = Record::OVERHEAD_BYTES + accepted.terms.as_ref().map_or(0, |terms| terms.bytes());
        match &accepted.content {
            Some(content) => self.add_content(content, others),
            None => self.add_bytes(others),
        }
    }
}

impl Effects {
    /// Whether nothing came about.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.events.is_empty()
    }

    /// A call begins: what it brings is weighed from here on.
    pub fn begin(&mut self) {
        if self.records.is_empty() {
            self.cuts.clear();
        }
        self.is_whole = false;
        (self.weight, self.weighed) = (Weight::default(), self.records.len());
    }

    /// What came about before may be in another unit than what follows.
    pub fn cut(&mut self) {
        let end = self.records.len();
        if !self.is_whole && end > self.cuts.last().copied().unwrap_or(0) {
            self.cuts.push(end);
        }
    }

    /// From here to [`end_whole`](Self::end_whole) nothing is cut.
    pub fn begin_whole(&mut self) {
        self.cut();
        self.is_whole = true;
    }

    /// Whether nothing may be cut now.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// All of it or nothing will be in the log.
    pub fn end_whole(&mut self) {
        self.is_whole = false;
        self.cut();
    }

    /// What the present call has brought about so far.
    pub fn weight(&mut self) -> Weight {
        for record in self.records.get(self.weighed..).unwrap_or_default() {
            self.weight.add(record);
        }
        self.weighed = self.records.len();
        self.weight
    }

    /// Whether the present call has brought about as much as one should: the rest goes on in another.
    pub fn is_heavy(&mut self) -> bool {
        self.weight().bytes >= HEAVY_BYTES
    }

    /// Whether all that came about is within so many bytes, or is one part that may not be cut.
    pub fn fits(&self, most: usize) -> bool {
        let is_one = self.cuts.first().is_none_or(|cut| *cut >= self.records.len());
        is_one || Weight::of(&self.records).bytes <= most
    }

    /// All that is left is one unit, for whoever takes the records out.
    pub fn take_whole(&mut self) {
        self.cuts.clear();
    }

    /// Takes a part out, as much as stays within so many bytes, cut where that is allowed. One that may not be cut and is
    /// larger is taken whole.
    pub fn take_unit(&mut self, most: usize, unit: &mut Vec<Record>) {
        let mut weight = Weight::default();
        let (mut from, mut end) = (0, self.records.len());
        for &cut in &self.cuts {
            for record in &self.records[from..cut] {
                weight.add(record);
            }
            if weight.bytes > most && from > 0 {
                end = from;
                break;
            }
            (from, end) = (cut, cut);
            if weight.bytes > most {
                break;
            }
        }
        unit.extend(self.records.drain(..end));
        self.cuts.retain_mut(|cut| {
            *cut = cut.saturating_sub(end);
            *cut > 0
        });
    }
}
