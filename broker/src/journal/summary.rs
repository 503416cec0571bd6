//! Reads the summary of a sealed segment, entry by entry.
//!
//! It must not know what is alive.

use super::OpenError;
use super::meta::Meta;
use super::record::Entry;
use super::segment::Segment;
use super::stored;
use super::stored::Stored;
use super::walk::Walk;

/// Tells of the messages of a segment whose summary begins at `at` and has so many: of those of each record together, with the
/// slot of the first.
pub(super) fn read_summary(
    meta: &Meta,
    segment: Segment,
    (at, slots): (u64, u32),
    mut each: impl FnMut(u32, &[Entry]),
) -> Result<(), OpenError> {
    let id = segment.id;
    let damaged = |at, what| Err(OpenError::damaged(id.file_name(), at, what));
    let mut walk = Walk::at(meta, segment, at);
    let mut slot = 0;
    loop {
        let offset = walk.offset;
        let Some((header, mut body)) = walk.next()? else {
            return damaged(walk.offset, "the segment's summary is damaged");
        };
        let Some(Stored::Summary(entries)) = stored::take(&mut body, offset) else {
            return damaged(offset, "the segment's summary is damaged");
        };
        each(slot, &entries);
        slot += entries.len() as u32;
        if header.link().closes() {
            break;
        }
    }
    if slot == slots { Ok(()) } else { damaged(at, "the segment's summary is not complete") }
}
