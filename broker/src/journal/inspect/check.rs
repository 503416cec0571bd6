//! Reads everything that a directory needs, checks every checksum, and says what is damaged and which messages are lost by it.

use super::super::OpenError;
use super::super::format::SegmentId;
use super::super::live::{Extent, Live};
use super::super::reader::Shelf;
use super::super::recovery::{read_tail, replay_sealed};
use super::salvage::{Image, look};
use super::sweep::{Found, Sweep};
use super::tables::{Row, Table, is_summary, table};
use super::{Damage, Finding, Inspection, Lost, Segment};
use crate::model::{LogReader as _, Position, Record, Replay};

/// What came of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Why a start would be refused.
    pub refusal: Option<String>,
    /// Places that are damaged.
    pub damages: u64,
    /// Messages that are there.
    pub messages: u64,
    /// Those of them that cannot be read any more.
    pub lost: u64,
    /// Segments that are needed.
    pub segments: u64,
    /// Segments that a start would use again.
    pub unneeded: u64,
}

impl Checked {
    /// Whether everything is as it was written.
    pub fn is_sound(&self) -> bool {
        self.refusal.is_none() && self.damages == 0 && self.lost == 0
    }
}

/// For whom only the outcome matters.
pub(super) struct Nobody;

impl Replay for Nobody {
    fn record(&mut self, _: Record, _: Option<Position>) {}
}

/// A segment that is read, and what was found in it.
struct Reading<'a> {
    tell: &'a mut dyn FnMut(Finding),
    checked: &'a mut Checked,
    done: &'a mut u64,
    total: u64,
}

impl Inspection {
    /// Checks all of it.
    pub fn check(&self, tell: &mut dyn FnMut(Finding)) -> Result<Checked, OpenError> {
        let image = look(&self.store, &self.ids)?;
        let refusal = match &image.refusal {
            Some(refusal) => Some(refusal.to_string()),
            None => self.start_refusal()?,
        };
        let mut checked = Checked { refusal, messages: image.live.messages(), ..Checked::default() };
        if !self.is_identity_whole {
            tell(Finding::Note(
                "one copy of store.meta is damaged or missing; a start replaces it by the other".into(),
            ));
        }
        let needed: Vec<SegmentId> = self.ids.iter().copied().filter(|id| image.needs(*id)).collect();
        checked.unneeded = (self.ids.len() - needed.len()) as u64;
        for (id, extent) in image.live.extents().filter(|(id, extent)| extent.living > 0 && !self.ids.contains(id)) {
            let (file, what) = (id.file_name(), "the segment is missing".to_owned());
            checked.damages += 1;
            checked.lost += u64::from(extent.living);
            tell(Finding::Damage(Damage { file: file.clone(), offset: 0, until: extent.length, what }));
            let count = u64::from(extent.living);
            tell(Finding::Lost(Lost { message: None, queue: None, file, offset: None, is_certain: true, count }));
        }
        let size =
            |id: &SegmentId| self.store.fs.open(&id.file_name()).and_then(|file| file.size()).unwrap_or_default();
        let total = needed.iter().map(size).sum();
        let mut done = 0;
        let nothing = Extent::default();
        for id in needed {
            let extent = image.live.extents().find(|(live, _)| *live == id).map_or(&nothing, |(_, extent)| extent);
            let mut reading = Reading { tell: &mut *tell, checked: &mut checked, done: &mut done, total };
            self.check_segment(id, extent, &image.live, &mut reading)?;
        }
        Ok(checked)
    }

    /// What a start would say that finds the end of the log in order.
    fn start_refusal(&self) -> Result<Option<String>, OpenError> {
        let tail = read_tail(&self.store, &self.ids)?;
        match replay_sealed(&self.store, &tail, &Shelf::new(self.store.clone()), &mut Nobody) {
            Ok(_) => Ok(None),
            Err(error @ OpenError::Newer { .. }) => Err(error),
            Err(refusal) => Ok(Some(refusal.to_string())),
        }
    }

    fn check_segment(
        &self,
        id: SegmentId,
        extent: &Extent,
        live: &Live,
        reading: &mut Reading<'_>,
    ) -> Result<(), OpenError> {
        let file = id.file_name();
        let mut sweep = match Sweep::of(&self.store, id) {
            Ok(sweep) => sweep,
            Err(error @ OpenError::Newer { .. }) => return Err(error),
            Err(error) => {
                reading.damage(Damage { file, offset: 0, until: extent.length, what: error.to_string() });
                self.lost(id, (&Vec::new(), extent), live, reading);
                return Ok(());
            }
        };
        let bytes = sweep.length();
        let mut segment = Segment { file, bytes, batches: 0, messages: 0, living: 0, is_sealed: false, torn_at: None };
        let (begun, mut is_damaged) = (*reading.done, false);
        while let Some(found) = sweep.next()? {
            match found {
                Found::Batch { at, body, .. } => {
                    segment.batches += 1;
                    segment.is_sealed |= is_summary(&body);
                    *reading.done = begun + at;
                    (reading.tell)(Finding::Progress { done: *reading.done, total: reading.total });
                }
                Found::Damaged { at, until, what, .. } => {
                    is_damaged = true;
                    reading.damage(Damage { file: segment.file.clone(), offset: at, until, what });
                }
                Found::Torn { at } => segment.torn_at = Some(at),
            }
        }
        *reading.done = begun + bytes;
        (segment.messages, segment.living) = (extent.slots.into(), extent.living.into());
        reading.checked.segments += 1;
        (reading.tell)(Finding::Segment(segment));
        if is_damaged && extent.living > 0 {
            let table = table(&self.store, (id, extent))?;
            self.lost(id, (&table, extent), live, reading);
        }
        Ok(())
    }

    /// Tells which live messages of a segment cannot be read.
    fn lost(&self, id: SegmentId, (table, extent): (&Table, &Extent), live: &Live, reading: &mut Reading<'_>) {
        // Messages are checked one by one: a damaged batch may hold whole ones, and a body may lie in another's record.
        let shelf = Shelf::new(self.store.clone());
        let nowhere = 0;
        shelf.extend(id, table.iter().map(|row| row.map_or(nowhere, |row| row.entry.offset)));
        let (file, mut unknown) = (id.file_name(), 0);
        for slot in (0..extent.slots).filter(|slot| extent.is_live(*slot)) {
            let Some(Row { entry, is_certain }) = table.get(slot as usize).copied().flatten() else {
                unknown += 1;
                continue;
            };
            let position = id.position(self.store.meta.shard, slot);
            if is_certain && shelf.read(position).is_ok() {
                continue;
            }
            let destination = live.override_of(position).map_or(entry.destination, |change| change.destination);
            let queue = live.name_of(destination).cloned();
            if !is_certain && queue.is_none() {
                unknown += 1;
                continue;
            }
            let (message, offset) = (Some(entry.message), Some(entry.offset.into()));
            reading.lost(Lost { message, queue, file: file.clone(), offset, is_certain, count: 1 });
        }
        if unknown > 0 {
            reading.lost(Lost { message: None, queue: None, file, offset: None, is_certain: true, count: unknown });
        }
    }
}

impl Image {
    /// Whether a segment holds something, or is being written. Where the log is not whole that is not known.
    fn needs(&self, id: SegmentId) -> bool {
        self.refusal.is_some() || Some(id) == self.newest || self.live.living(id) > 0
    }
}

impl Reading<'_> {
    fn damage(&mut self, damage: Damage) {
        self.checked.damages += 1;
        (self.tell)(Finding::Damage(damage));
    }

    fn lost(&mut self, lost: Lost) {
        self.checked.lost += lost.count;
        (self.tell)(Finding::Lost(lost));
    }
}
