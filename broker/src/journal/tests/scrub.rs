//! What the background check finds, and what it takes for no damage.

use std::sync::Arc;

use super::super::Journal;
use super::super::fault::{CrashDisk, Dice};
use super::super::format::{BLOCK_BYTES, FIRST_BATCH_AT, SegmentId};
use super::super::reader::Shelf;
use super::super::scrub::Scrub;
use super::super::store::Store;
use super::super::walk::{Walk, open_segment};
use super::workload::{Run, open, small_options};
use crate::model::LogReader as _;

/// A journal with sealed segments in which something is alive, and what checks it.
fn opened(disk: &CrashDisk) -> (Journal, Scrub, Arc<Shelf>) {
    let (journal, _, _) = open(disk, small_options()).unwrap();
    let (store, shelf): (Arc<Store>, Arc<Shelf>) = (journal.appender.store.clone(), journal.appender.shelf.clone());
    (journal, Scrub::new(store, shelf.clone()), shelf)
}

fn filled() -> CrashDisk {
    let disk = CrashDisk::new();
    let mut run = Run::start(&disk, small_options()).unwrap();
    assert!(run.work(&mut Dice::new(7), 40));
    run.end();
    disk.copy()
}

/// Where the batches of a sealed segment begin. Behind them may be others, of an earlier use of the file.
fn batches(disk: &CrashDisk, name: &str) -> Vec<usize> {
    let (journal, _, _) = opened(&disk.copy());
    let store = &journal.appender.store;
    let segment = open_segment(store.fs.as_ref(), &store.meta, SegmentId::from_file_name(name).unwrap()).unwrap();
    let (mut walk, mut begin) = (Walk::new(&store.meta, segment), Vec::new());
    loop {
        let at = walk.offset;
        if walk.next().unwrap().is_none() {
            return begin;
        }
        begin.push(at as usize);
    }
}

#[test]
fn every_sealed_segment_is_read_and_no_more() {
    let disk = filled();
    let (_journal, scrub, shelf) = opened(&disk);
    let sealed = shelf.segments().len() - 1;
    assert!(sealed > 1);
    let (mut batches, mut bytes) = (0, 0);
    assert!(scrub.round(&mut |read| {
        (batches, bytes) = (batches + 1, bytes + read);
        true
    }));
    assert!(batches > sealed && bytes <= sealed as u64 * (small_options().segment_bytes - FIRST_BATCH_AT));
    assert_eq!(shelf.damaged(), 0);
    let mut told = 0;
    assert!(!scrub.round(&mut |_| {
        told += 1;
        false
    }));
    assert_eq!(told, 1, "it ends in the middle of a segment");
}

#[test]
fn damage_to_any_batch_of_a_sealed_segment_is_found_once() {
    let disk = filled();
    let sealed: Vec<String> = {
        let (_journal, _, shelf) = opened(&disk.copy());
        let mut segments = shelf.segments();
        segments.pop();
        segments.into_iter().map(SegmentId::file_name).collect()
    };
    let mut found = 0;
    for name in sealed {
        for at in batches(&disk, &name) {
            // After the start, which reads summaries: nobody but the check looks at these.
            let damaged = disk.copy();
            let (_journal, scrub, shelf) = opened(&damaged);
            damaged.flip(&name, at + 30, 4);
            for _ in 0..2 {
                assert!(scrub.round(&mut |_| true));
                assert_eq!(shelf.damaged(), 1, "{name} at {at}");
            }
            found += 1;
        }
    }
    assert!(found > 5, "{found}");
}

#[test]
fn a_segment_that_is_given_back_meanwhile_is_not_damaged() {
    let disk = filled();
    let (_journal, scrub, shelf) = opened(&disk);
    let first = shelf.segments()[0];
    // The seal behind its opening is not what it was, as in a file that is in use again.
    let name = first.file_name();
    let second = (2..8).find(|block| disk.contents(&name)[block * BLOCK_BYTES..][..2] == *b"KJ").unwrap();
    disk.flip(&name, second * BLOCK_BYTES + 30, 4);
    let mut batches = 0;
    assert!(scrub.round(&mut |_| {
        batches += 1;
        shelf.forget(&[first]);
        true
    }));
    assert!(batches > 1, "the others are read");
    assert_eq!(shelf.damaged(), 0);
}
