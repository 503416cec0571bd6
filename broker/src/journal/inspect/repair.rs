//! Makes a directory whole again: what is sound is written into a fresh store in it, and the originals go to quarantine,
//! all of them and unchanged.
//!
//! Killed at any point it can be run again. Until the fresh store is complete nothing else is touched; from then on a mark in
//! the directory keeps a broker from starting until every file is in its place.

use std::io;
use std::sync::Arc;

use super::super::format::SegmentId;
use super::super::fs::FileSystem;
use super::super::meta;
use super::super::meta::Meta;
use super::super::reader::Shelf;
use super::super::record::Entry;
use super::super::recovery::tell;
use super::super::roll::SPARE_PREFIX;
use super::super::{OpenError, Options};
use super::copy::Copier;
use super::salvage::{Image, look};
use super::tables::{Row, table};
use super::{Checked, Finding, Inspection, Lost, Scribe};
use crate::model::{DestinationKind, Record, Replay as _, Terms, Timestamp};

/// Where the fresh store is written.
const FRESH: &str = "quarantine/new";
/// Where originals go, each repair's into a directory of its own.
const QUARANTINE: &str = "quarantine";
/// The mark of a repair that moves the originals out, and of one that moves the fresh files in.
const MOVING_OUT: &str = "repair-moving-out";
const MOVING_IN: &str = "repair-moving-in";
/// What says which messages are lost, beside the originals.
const REPORT: &str = "report.jsonl";
/// Ids that may have been given by what is lost.
const IDS_BEYOND: u64 = 1 << 20;

/// What a repair did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// What was wrong.
    pub checked: Checked,
    /// Messages that are in the new store.
    pub kept: u64,
    /// Messages that are lost.
    pub lost: u64,
    /// Where the originals are, in the directory.
    pub quarantine: String,
    /// An earlier repair was only carried to its end.
    pub is_resumed: bool,
}

/// Refuses a directory of which a repair has moved some files and not yet all.
pub(in super::super) fn refuse_half_repaired(fs: &dyn FileSystem) -> Result<(), OpenError> {
    let names = fs.list().map_err(|error| OpenError::io("the data directory", error))?;
    match [MOVING_OUT, MOVING_IN].into_iter().find(|mark| names.iter().any(|name| name == mark)) {
        Some(mark) => Err(OpenError::damaged(mark, 0, "a repair was not finished: run it again")),
        None => Ok(()),
    }
}

/// Repairs a directory: `None` if it is sound. `line` makes a line of the report from a finding; `told` is told all of them.
pub fn repair(
    fs: &Arc<dyn FileSystem>,
    options: &Options,
    now: Timestamp,
    line: &dyn Fn(&Finding) -> Option<String>,
    told: &mut dyn FnMut(Finding),
) -> Result<Option<Repaired>, OpenError> {
    let lock = fs.lock().map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => OpenError::Locked,
        _ => OpenError::io("lock", error),
    })?;
    let names = list(fs.as_ref())?;
    if let Some(mark) = [MOVING_OUT, MOVING_IN].into_iter().find(|mark| names.iter().any(|name| name == mark)) {
        let quarantine = quarantine_of(fs.as_ref(), mark)?;
        move_files(fs, &quarantine)?;
        let (checked, lost) = (Checked::default(), 0);
        return Ok(Some(Repaired { checked, kept: 0, lost, quarantine, is_resumed: true }));
    }
    let inspection = Inspection::under(fs.clone(), Ok(lock))?;
    let mut report = String::new();
    let mut note = |finding: Finding| {
        if let Some(line) = line(&finding) {
            report.push_str(&line);
            report.push('\n');
        }
        told(finding);
    };
    let checked = inspection.check(&mut note)?;
    if checked.is_sound() {
        return Ok(None);
    }
    let fresh = fs.folder(FRESH).map_err(|error| OpenError::io(FRESH, error))?;
    empty(fresh.as_ref()).map_err(|error| OpenError::io(FRESH, error))?;
    let kept = inspection.write_what_is_sound(&fresh, options, now, &mut note)?;
    let lost = checked.lost;
    write_report(fresh.as_ref(), &report).map_err(|error| OpenError::io(REPORT, error))?;
    let quarantine = begin(fs).map_err(|error| OpenError::io(QUARANTINE, error))?;
    move_files(fs, &quarantine)?;
    Ok(Some(Repaired { checked, kept, lost, quarantine, is_resumed: false }))
}

impl Inspection {
    /// Writes a fresh store with all that is sound. It is the same node, under another key: nothing of the old files can be
    /// taken for one of its own.
    fn write_what_is_sound(
        &self,
        fresh: &Arc<dyn FileSystem>,
        options: &Options,
        now: Timestamp,
        note: &mut dyn FnMut(Finding),
    ) -> Result<u64, OpenError> {
        let old = self.store.meta;
        let io = |error| OpenError::io(FRESH, error);
        let random = Meta::random(fresh.as_ref(), old.shard, old.created).map_err(io)?;
        Meta { node: old.node, ..random }.save(fresh.as_ref()).map_err(io)?;
        let mut nobody = super::check::Nobody;
        let options = Options { shard: old.shard, ..options.clone() };
        let mut scribe = Scribe::over(options, fresh.clone(), &mut nobody, now)?;
        let image = look(&self.store, &self.ids)?;
        let shelf = Arc::new(Shelf::new(self.store.clone()));
        // They have been told by the check.
        let mut lost = |_: Lost| {};
        let mut copier = Copier::new(&mut scribe, shelf.clone(), &mut lost);
        let highest = self.copy_all(&image, &shelf, &mut copier, note)?;
        let kept = copier.finish()?;
        if !image.clean {
            // Nobody knows which ids were given by what is lost, nor what was handed out.
            let next = highest + if image.refusal.is_some() { IDS_BEYOND } else { 1 };
            scribe.append(vec![Record::IdBlock { next }, Record::Suspected { below: next }])?;
            note(Finding::Note(format!("all messages below {next} are marked as redelivered")));
        }
        scribe.finish()?;
        Ok(kept)
    }

    /// The newest first: where a message is in two places, the later one counts. Its place in its queue is with it.
    fn copy_all(
        &self,
        image: &Image,
        shelf: &Shelf,
        copier: &mut Copier<'_>,
        note: &mut dyn FnMut(Finding),
    ) -> Result<u64, OpenError> {
        let mut highest = 0;
        for head in image.live.heads() {
            if let Record::IdBlock { next } = &head {
                highest = highest.max(*next);
            }
            copier.record(head, None);
        }
        let extents: Vec<_> =
            image.live.extents().filter(|(id, extent)| extent.living > 0 && self.ids.contains(id)).collect();
        for (id, extent) in extents.into_iter().rev() {
            let table = table(&self.store, (id, extent))?;
            shelf.extend(id, table.iter().map(|row| row.map_or(0, |row| row.entry.offset)));
            for (slot, row) in (0..).zip(&table) {
                let row = row.filter(|row| row.is_certain && extent.is_live(slot));
                let Some(Row { entry, .. }) = row else { continue };
                highest = highest.max(entry.message.sequence());
                let position = id.position(self.store.meta.shard, slot);
                let known = (image.live.override_of(position), image.live.terms_of(position));
                if image.is_without_plan(&entry, known.1.as_ref()) {
                    let text = format!("schedule {} is dropped: its plan was in a damaged batch", entry.message);
                    note(Finding::Note(text));
                    continue;
                }
                tell(copier, &entry, position, known);
            }
            shelf.forget(&[id]);
        }
        Ok(highest)
    }
}

impl Image {
    /// Whether a message lies among schedules and nothing says when it is to be sent.
    fn is_without_plan(&self, entry: &Entry, terms: Option<&Terms>) -> bool {
        let name = self.live.name_of(entry.destination);
        let is_schedule = name.is_some_and(|name| name.kind() == DestinationKind::Schedules);
        is_schedule && terms.is_none_or(|terms| terms.schedule.is_none())
    }
}

fn list(fs: &dyn FileSystem) -> Result<Vec<String>, OpenError> {
    fs.list().map_err(|error| OpenError::io("the data directory", error))
}

/// What an earlier repair that was killed has written.
fn empty(fresh: &dyn FileSystem) -> io::Result<()> {
    for name in fresh.list()? {
        fresh.unlink(&name)?;
    }
    fresh.sync_dir()
}

fn write_report(fresh: &dyn FileSystem, report: &str) -> io::Result<()> {
    let file = fresh.create(REPORT, report.len() as u64, false)?;
    file.write_at(report.as_bytes(), 0)?;
    file.sync_data()?;
    fresh.sync_dir()
}

/// Makes a quarantine and leaves the mark that names it: from here on the repair is carried to its end.
fn begin(fs: &Arc<dyn FileSystem>) -> io::Result<String> {
    let mut number = 1;
    let all = fs.folder(QUARANTINE)?;
    let quarantine = loop {
        let name = format!("{number:04}");
        // One that a killed repair has made and not used is empty.
        if all.folder(&name)?.list()?.is_empty() {
            break format!("{QUARANTINE}/{name}");
        }
        number += 1;
    };
    let mark = fs.create(MARK_DRAFT, quarantine.len() as u64, false);
    let mark = match mark {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs.unlink(MARK_DRAFT)?;
            fs.create(MARK_DRAFT, quarantine.len() as u64, false)?
        }
        made => made?,
    };
    mark.write_at(quarantine.as_bytes(), 0)?;
    mark.sync_data()?;
    fs.sync_dir()?;
    fs.rename(MARK_DRAFT, MOVING_OUT)?;
    fs.sync_dir()?;
    Ok(quarantine)
}

const MARK_DRAFT: &str = "repair-mark";

fn quarantine_of(fs: &dyn FileSystem, mark: &'static str) -> Result<String, OpenError> {
    let io = |error| OpenError::io(mark, error);
    let mut text = vec![0; 64];
    let read = fs.open(mark).map_err(io)?.read_at(&mut text, 0).map_err(io)?;
    text.truncate(read);
    let text = String::from_utf8(text).ok().filter(|text| text.starts_with(QUARANTINE));
    text.ok_or_else(|| OpenError::damaged(mark, 0, "the mark of a repair is damaged"))
}

/// Originals out, fresh files in. Each step is the renaming of a file that is still where it was.
fn move_files(fs: &Arc<dyn FileSystem>, quarantine: &str) -> Result<(), OpenError> {
    move_in_order(fs, quarantine).map_err(|error| OpenError::io(quarantine.to_owned(), error))
}

fn move_in_order(fs: &Arc<dyn FileSystem>, quarantine: &str) -> io::Result<()> {
    let (fresh, kept) = (fs.folder(FRESH)?, fs.folder(quarantine)?);
    if fs.list()?.iter().any(|name| name == MOVING_OUT) {
        for name in fs.list()?.iter().filter(|name| is_of_the_journal(name)) {
            if name.starts_with(SPARE_PREFIX) {
                // It holds nothing.
                fs.unlink(name)?;
            } else {
                fs.rename(name, &format!("{quarantine}/{name}"))?;
            }
        }
        kept.sync_dir()?;
        fs.sync_dir()?;
        fs.rename(MOVING_OUT, MOVING_IN)?;
        fs.sync_dir()?;
    }
    for name in fresh.list()? {
        match name.as_str() {
            "lock" => fresh.unlink(&name)?,
            REPORT => fs.rename(&format!("{FRESH}/{name}"), &format!("{quarantine}/{name}"))?,
            _ => fs.rename(&format!("{FRESH}/{name}"), &name)?,
        }
    }
    for folder in [&fresh, &kept, fs] {
        folder.sync_dir()?;
    }
    fs.unlink(MOVING_IN)?;
    fs.sync_dir()
}

fn is_of_the_journal(name: &str) -> bool {
    let is_identity = meta::NAMES.contains(&name) || name == meta::DRAFT;
    is_identity || SegmentId::from_file_name(name).is_some() || name.starts_with(SPARE_PREFIX)
}
