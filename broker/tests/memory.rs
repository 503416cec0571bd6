//! What the process gives back, as the system sees it. A process of its own: others would be in the way.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that cannot go on has failed")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

const BODY: usize = 4 << 20;
const MESSAGES: usize = 40;
/// What may be resident once all is over, beyond what was before, in KiB.
const KEPT_KIB: u64 = 16 << 10;
/// Messages of a backlog, and bytes of each.
const BACKLOG: usize = 150_000;
const SMALL: usize = 200;
/// Heart-beats, one a second, in which the process has to give back: six times as long as the allocator keeps what was freed.
const PATIENCE_BEATS: usize = 60;

struct Broker {
    child: Child,
    address: String,
    _data: TempDir,
}

impl Broker {
    fn start() -> Broker {
        let data = TempDir::new().unwrap();
        let file = data.path().join("kolejka.toml");
        std::fs::write(&file, "data = \"data\"\n[[listener]]\naddress = \"127.0.0.1:0\"\n").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_kolejka"));
        command.arg("--config").arg(&file).env_clear().stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.map(Result::unwrap).find_map(|line| {
            let at = line.find("127.0.0.1:")?;
            Some(line[at..].chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect())
        });
        Broker { child, address: address.expect("it says where it listens"), _data: data }
    }

    fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Waits until no more is resident than before, or little more. It looks at each heart-beat, one a second.
    fn gives_back(&self, before: u64) {
        let mut client = self.client();
        for _ in 0..PATIENCE_BEATS {
            if self.resident_kib() < before + KEPT_KIB {
                return;
            }
            client.read_exact(&mut [0]).unwrap();
        }
        panic!("{} KiB are kept, {before} before", self.resident_kib());
    }

    fn client(&self) -> TcpStream {
        let mut client = TcpStream::connect(&self.address).unwrap();
        client.write_all(b"CONNECT\naccept-version:1.2\nhost:x\nheart-beat:0,1000\n\n\0").unwrap();
        assert!(until(&mut client, b"\0").starts_with(b"CONNECTED"));
        client
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads up to something, which ends what was read.
fn until(client: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let (mut read, mut some) = (Vec::new(), vec![0; 1 << 16]);
    while !read.trim_ascii_end().ends_with(end) {
        let count = client.read(&mut some).unwrap();
        assert!(count > 0, "closed: {}", String::from_utf8_lossy(&read[..read.len().min(300)]));
        read.extend_from_slice(&some[..count]);
    }
    read
}

#[test]
fn a_flood_of_large_bodies_is_given_back() {
    let broker = Broker::start();
    let before = broker.resident_kib();
    let head = format!("SEND\ndestination:/queue/large\nreceipt:1\npersistent:false\ncontent-length:{BODY}\n\n");
    let frame = [head.as_bytes(), &vec![b'x'; BODY], b"\0"].concat();
    let mut peak = 0;
    for _ in 0..2 {
        std::thread::scope(|scope| {
            for _ in 0..MESSAGES {
                scope.spawn(|| {
                    let mut client = broker.client();
                    client.write_all(&frame).unwrap();
                    until(&mut client, b"\0");
                });
            }
            peak = peak.max(broker.resident_kib());
        });
        peak = peak.max(broker.resident_kib());
        let mut reader = broker.client();
        reader.write_all(b"SUBSCRIBE\nid:1\ndestination:/queue/large\n\n\0").unwrap();
        for _ in 0..MESSAGES {
            // Each is written whole before the next; a body holds no NUL.
            until_nul(&mut reader);
        }
    }
    assert!(peak > before + KEPT_KIB, "there was something to give back: {before} KiB, then {peak}");
    broker.gives_back(before);
}

#[test]
fn a_backlog_of_small_messages_is_given_back() {
    let broker = Broker::start();
    let before = broker.resident_kib();
    let head = format!("SEND\ndestination:/queue/small\npersistent:false\ncontent-length:{SMALL}\n\n");
    let frame = [head.as_bytes(), &[b'x'; SMALL], b"\0"].concat();
    let mut writer = broker.client();
    writer.write_all(&frame.repeat(BACKLOG)).unwrap();
    writer.write_all(b"SEND\ndestination:/queue/last\nreceipt:1\n\n\0").unwrap();
    until(&mut writer, b"\0");
    let peak = broker.resident_kib();
    assert!(peak > before + KEPT_KIB, "there was something to give back: {before} KiB, then {peak}");
    let mut reader = broker.client();
    reader.write_all(b"SUBSCRIBE\nid:1\ndestination:/queue/small\n\n\0").unwrap();
    let (mut taken, mut some) = (0, vec![0; 1 << 16]);
    while taken < BACKLOG {
        let count = reader.read(&mut some).unwrap();
        assert!(count > 0, "closed");
        taken += memchr::memchr_iter(0, &some[..count]).count();
    }
    broker.gives_back(before);
}

/// Reads one frame whose body has no NUL, byte for byte as it comes.
fn until_nul(client: &mut TcpStream) {
    let mut some = vec![0; 1 << 16];
    loop {
        let seen = client.peek(&mut some).unwrap();
        assert!(seen > 0, "closed");
        let end = some[..seen].iter().position(|byte| *byte == 0);
        client.read_exact(&mut some[..end.map_or(seen, |at| at + 1)]).unwrap();
        if end.is_some() {
            return;
        }
    }
}
