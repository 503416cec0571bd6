//! Reads messages back by their place. Used from several threads beside the writer.
//!
//! It knows where each message begins in its segment and keeps a few files open. It must not know what is alive: callers
//! hold what they read.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;

use super::format::{Key, SegmentId, locate};
use super::fs::File;
use super::message;
use super::octets::Octets;
use super::places::Places;
use super::segment::Segment;
use super::store::Store;
use super::stored;
use super::stored::Elsewhere;
use crate::model::{Content, LogError, LogReader, Position};

/// Octets read at first: enough for most messages.
const FIRST_READ_BYTES: usize = 4096;

/// Most places of damage that are told of; beyond, they are not counted.
const DAMAGES_TOLD: usize = 10_000;

/// Where messages begin.
#[derive(Debug)]
pub(super) struct Shelf {
    store: Arc<Store>,
    table: RwLock<Table>,
    files: Mutex<VecDeque<(SegmentId, Arc<dyn File>)>>,
    /// Where something was damaged, each told once.
    damaged: Mutex<BTreeSet<(SegmentId, Option<u64>)>>,
}

#[derive(Debug, Default)]
struct Table {
    /// By segment and slot.
    offsets: BTreeMap<SegmentId, Vec<u32>>,
    /// What was copied forward.
    places: Places,
}

/// Why a message was not read, and where.
struct Unread {
    segment: SegmentId,
    offset: Option<u64>,
    /// `None` if it is damaged.
    error: Option<io::Error>,
}

impl Shelf {
    pub(super) fn new(store: Arc<Store>) -> Shelf {
        Shelf { store, table: RwLock::default(), files: Mutex::default(), damaged: Mutex::default() }
    }

    /// More messages of a segment, in the order of their slots.
    pub(super) fn extend(&self, segment: SegmentId, offsets: impl Iterator<Item = u32>) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        table.offsets.entry(segment).or_default().extend(offsets);
    }

    /// The segment will not grow any more.
    pub(super) fn seal(&self, segment: SegmentId) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(offsets) = table.offsets.get_mut(&segment) {
            offsets.shrink_to_fit();
        }
    }

    /// Keeps the file of the segment that is being written at hand.
    pub(super) fn hold(&self, segment: &Segment) {
        self.remember(segment.id, segment.file.clone());
    }

    /// Forgets segments, before their files are used for something else.
    pub(super) fn forget(&self, segments: &[SegmentId]) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        for segment in segments {
            table.offsets.remove(segment);
            table.places.forget(*segment);
        }
        drop(table);
        self.files.lock().unwrap_or_else(PoisonError::into_inner).retain(|(id, _)| !segments.contains(id));
    }

    /// Messages were copied, each from the first place to the second. Those who know them by another place find them here.
    pub(super) fn moved(&self, moves: &[(Position, Position)]) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        for (from, to) in moves {
            table.places.moved(*from, *to);
        }
    }

    /// Where the message is now that was given that place.
    pub(super) fn place(&self, given: Position) -> Position {
        self.table.read().unwrap_or_else(PoisonError::into_inner).places.of(given)
    }

    /// Where the record of a message begins, by where it is now.
    pub(super) fn offset(&self, place: Position) -> Option<u64> {
        let (segment, slot) = locate(place);
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.offsets.get(&segment)?.get(slot as usize).copied().map(u64::from)
    }

    fn file(&self, segment: SegmentId) -> io::Result<Arc<dyn File>> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = files.iter().position(|(id, _)| *id == segment)
            && let Some(found) = files.remove(at)
        {
            files.push_back(found.clone());
            return Ok(found.1);
        }
        drop(files);
        let file = self.store.fs.open(&segment.file_name())?;
        self.remember(segment, file.clone());
        Ok(file)
    }

    /// What is wrong in a file and where, which the log of the broker tells once for each place.
    pub(super) fn is_damaged(&self, segment: SegmentId, offset: Option<u64>, what: &str) -> LogError {
        let (file, mut known) = (segment.file_name(), self.damaged.lock().unwrap_or_else(PoisonError::into_inner));
        let error = match offset {
            Some(offset) => format!("{file} at byte {offset}: {what}"),
            None => format!("{file}: {what}"),
        };
        if known.len() < DAMAGES_TOLD && known.insert((segment, offset)) {
            tracing::error!(%error, "a stored message cannot be read; it is kept from everybody, others go on");
        }
        LogError::Damaged(error)
    }

    /// The segments that messages may be read from, in order.
    pub(super) fn segments(&self) -> Vec<SegmentId> {
        self.table.read().unwrap_or_else(PoisonError::into_inner).offsets.keys().copied().collect()
    }

    /// Whether messages may be read from a segment.
    pub(super) fn has(&self, segment: SegmentId) -> bool {
        self.table.read().unwrap_or_else(PoisonError::into_inner).offsets.contains_key(&segment)
    }

    /// Takes down that something is damaged there; `false` if that was known.
    pub(super) fn is_new_damage(&self, segment: SegmentId, offset: u64) -> bool {
        let mut known = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        known.len() < DAMAGES_TOLD && known.insert((segment, Some(offset)))
    }

    fn remember(&self, segment: SegmentId, file: Arc<dyn File>) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|(id, _)| *id != segment);
        while files.len() >= self.store.options.open_files {
            files.pop_front();
        }
        files.push_back((segment, file));
    }
}

impl LogReader for Shelf {
    fn read(&self, position: Position) -> Result<Content, LogError> {
        let mut place = self.place(position);
        loop {
            let unread = match self.read_at(place) {
                Ok(content) => return Ok(content),
                Err(unread) => unread,
            };
            let now = self.place(position);
            if now == place {
                return Err(self.tell(unread));
            }
            // It was copied meanwhile, and its file may be in use for something else.
            place = now;
        }
    }

    fn damaged(&self) -> usize {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Shelf {
    fn read_at(&self, place: Position) -> Result<Content, Unread> {
        let (segment, offset) = (locate(place).0, self.offset(place));
        let unread = |error| Unread { segment, offset, error };
        let offset = offset.ok_or_else(|| unread(None))?;
        let content = self.file(segment).and_then(|file| self.content((segment, file.as_ref()), offset));
        content.map_err(|error| unread(Some(error)))?.ok_or_else(|| unread(None))
    }

    fn tell(&self, Unread { segment, offset, error }: Unread) -> LogError {
        match (error, offset) {
            (Some(error), offset) => {
                let (file, offset) = (segment.file_name(), offset.unwrap_or_default());
                LogError::Unreadable(format!("{file} at {offset}: {error}"))
            }
            (None, None) => self.is_damaged(segment, None, "it holds no message of that place"),
            (None, offset) => self.is_damaged(segment, offset, "the checksum of a message does not match"),
        }
    }

    /// The content of the message whose record begins there; `None` if it is damaged.
    fn content(&self, (segment, file): (SegmentId, &dyn File), offset: u64) -> io::Result<Option<Content>> {
        let (key, most) = (self.store.meta.key, self.store.options.unit_bytes);
        let Some(record) = read_record(file, offset, most)? else { return Ok(None) };
        let Some(parts) = stored::check_message(key, segment, offset, &record) else { return Ok(None) };
        let head = parts.head.to_vec();
        let (record, bytes) = match parts.body {
            Ok(body) => {
                let bytes = body.len();
                (record, bytes)
            }
            Err(Elsewhere { holder, bytes }) => match read_holder((file, key, segment), (holder, bytes), most)? {
                Some(record) => (record, bytes as usize),
                None => return Ok(None),
            },
        };
        // The body is the end of its record.
        let start = record.len() - bytes;
        if bytes > Content::SHARED_BODY {
            return Ok(Some(Content::large(&head, Bytes::from(record).slice(start..))));
        }
        let block = [&head, record.get(start..).unwrap_or_default()].concat();
        Ok(Some(Content::small(&block, head.len())))
    }
}

/// The record that has a body of so many octets at its end, checked; `None` if it is damaged.
pub(super) fn read_holder(
    (file, key, segment): (&dyn File, Key, SegmentId),
    (holder, bytes): (u32, u32),
    most: usize,
) -> io::Result<Option<Vec<u8>>> {
    let record = read_record(file, holder.into(), most)?;
    Ok(record.filter(|record| {
        let parts = stored::check_message(key, segment, holder.into(), record);
        parts.is_some_and(|parts| parts.body.is_ok_and(|body| body.len() == bytes as usize))
    }))
}

/// The octets of the record at that place, unchecked; `None` if its length cannot be.
pub(super) fn read_record(file: &dyn File, offset: u64, most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut record = vec![0; FIRST_READ_BYTES];
    let read = file.read_at(&mut record, offset)?;
    record.truncate(read);
    let length = Octets::new(&record).u32().unwrap_or_default() as usize;
    if length < message::ACCEPTED_HEAD_BYTES || length > most.saturating_add(message::ACCEPTED_HEAD_BYTES) {
        return Ok(None);
    }
    if length > read {
        if offset.saturating_add(length as u64) > file.size()? {
            return Ok(None);
        }
        record.resize(length, 0);
        let rest = record.get_mut(read..).unwrap_or_default();
        if file.read_at(rest, offset + read as u64)? < rest.len() {
            return Ok(None);
        }
    }
    record.truncate(length);
    Ok(Some(record))
}
