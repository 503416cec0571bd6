//! Keeps what is left of a write that was never finished, before a start goes on without it.
//!
//! Nothing of it was confirmed, so nobody misses it; but if that should be doubted, these are the bytes. Where they cannot be
//! kept the start goes on all the same.

use std::io;

use super::format::{BATCH_HEADER_BYTES, BatchHeader};
use super::segment::Segment;
use super::store::Store;

/// Where they go.
pub(super) const FOLDER: &str = "quarantine";
/// Most bytes of one, and how many there are.
const BYTES_MAX: u64 = 16 << 20;
const FILES_MAX: usize = 16;
/// So many segments must still fit the disk: it has better uses for the last of its room.
const SEGMENTS_FREE: u64 = 8;

/// Keeps the batch that was begun at the end of a log, if there is one.
pub(super) fn keep(store: &Store, segment: &Segment, end: u64) {
    match try_to_keep(store, segment, end) {
        Ok(None) => {}
        Ok(Some(file)) => tracing::warn!(file, "a write was never finished; what is left of it is kept there"),
        Err(error) => tracing::warn!(%error, "a write was never finished; what is left of it cannot be kept"),
    }
}

fn try_to_keep(store: &Store, segment: &Segment, end: u64) -> io::Result<Option<String>> {
    let mut octets = [0; BATCH_HEADER_BYTES];
    let read = segment.file.read_at(&mut octets, end)?;
    let header = BatchHeader::decode(store.meta.key, octets.get(..read).unwrap_or_default());
    let is_here = |header: &BatchHeader| header.segment == segment.id && header.offset == end;
    let Some(header) = header.filter(is_here) else { return Ok(None) };
    let bytes = header.span().min(BYTES_MAX).min(segment.length.saturating_sub(end));
    let options = &store.options;
    let wanted = bytes + options.disk_reserve_bytes + SEGMENTS_FREE * options.segment_bytes;
    if store.fs.free_bytes()? < wanted {
        return Ok(None);
    }
    let (folder, name) = (store.fs.folder(FOLDER)?, format!("torn-{}-{end:08x}", segment.id.file_name()));
    let kept = folder.list()?;
    if kept.contains(&name) || kept.iter().filter(|name| name.starts_with("torn-")).count() >= FILES_MAX {
        return Ok(None);
    }
    let mut left = vec![0; bytes as usize];
    let read = segment.file.read_at(&mut left, end)?;
    left.truncate(read);
    let file = folder.create(&name, left.len() as u64, false)?;
    file.write_at(&left, 0)?;
    file.sync_data()?;
    folder.sync_dir()?;
    Ok(Some(format!("{FOLDER}/{name}")))
}
