//! What the process gives back, as the system sees it. A process of its own: others would be in the way.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that cannot go on has failed")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

const BODY: usize = 4 << 20;
const MESSAGES: usize = 40;
/// What may be resident once all is over, beyond what was before, in KiB.
const KEPT_KIB: u64 = 32 << 10;
/// Round trips while the process gives back.
const TRIES: usize = 2_000;

struct Broker {
    child: Child,
    address: String,
    _data: TempDir,
}

impl Broker {
    /// With as many arenas as a small machine has: each keeps its end.
    fn start() -> Broker {
        let data = TempDir::new().unwrap();
        let file = data.path().join("kolejka.toml");
        std::fs::write(&file, "data = \"data\"\n[[listener]]\naddress = \"127.0.0.1:0\"\n").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_kolejka"));
        command
            .arg("--config")
            .arg(&file)
            .env_clear()
            .env("MALLOC_ARENA_MAX", "4")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let pid = child.id();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.map(Result::unwrap).find_map(|line| {
            let at = line.find("127.0.0.1:")?;
            Some(line[at..].chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect())
        });
        assert_eq!(child.id(), pid);
        Broker { child, address: address.expect("it says where it listens"), _data: data }
    }

    fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    fn client(&self) -> TcpStream {
        let mut client = TcpStream::connect(&self.address).unwrap();
        client.write_all(b"CONNECT\naccept-version:1.2\nhost:x\n\n\0").unwrap();
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
    let environment = std::fs::read(format!("/proc/{}/environ", broker.child.id())).unwrap();
    assert!(
        environment.windows(24).any(|text| text.starts_with(b"MALLOC_MMAP_THRESHOLD_=1")),
        "it started itself anew"
    );
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
    let mut client = broker.client();
    let is_back = (0..TRIES).any(|_| {
        client.write_all(b"SEND\ndestination:/topic/nobody\nreceipt:1\n\n\0").unwrap();
        until(&mut client, b"\0");
        broker.resident_kib() < before + KEPT_KIB
    });
    assert!(is_back, "{} KiB are kept, {before} before", broker.resident_kib());
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
