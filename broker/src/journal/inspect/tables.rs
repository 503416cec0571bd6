//! Where the messages of a segment begin: by its summary, or by its batches where that is damaged or not there yet.

use super::super::OpenError;
use super::super::format::{BATCH_HEADER_BYTES, BatchHeader, Key, SegmentId};
use super::super::live::Extent;
use super::super::message::ACCEPTED_HEAD_BYTES;
use super::super::octets::Octets;
use super::super::record::{ACCEPTED, COPIED, Entry, RECORD_HEAD_BYTES, SUMMARY};
use super::super::store::Store;
use super::super::stored;
use super::super::stored::Stored;
use super::super::summary::read_summary;
use super::super::walk::open_segment;
use super::sweep::{Found, Sweep};

/// The messages of a segment by their slots; `None` where nothing can be said of one.
pub(super) type Table = Vec<Option<Row>>;

/// What is said of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) entry: Entry,
    /// It stands under a checksum that holds. Otherwise it can only be reported.
    pub(super) is_certain: bool,
}

impl Row {
    fn certain(entry: Entry) -> Row {
        Row { entry, is_certain: true }
    }
}

/// The table of a segment.
pub(super) fn table(store: &Store, (id, extent): (SegmentId, &Extent)) -> Result<Table, OpenError> {
    let mut table: Table = Vec::new();
    if extent.summary_at > 0 {
        let sealed = open_segment(store.fs.as_ref(), &store.meta, id);
        let read = sealed.and_then(|segment| {
            read_summary(&store.meta, segment, (extent.summary_at, extent.slots), |_, entries| {
                table.extend(entries.iter().map(|entry| Some(Row::certain(*entry))));
            })
        });
        match read {
            Ok(()) => return Ok(table),
            Err(error @ OpenError::Newer { .. }) => return Err(error),
            Err(_) => table.clear(),
        }
    }
    let mut sweep = match Sweep::of(store, id) {
        Ok(sweep) => sweep,
        Err(error @ OpenError::Newer { .. }) => return Err(error),
        Err(_) => return Ok(table),
    };
    let mut held: Option<Held> = None;
    while let Some(found) = sweep.next()? {
        match found {
            Found::Batch { at, header, body } => {
                let is_summary = is_summary(&body);
                let next = if is_summary { extent.slots } else { header.first_slot };
                put_all(&mut table, held.take().map(|held| held.up_to(next)).unwrap_or_default());
                if !is_summary {
                    put_all(&mut table, (header.first_slot..).zip(rows(&body, at, |_, _| true)).collect());
                }
            }
            Found::Damaged { at, batch, .. } => held = batch.map(|batch| Held::of((store.meta.key, id), at, &batch)),
            Found::Torn { .. } => {}
        }
    }
    Ok(table)
}

/// The messages of a damaged batch, until the next one says how many there were: only then the slot of each is certain.
#[derive(Debug)]
struct Held {
    first: u32,
    rows: Vec<Option<Row>>,
}

impl Held {
    /// What can be read of a damaged batch. Certain are messages whose own checksums hold.
    fn of((key, id): (Key, SegmentId), at: u64, (header, body): &(BatchHeader, Vec<u8>)) -> Held {
        let rows = rows(body, at, |offset, record| stored::check_message(key, id, offset, record).is_some());
        Held { first: header.first_slot, rows }
    }

    /// Its messages by their slots, if they are as many as there were; nothing otherwise.
    fn up_to(self, next: u32) -> Vec<(u32, Option<Row>)> {
        let is_right = next.checked_sub(self.first) == Some(self.rows.len() as u32);
        if is_right { (self.first..).zip(self.rows).collect() } else { Vec::new() }
    }
}

/// Whether a batch belongs to a segment's summary: its slots are not those of messages.
pub(super) fn is_summary(body: &[u8]) -> bool {
    body.get(4) == Some(&SUMMARY)
}

fn put_all(table: &mut Table, rows: Vec<(u32, Option<Row>)>) {
    for (slot, row) in rows {
        put(table, slot, row);
    }
}

fn put(table: &mut Table, slot: u32, row: Option<Row>) {
    let slot = slot as usize;
    if table.len() <= slot {
        table.resize(slot + 1, None);
    }
    if let Some(place) = table.get_mut(slot) {
        *place = row;
    }
}

/// The messages of the batch at a place, in order, as far as its records can be told apart. Those that `is_right` says no to
/// are not certain.
fn rows(body: &[u8], at: u64, is_right: impl Fn(u64, &[u8]) -> bool) -> Vec<Option<Row>> {
    let (mut rest, mut found) = (body, Vec::new());
    while !rest.is_empty() {
        let offset = at + (BATCH_HEADER_BYTES + body.len() - rest.len()) as u64;
        let before = rest;
        match stored::take(&mut rest, offset) {
            Some(Stored::Accepted { entry, .. } | Stored::Copied { entry, .. }) => {
                let record = before.get(..before.len() - rest.len()).unwrap_or_default();
                found.push(Some(Row { entry, is_certain: is_right(offset, record) }));
            }
            Some(_) => {}
            None => match skip(before) {
                Some((is_message, after)) => {
                    if is_message {
                        found.push(None);
                    }
                    rest = after;
                }
                None => break,
            },
        }
    }
    found
}

/// Passes a record that makes no sense by its length.
fn skip(body: &[u8]) -> Option<(bool, &[u8])> {
    let mut fields = Octets::new(body);
    let (length, kind) = (fields.u32()? as usize, fields.u8()?);
    let is_message = matches!(kind, ACCEPTED | COPIED);
    let least = if is_message { ACCEPTED_HEAD_BYTES } else { RECORD_HEAD_BYTES };
    (length >= least).then_some((is_message, body.get(length..)?))
}
