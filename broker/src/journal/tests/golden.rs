//! A data directory of each format version, kept as it was written. They must open for ever, and today's program must still
//! write the same octets.
//!
//! Zeros at the end of a file are not kept; each length is noted below. `KOLEJKA_WRITE_GOLDEN=1` writes the files anew,
//! which only a new version of the format may do, in a folder of its own.

use super::super::conformance::{FAN, Ledger, accepted, created, fan_out, moved, returned, settled};
use super::super::fault::{CrashDisk, Survival};
use super::workload::{Run, check_survivor, open, small_options};
use crate::model::{DestinationId, Keyed, MessageId, Record, ShardId, Timestamp};

const META_BYTES: usize = 4 << 10;
const SEGMENT_BYTES: usize = 32 << 10;
/// One that was made for a unit of its size.
const LARGE_SEGMENT_BYTES: usize = 48 << 10;

/// Name, length and octets of each file.
type Files = [(&'static str, usize, &'static [u8])];

const FILES: &Files = &[
    ("seg-0000000000000001", SEGMENT_BYTES, include_bytes!("../golden/v1/seg-0000000000000001")),
    ("seg-0000000000000002", LARGE_SEGMENT_BYTES, include_bytes!("../golden/v1/seg-0000000000000002")),
    ("seg-0000000000000003", SEGMENT_BYTES, include_bytes!("../golden/v1/seg-0000000000000003")),
    ("store.meta", META_BYTES, include_bytes!("../golden/v1/store.meta")),
    ("store.meta.copy", META_BYTES, include_bytes!("../golden/v1/store.meta.copy")),
];

/// The same for version 2.
const FILES_2: &Files = &[
    ("seg-0000000000000001", SEGMENT_BYTES, include_bytes!("../golden/v2/seg-0000000000000001")),
    ("seg-0000000000000002", SEGMENT_BYTES, include_bytes!("../golden/v2/seg-0000000000000002")),
    ("seg-0000000000000003", SEGMENT_BYTES, include_bytes!("../golden/v2/seg-0000000000000003")),
    ("seg-0000000000000004", SEGMENT_BYTES, include_bytes!("../golden/v2/seg-0000000000000004")),
    ("seg-0000000000000005", SEGMENT_BYTES, include_bytes!("../golden/v2/seg-0000000000000005")),
    ("seg-0000000000000006", SEGMENT_BYTES, include_bytes!("../golden/v2/seg-0000000000000006")),
    ("seg-0000000000000007", SEGMENT_BYTES, include_bytes!("../golden/v2/seg-0000000000000007")),
    ("seg-0000000000000008", SEGMENT_BYTES, include_bytes!("../golden/v2/seg-0000000000000008")),
    ("store.meta", META_BYTES, include_bytes!("../golden/v2/store.meta")),
    ("store.meta.copy", META_BYTES, include_bytes!("../golden/v2/store.meta.copy")),
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

/// What version 2 added: bodies that messages share, and openings that continue another.
fn write_2() -> (CrashDisk, Run) {
    let disk = CrashDisk::new();
    let mut run = Run::start(&disk, small_options()).unwrap();
    assert!(run.write((1..4).map(created).collect()));
    let keyed = |id: u64| {
        let key = format!("{id:0250}").into();
        Record::Keyed(Keyed { queue: DestinationId(1), key, at: Timestamp(id) })
    };
    for unit in 0..4 {
        assert!(run.write((unit * 10..unit * 10 + 10).map(keyed).collect()));
    }
    let first = FAN.next_multiple_of(100);
    for unit in 0..9 {
        assert!(run.write(fan_out(ShardId::default(), first + unit * 100, 4, 3000)));
        let message = MessageId::new(ShardId::default(), first + unit * 100);
        let kept = run.session.reading.ledger.messages[&message].clone();
        let position = run.session.reading.position(message).unwrap();
        assert!(run.write(vec![settled(message, &kept, position)]));
    }
    (disk, run)
}

/// Puts the directory of version 1 on a disk, and gives the state it holds.
pub(super) fn put_on(disk: &CrashDisk) -> Vec<Ledger> {
    put(disk, FILES);
    vec![write().1.end().0.pop().unwrap()]
}

fn put(disk: &CrashDisk, files: &Files) {
    for (name, length, bytes) in files {
        let mut bytes = bytes.to_vec();
        bytes.resize(*length, 0);
        disk.put(name, bytes);
    }
}

#[test]
fn the_golden_directory_of_version_2_still_opens_and_todays_program_writes_it() {
    let (disk, run) = write_2();
    if std::env::var_os("KOLEJKA_WRITE_GOLDEN").is_some() {
        write_golden(&disk, "v2");
    }
    let written = disk.crash(Survival::Nothing);
    let (states, acknowledged) = run.end();
    let golden = CrashDisk::new();
    put(&golden, FILES_2);
    let kept: Vec<String> = written.names().into_iter().filter(|name| !name.starts_with("spare-")).collect();
    assert_eq!(golden.names(), kept);
    for name in kept {
        assert!(written.contents(&name) == golden.contents(&name), "{name}");
    }
    check_survivor(&golden, small_options(), (&states, acknowledged), "golden");
}

#[test]
fn the_golden_directory_of_version_1_still_opens() {
    let (states, acknowledged) = write().1.end();
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
        bytes.resize(*length, 0);
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
fn write_golden(disk: &CrashDisk, version: &str) {
    let folder = format!("{}/src/journal/golden/{version}", env!("CARGO_MANIFEST_DIR"));
    std::fs::create_dir_all(&folder).unwrap();
    for name in disk.names().into_iter().filter(|name| !name.starts_with("spare-")) {
        let mut bytes = disk.contents(&name);
        println!("{name} {}", bytes.len());
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        std::fs::write(format!("{folder}/{name}"), bytes).unwrap();
    }
}
