//! Carries what a replay tells into another journal: the state first, then every message with its content and with what
//! happened to it.
//!
//! No more than one unit is in memory. It must not know where what it copies comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::OpenError;
use super::{Lost, Scribe};
use crate::model::{Accepted, DestinationId, DestinationName, LogReader, MessageId, Position, Record, Replay};

/// Octets and messages of one unit.
const UNIT_BYTES: usize = 4 << 20;
const UNIT_RECORDS: usize = 1024;

/// A message on its way, and what happened to it.
#[derive(Debug)]
struct Travelling {
    accepted: Accepted,
    changes: Vec<Record>,
}

/// Messages that are written together, each with what happened to it: first all of them, then, when it is known where they
/// are, their changes.
#[derive(Debug, Default)]
pub struct Load {
    messages: Vec<Travelling>,
    bytes: usize,
}

impl Load {
    /// Adds a message with its content, after having written what is there if that is enough.
    pub fn push(&mut self, scribe: &mut Scribe, accepted: Accepted, changes: Vec<Record>) -> Result<(), OpenError> {
        let record = Record::Accepted(accepted);
        let bytes = record.bytes();
        if self.bytes + bytes > UNIT_BYTES || self.messages.len() == UNIT_RECORDS {
            self.write(scribe)?;
        }
        self.bytes += bytes;
        if let Record::Accepted(accepted) = record {
            self.messages.push(Travelling { accepted, changes });
        }
        Ok(())
    }

    /// One more thing that happened to the last message.
    fn change(&mut self, change: Record) {
        if let Some(last) = self.messages.last_mut() {
            last.changes.push(change);
        }
    }

    /// Writes what is there, and says how many messages that were.
    pub fn write(&mut self, scribe: &mut Scribe) -> Result<u64, OpenError> {
        self.bytes = 0;
        let messages = std::mem::take(&mut self.messages);
        let count = messages.len() as u64;
        let (accepted, changes): (Vec<_>, Vec<_>) =
            messages.into_iter().map(|it| (Record::Accepted(it.accepted), it.changes)).unzip();
        let positions = scribe.append(accepted)?;
        let mut moved = Vec::new();
        for (position, changes) in positions.into_iter().zip(changes) {
            moved.extend(changes.into_iter().map(|change| happened_at(change, position)));
        }
        scribe.append(moved)?;
        Ok(count)
    }
}

/// What happened to a message, which is at that place now.
pub fn happened_at(mut change: Record, position: Position) -> Record {
    match &mut change {
        Record::Moved(moved) => moved.position = position,
        Record::Returned(returned) => returned.position = position,
        _ => {}
    }
    change
}

/// Takes a replay in and writes it.
pub struct Copier<'a> {
    scribe: &'a mut Scribe,
    reader: Arc<dyn LogReader>,
    lost: &'a mut dyn FnMut(Lost),
    names: BTreeMap<DestinationId, DestinationName>,
    /// A message that was copied from one place is not copied from another.
    seen: BTreeSet<MessageId>,
    heads: Vec<Record>,
    load: Load,
    copied: u64,
    /// What is told now is about a message that is not copied.
    is_passed_over: bool,
    error: Option<OpenError>,
}

impl std::fmt::Debug for Copier<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Copier").field("copied", &self.copied).finish_non_exhaustive()
    }
}

impl<'a> Copier<'a> {
    /// Contents are read by `reader`; messages that it cannot read are `lost`.
    pub fn new(scribe: &'a mut Scribe, reader: Arc<dyn LogReader>, lost: &'a mut dyn FnMut(Lost)) -> Copier<'a> {
        Copier {
            scribe,
            reader,
            lost,
            names: BTreeMap::new(),
            seen: BTreeSet::new(),
            heads: Vec::new(),
            load: Load::default(),
            copied: 0,
            is_passed_over: false,
            error: None,
        }
    }

    /// Writes what is left, and says how many messages were copied.
    pub fn finish(mut self) -> Result<u64, OpenError> {
        self.try_to(Self::flush);
        self.error.map_or(Ok(self.copied), Err)
    }

    fn try_to(&mut self, work: impl FnOnce(&mut Self) -> Result<(), OpenError>) {
        if self.error.is_none() {
            self.error = work(self).err();
        }
    }

    /// A destination of which there are messages and nothing else gets a name.
    fn name(&mut self, destination: DestinationId) {
        if self.names.contains_key(&destination) {
            return;
        }
        let Ok(name) = DestinationName::queue(&format!("recovered.{}", destination.0)) else { return };
        self.names.insert(destination, name.clone());
        self.heads.push(Record::Created { destination, name });
    }

    fn take(&mut self, mut accepted: Accepted, position: Position) -> Result<(), OpenError> {
        self.is_passed_over = !self.seen.insert(accepted.message);
        if self.is_passed_over {
            return Ok(());
        }
        match self.reader.read(position) {
            Ok(content) => accepted.content = Some(content),
            Err(error) => {
                self.is_passed_over = true;
                self.seen.remove(&accepted.message);
                let (segment, _) = super::super::format::locate(position);
                (self.lost)(Lost {
                    message: Some(accepted.message),
                    queue: self.names.get(&accepted.destination).cloned(),
                    file: segment.file_name(),
                    offset: offset_in(&error.to_string()),
                    is_certain: true,
                    count: 1,
                });
                return Ok(());
            }
        }
        self.name(accepted.destination);
        if !self.heads.is_empty() {
            self.flush()?;
        }
        self.copied += 1;
        self.load.push(self.scribe, accepted, Vec::new())
    }

    fn flush(&mut self) -> Result<(), OpenError> {
        self.scribe.append(std::mem::take(&mut self.heads))?;
        self.load.write(self.scribe).map(|_| ())
    }
}

impl Replay for Copier<'_> {
    fn record(&mut self, record: Record, position: Option<Position>) {
        match (record, position) {
            (Record::Accepted(accepted), Some(position)) => self.try_to(|it| it.take(accepted, position)),
            (change @ (Record::Moved(_) | Record::Returned(_)), _) => {
                if !self.is_passed_over {
                    self.load.change(change);
                }
            }
            (head, _) => {
                if let Record::Created { destination, name } = &head {
                    self.names.insert(*destination, name.clone());
                }
                self.heads.push(head);
                if self.heads.len() >= UNIT_RECORDS {
                    self.try_to(Self::flush);
                }
            }
        }
    }
}

/// The place in a reader's sentence.
fn offset_in(error: &str) -> Option<u64> {
    error.split_once(" at byte ")?.1.split_once(':')?.0.parse().ok()
}
