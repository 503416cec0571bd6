//! Makes the opening of the newest segment certain, so that what it does not list may be given back.

use super::appender::batch_span;
use super::format::{FIRST_BATCH_AT, Sequence};
use super::recovery::Tail;
use super::segment::{Tape, Thread};
use super::store::Store;

/// An opening that is complete, but not known to be durable: the process was killed before it could say so. It is made
/// durable and another batch follows it, so that what it does not list is certain not to be needed. It is written again for that, since a sync that failed may have left it in the cache alone.
pub(super) fn make_certain(store: &Store, tail: &mut Tail) -> std::io::Result<()> {
    let Some(segment) = tail.segment.clone().filter(|_| !tail.is_certain) else { return Ok(()) };
    if tail.end + batch_span(0) > segment.length {
        return Ok(());
    }
    let mut bytes = vec![0; store.options.batch_bytes];
    let mut at = FIRST_BATCH_AT;
    while at < tail.end {
        let rest = (tail.end - at).min(bytes.len() as u64);
        let read = segment.file.read_at(bytes.get_mut(..rest as usize).unwrap_or_default(), at)?;
        segment.file.write_at(bytes.get(..read).unwrap_or_default(), at)?;
        if read == 0 {
            break;
        }
        at += read as u64;
    }
    segment.file.sync_data()?;
    let thread = Thread { watermark: Sequence(tail.thread.sequence.0.saturating_sub(1)), ..tail.thread };
    let mut tape = Tape::new(store.meta.key, store.meta.shard, store.options.batch_bytes, segment, thread);
    tape.offset = tail.end;
    tape.seal()?;
    (tail.thread, tail.end, tail.is_certain) = (tape.thread, tape.offset, true);
    Ok(())
}
