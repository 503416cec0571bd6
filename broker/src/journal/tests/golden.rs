//! A data directory of format version 1, kept as it was written. It must open for ever, and today's program must still
//! write the same octets.
//!
//! Zeros at the end of a file are not kept; each length is noted below. `KOLEJKA_WRITE_GOLDEN=1` writes the files anew,
//! which only a new version of the format may do, in a folder of its own.

use super::super::conformance::{Ledger, accepted, created, moved, returned, settled};
use super::super::fault::{CrashDisk, Survival};
use super::workload::{Run, check_survivor, open, small_options};
use crate::model::{DestinationId, MessageId, Record, ShardId};

const META_BYTES: usize = 4 << 10;
const SEGMENT_BYTES: usize = 32 << 10;
/// One that was made for a unit of its size.
const LARGE_SEGMENT_BYTES: usize = 48 << 10;

/// Name, length and octets of each file.
const FILES: [(&str, usize, &[u8]); 5] = [
    ("seg-0000000000000001", SEGMENT_BYTES, include_bytes!("../golden/v1/seg-0000000000000001")),
    ("seg-0000000000000002", LARGE_SEGMENT_BYTES, include_bytes!("../golden/v1/seg-0000000000000002")),
    ("seg-0000000000000003", SEGMENT_BYTES, include_bytes!("../golden/v1/seg-0000000000000003")),
    ("store.meta", META_BYTES, include_bytes!("../golden/v1/store.meta")),
    ("store.meta.copy", META_BYTES, include_bytes!("../golden/v1/store.meta.copy")),
];

/// What was written then: every kind of record, a chain, rolls, no clean stop.
fn write() -> (CrashDisk, Run) {
    let disk = CrashDisk::new();
    let mut run = Run::start(&disk, small_options()).unwrap();
    let message = |id, size| accepted(ShardId::default(), 1, id, size);
    let mut units = vec![
        vec![created(1), created(2), Record::IdBlock { next: 1000 }],
        vec![message(1, 0), message(2, 10), message(3, 300)],
        vec![message(4, 1500), message(5, 1500), message(6, 2500)],
        vec![created(9), Record::Deleted { destination: DestinationId(9) }, message(7, 700)],
    ];
    for unit in units.drain(..) {
        assert!(run.write(unit));
    }
    let change = |id: u64, run: &Run| {
        let message = MessageId::new(ShardId::default(), id);
        let kept = run.session.reading.ledger.messages[&message].clone();
        (message, kept, run.session.reading.position(message).unwrap())
    };
    let (message, kept, position) = change(2, &run);
    assert!(run.write(vec![returned(message, &kept, position)]));
    let (message, kept, position) = change(2, &run);
    assert!(run.write(vec![moved(message, &kept, position, 2)]));
    let (message, kept, position) = change(2, &run);
    assert!(run.write(vec![returned(message, &kept, position)]));
    let unit: Vec<Record> = [1, 3]
        .map(|id| {
            let (message, kept, position) = change(id, &run);
            settled(message, &kept, position)
        })
        .into();
    assert!(run.write(unit));
    assert!(run.write(vec![accepted(ShardId::default(), 2, 8, 100)]));
    (disk, run)
}

/// Puts the directory on a disk, and gives the state it holds.
pub(super) fn put_on(disk: &CrashDisk) -> Vec<Ledger> {
    for (name, length, bytes) in FILES {
        let mut bytes = bytes.to_vec();
        bytes.resize(length, 0);
        disk.put(name, bytes);
    }
    vec![write().1.end().0.pop().unwrap()]
}

#[test]
fn the_golden_directory_of_version_1_still_opens() {
    let (disk, run) = write();
    if std::env::var_os("KOLEJKA_WRITE_GOLDEN").is_some() {
        write_golden(&disk);
    }
    let (states, acknowledged) = run.end();
    let golden = CrashDisk::new();
    put_on(&golden);
    let reading = open(&golden.copy(), small_options()).unwrap().2;
    assert_eq!(&reading.ledger, states.last().unwrap());
    check_survivor(&golden, small_options(), (&states, acknowledged), "golden");
}

#[test]
fn todays_program_writes_the_octets_of_version_1() {
    let (disk, run) = write();
    let written = disk.crash(Survival::Nothing);
    run.end();
    for (name, length, bytes) in FILES {
        let mut bytes = bytes.to_vec();
        bytes.resize(length, 0);
        if name.starts_with("store.meta") {
            // The version of the directory and its checksum.
            bytes[8] = 2;
            bytes[80..88].copy_from_slice(&written.contents(name)[80..88]);
        }
        assert!(written.contents(name) == bytes, "{name}");
    }
    let kept = |name: &String| !name.starts_with("spare-");
    assert_eq!(written.names().into_iter().filter(kept).count(), FILES.len());
}

#[expect(clippy::disallowed_methods, reason = "writes the golden files when asked to")]
fn write_golden(disk: &CrashDisk) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/journal/golden/v1");
    std::fs::create_dir_all(folder).unwrap();
    for name in disk.names().into_iter().filter(|name| !name.starts_with("spare-")) {
        let mut bytes = disk.contents(&name);
        println!("{name} {}", bytes.len());
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        std::fs::write(format!("{folder}/{name}"), bytes).unwrap();
    }
}
