//! Damage to what is on the disk: never a wrong, doubled or extra message, never a silent loss.

use super::super::conformance::{Ledger, Session, Witness};
use super::super::fault::{CrashDisk, Dice, SECTOR_BYTES};
use super::super::format::BLOCK_BYTES;
use super::super::{OpenError, Options};
use super::workload::{Run, open, small_options};
use std::sync::Arc;

/// A disk with sealed segments, freed ones and a tail, and the states that may be found on it.
struct Image {
    disk: CrashDisk,
    /// The state it holds.
    whole: Ledger,
    /// The same without the last unit, where the last batch is not yet followed by another.
    cut: Option<Ledger>,
}

fn options() -> Options {
    small_options()
}

fn image(seed: u64, units: usize, sealed: bool) -> Image {
    let disk = CrashDisk::new();
    let mut run = Run::start(&disk, options()).unwrap();
    assert!(run.work(&mut Dice::new(seed), units));
    let states = if sealed { run.end() } else { run.abandon() }.0;
    let whole = states.last().cloned().unwrap();
    assert!(whole.messages.len() > 3, "an image without messages proves nothing");
    if sealed {
        Image { disk: disk.copy(), whole, cut: None }
    } else {
        Image { disk: disk.copy(), whole, cut: Some(states[states.len() - 2].clone()) }
    }
}

/// How often each outcome was seen.
#[derive(Debug, Default)]
struct Outcomes {
    same: usize,
    cut: usize,
    refused: usize,
    unreadable: usize,
}

impl Image {
    fn check(&self, damaged: &CrashDisk, outcomes: &mut Outcomes, what: &str) {
        let (journal, reading) = match open(damaged, options()) {
            Ok((journal, _, reading)) => (journal, reading),
            Err(OpenError::Damaged { .. } | OpenError::Newer { .. }) => {
                outcomes.refused += 1;
                return;
            }
            Err(error) => panic!("{what}: {error}"),
        };
        match () {
            () if reading.ledger == self.whole => outcomes.same += 1,
            () if Some(&reading.ledger) == self.cut.as_ref() => outcomes.cut += 1,
            () => panic!("{what}: altered\n{:?}\n{:?}", reading.ledger, self.whole),
        }
        let witness = Arc::new(Witness::default());
        let (shelf, _) = (journal.reader(), &witness);
        for (message, kept) in &reading.ledger.messages {
            let Ok(read) = shelf.read(reading.position(*message).unwrap()) else {
                outcomes.unreadable += 1;
                continue;
            };
            let expected = super::super::conformance::content(message.sequence(), kept.size as usize);
            assert_eq!((read.head(), read.body()), (expected.head(), expected.body()), "{what}");
        }
    }

    fn segments(&self) -> Vec<String> {
        self.disk.names().into_iter().filter(|name| name.starts_with("seg-")).collect()
    }

    fn with(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> CrashDisk {
        let disk = self.disk.copy();
        let mut bytes = disk.contents(name);
        change(&mut bytes);
        disk.put(name, bytes);
        disk
    }
}

/// All bits where structures are, and one bit of every other octet that was ever written.
fn flip_bits(image: &Image) -> Outcomes {
    let (mut outcomes, mut dice) = (Outcomes::default(), Dice::new(1));
    for name in image.disk.names() {
        let bytes = image.disk.contents(&name);
        for (octet, value) in bytes.iter().enumerate() {
            let written = *value != 0 || octet % BLOCK_BYTES < 160;
            let structure = octet % BLOCK_BYTES < if cfg!(debug_assertions) { 104 } else { BLOCK_BYTES };
            let chosen = dice.below(8) as u32;
            let sampled = octet % if cfg!(debug_assertions) { 7 } else { 1 } == 0;
            for bit in (0..8).filter(|bit| written && (structure || sampled && *bit == chosen)) {
                let disk = image.disk.copy();
                disk.flip(&name, octet, bit);
                image.check(&disk, &mut outcomes, &format!("{name} octet {octet} bit {bit}"));
            }
        }
    }
    outcomes
}

#[test]
fn a_flipped_bit_never_alters_a_sealed_journal() {
    let image = image(27, 9, true);
    let outcomes = flip_bits(&image);
    assert!(outcomes.refused > 500 && outcomes.same > 500 && outcomes.cut == 0, "{outcomes:?}");
}

#[test]
fn a_flipped_bit_drops_at_most_the_last_unsealed_batch() {
    let image = image(22, 8, false);
    let outcomes = flip_bits(&image);
    assert!(outcomes.refused > 500 && outcomes.same > 500 && outcomes.cut > 50, "{outcomes:?}");
}

#[test]
fn a_truncated_file_is_refused_or_does_not_matter() {
    for sealed in [true, false] {
        let image = image(23, 20, sealed);
        let mut outcomes = Outcomes::default();
        for name in image.disk.names() {
            let length = image.disk.contents(&name).len();
            for length in (0..length).step_by(SECTOR_BYTES) {
                let disk = image.with(&name, |bytes| bytes.truncate(length));
                image.check(&disk, &mut outcomes, &format!("{name} cut to {length}"));
            }
        }
        assert!(outcomes.refused > 50 && outcomes.cut == 0, "{outcomes:?}");
    }
}

#[test]
fn a_missing_file_is_refused_or_does_not_matter() {
    for sealed in [true, false] {
        let image = image(24, 20, sealed);
        assert!(image.segments().len() > 1);
        let mut outcomes = Outcomes::default();
        for name in image.disk.names() {
            let disk = image.disk.copy();
            disk.lose(&name);
            image.check(&disk, &mut outcomes, &format!("{name} lost"));
            if name.starts_with("seg-") {
                assert!(open(&disk, options()).is_err(), "{name}");
            }
        }
        assert_eq!(outcomes.refused, image.segments().len(), "{outcomes:?}");
    }
}

#[test]
fn zeroed_swapped_doubled_and_stale_blocks_are_seen() {
    for (sealed, unit) in [(true, SECTOR_BYTES), (false, SECTOR_BYTES), (true, BLOCK_BYTES), (false, BLOCK_BYTES)] {
        let image = image(25, 21, sealed);
        let (mut outcomes, segments) = (Outcomes::default(), image.segments());
        for name in &segments {
            let bytes = image.disk.contents(name);
            let blocks = bytes.len() / unit;
            let get = |block: usize| bytes[block * unit..(block + 1) * unit].to_vec();
            let put = |block: usize, from: &[u8]| {
                image.with(name, |b| b[block * unit..(block + 1) * unit].copy_from_slice(from))
            };
            for block in 0..blocks {
                let what = format!("{name} block {block} of {unit}");
                image.check(&put(block, &vec![0; unit]), &mut outcomes, &format!("{what} zeroed"));
                let next = (block + 1) % blocks;
                image.check(&put(next, &get(block)), &mut outcomes, &format!("{what} doubled"));
                let swapped = image.with(name, |b| {
                    b[block * unit..(block + 1) * unit].copy_from_slice(&get(next));
                    b[next * unit..(next + 1) * unit].copy_from_slice(&get(block));
                });
                image.check(&swapped, &mut outcomes, &format!("{what} swapped"));
                for other in segments.iter().filter(|other| *other != name) {
                    let stale = &image.disk.contents(other)[block * unit..(block + 1) * unit];
                    image.check(&put(block, stale), &mut outcomes, &format!("{what} from {other}"));
                }
            }
        }
        assert!(outcomes.refused > 20 && outcomes.same > 20, "{outcomes:?}");
        assert_eq!(outcomes.cut > 0, !sealed, "{outcomes:?}");
    }
}

#[test]
fn a_body_that_looks_like_a_batch_is_never_taken_for_one() {
    let disk = CrashDisk::new();
    let mut run = Run::start(&disk, options()).unwrap();
    assert!(run.work(&mut Dice::new(3), 2));
    // What a client could have seen of the journal, put into bodies at block boundaries, then a torn batch over it.
    let name = disk.names().into_iter().find(|name| name.starts_with("seg-")).unwrap();
    let hostile = disk.contents(&name)[BLOCK_BYTES..4 * BLOCK_BYTES].to_vec();
    let shard = crate::model::ShardId::default();
    let mut record = super::super::conformance::accepted(shard, 1, 777, 0);
    if let crate::model::Record::Accepted(accepted) = &mut record {
        let padding = vec![0; BLOCK_BYTES - 200];
        let body: Vec<u8> = padding.into_iter().chain(hostile).collect();
        (accepted.size, accepted.content) = (body.len() as u32, Some(crate::model::Content::new(b"", body.into())));
    }
    let states = {
        assert!(run.write(vec![record]));
        run.end().0
    };
    let after = disk.copy();
    let segment = after.names().into_iter().rfind(|name| name.starts_with("seg-")).unwrap();
    let reading = open(&after.copy(), options()).unwrap().2;
    assert_eq!(&reading.ledger, states.last().unwrap());
    for octet in (BLOCK_BYTES..after.contents(&segment).len()).step_by(97) {
        let damaged = after.copy();
        damaged.flip(&segment, octet, 3);
        if let Ok((_, _, reading)) = open(&damaged, options()) {
            assert_eq!(&reading.ledger, states.last().unwrap(), "octet {octet}");
        }
    }
}

#[test]
fn a_spoilt_message_concerns_only_itself() {
    let disk = CrashDisk::new();
    let mut run = Run::start(&disk, options()).unwrap();
    let shard = crate::model::ShardId::default();
    let unit = (1..4).map(|id| super::super::conformance::accepted(shard, 1, id, 600)).collect();
    assert!(run.write(vec![super::super::conformance::created(1)]) && run.write(unit));
    let name = disk.names().into_iter().find(|name| name.starts_with("seg-")).unwrap();
    let needle = super::super::conformance::content(2, 600).body().to_vec();
    let at = disk.contents(&name).windows(needle.len()).position(|window| window == needle).unwrap();
    disk.flip(&name, at + 100, 5);
    let session: &Session = &run.session;
    for (message, position) in &session.reading.positions {
        for _ in 0..3 {
            let read = session.reader.read(*position);
            assert_eq!(read.is_err(), message.sequence() == 2);
            if let Err(crate::model::LogError::Damaged(error)) = read {
                let offset: usize = error.split(' ').nth(3).unwrap().trim_end_matches(':').parse().unwrap();
                assert!(error.starts_with(&name) && (offset..offset + 200).contains(&at), "{error}, {at}");
            }
        }
    }
    assert_eq!(session.reader.damaged(), 1, "one place, however often it is read");
    run.end();
}

#[test]
fn what_is_left_of_a_write_that_was_never_finished_is_kept() {
    let image = image(22, 8, false);
    let newest = image.segments().into_iter().next_back().unwrap();
    let at =
        (1..8).map(|block| block * BLOCK_BYTES).rfind(|at| image.disk.contents(&newest)[*at..][..2] == *b"KJ").unwrap();
    let torn = image.with(&newest, |bytes| bytes[at + 100] ^= 1);
    let left = torn.contents(&newest);
    let name = format!("quarantine/torn-{newest}-{at:08x}");
    // Twice, as after a start that was killed: it is kept once.
    for _ in 0..2 {
        open(&torn, options()).unwrap();
    }
    let kept = torn.contents(&name);
    assert!(!kept.is_empty() && left[at..].starts_with(&kept), "{:?}", torn.names());
    assert_eq!(torn.names().iter().filter(|name| name.starts_with("quarantine/")).count(), 1);
    // A disk that is nearly full has better uses for its room.
    let full = image.with(&newest, |bytes| bytes[at + 100] ^= 1);
    full.set_free(options().segment_bytes * 4);
    open(&full, options()).unwrap();
    assert_eq!(full.contents(&name), Vec::<u8>::new());
}
