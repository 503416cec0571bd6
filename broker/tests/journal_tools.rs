//! The tools for a data directory, as they are typed: a broker fills it, a copy is damaged, and each tool does what its page
//! says.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use kolejka::journal::inspect::Scribe;
use kolejka::model::{
    Accepted, Content, DestinationId, MessageId, Place, Position, Record, Replay, ShardId, Timestamp, Urgency,
};
use tempfile::TempDir;

/// The program with nothing in its environment but a home.
fn kolejka(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kolejka"));
    command.args(arguments).env_clear().env("HOME", "/nowhere").stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = kolejka(arguments).output().unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A tool on a directory.
fn tool(verb: &str, data: &Path, more: &[&str]) -> (i32, String, String) {
    let mut arguments = vec!["journal", verb];
    arguments.extend(more);
    arguments.extend(["--data", data.to_str().unwrap()]);
    run(&arguments)
}

/// A broker on a loopback port, ended by its process id.
struct Broker {
    child: Child,
    url: String,
}

impl Broker {
    fn start(data: &Path) -> Broker {
        let arguments = ["--data", data.to_str().unwrap(), "--listen", "127.0.0.1:0"];
        let mut child = kolejka(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = loop {
            let line = lines.next().expect("it says where it listens").unwrap();
            if let Some(at) = line.find("127.0.0.1:") {
                let port: String = line[at + 10..].chars().take_while(char::is_ascii_digit).collect();
                break format!("stomp://127.0.0.1:{port}");
            }
        };
        Broker { child, url }
    }

    fn send(&self, destination: &str, body: &str, headers: &[&str]) {
        let mut arguments = vec!["pub", destination, body, "--url", &self.url];
        arguments.extend(headers.iter().flat_map(|header| ["-H", header]));
        let (status, _, said) = run(&arguments);
        assert_eq!(status, 0, "{said}");
    }

    fn receive(&self, destination: &str, count: usize) -> String {
        let count = count.to_string();
        let (status, text, said) =
            run(&["sub", destination, "--count", &count, "--timeout", "20s", "--json", "--url", &self.url]);
        assert_eq!(status, 0, "{said}");
        text
    }

    /// SIGTERM.
    fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A stopped directory with one of everything.
fn filled() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let broker = Broker::start(&data);
    for number in 0..20 {
        broker.send("/queue/mail", &format!("mail {number}"), &["priority:6", "x-odd:a\u{fc}b"]);
    }
    broker.send("/queue/orders", "later", &["x-delay:3600000", "ttl:7200000"]);
    broker.send("/queue/orders", "unique", &["x-unique:order-4711"]);
    broker.send("/queue/orders", "grouped", &["JMSXGroupID:acme"]);
    broker.send("/queue/jobs", "tick", &["AMQ_SCHEDULED_CRON:*/5 * * * *", "x-schedule:tick"]);
    broker.send("/topic/news", "kept", &["retain:set"]);
    let durable = ["sub", "/topic/news", "--count", "1", "--timeout", "20s", "--url", &broker.url];
    let names = ["-H", "durable-subscription-name:audit", "-H", "durable:true"];
    let (status, _, said) = run(&[&durable[..], &names[..]].concat());
    assert_eq!(status, 0, "{said}");
    broker.send("/topic/news", "for the audit", &[]);
    broker.stop();
    (folder, data)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        // Spares hold nothing.
        if !entry.file_name().to_str().unwrap().starts_with("spare-") {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(directory).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file());
    files
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .filter(|(name, _)| name.starts_with("seg-") || name.starts_with("store."))
        .collect()
}

/// The segment that has a text, and where.
fn find(directory: &Path, text: &str) -> (PathBuf, usize) {
    for (name, bytes) in contents(directory) {
        if let Some(at) = bytes.windows(text.len()).position(|window| window == text.as_bytes()) {
            return (directory.join(name), at);
        }
    }
    panic!("{text} is nowhere");
}

/// Turns one bit of a file over.
fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 0x10;
    fs::write(file, bytes).unwrap();
}

#[test]
fn a_sound_directory_verifies_and_is_not_changed() {
    let (_folder, data) = filled();
    let before = contents(&data);
    let (status, said, _) = tool("verify", &data, &[]);
    assert_eq!(status, 0, "{said}");
    assert!(said.lines().last().unwrap().starts_with("ok  26 messages in 1 segment"), "{said}");
    let (status, said, _) = tool("verify", &data, &["--json"]);
    let last: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!((status, last["sound"].as_bool(), last["messages"].as_u64()), (0, Some(true), Some(26)));
    let (status, said, _) = tool("repair", &data, &["--quarantine"]);
    assert!(status == 0 && said.ends_with("ok  nothing is damaged, and nothing was changed\n"), "{said}");
    let (status, said, _) = run(&["--safe", "--data", data.to_str().unwrap()]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("/queue/mail  20 messages\n") && said.contains("1 message, 1 schedule\n"), "{said}");
    assert_eq!(contents(&data), before);
}

#[test]
fn a_directory_in_use_or_not_there_is_refused() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    for verb in ["verify", "dump", "export"] {
        assert_eq!(tool(verb, &data, &[]).0, 74, "{verb}");
    }
    assert_eq!(tool("repair", &data, &["--quarantine"]).0, 74);
    assert!(!data.exists(), "a tool that reads makes no directory");
    let broker = Broker::start(&data);
    for (verb, more) in [("verify", &[][..]), ("export", &[]), ("repair", &["--quarantine"]), ("drop", &["queue", "x"])]
    {
        let (status, _, said) = tool(verb, &data, more);
        assert_eq!(status, 75, "{verb}: {said}");
        assert!(said.contains("in use"), "{said}");
    }
    broker.stop();
}

#[test]
fn damage_is_found_told_and_repaired() {
    let (folder, data) = filled();
    let damaged = folder.path().join("damaged");
    copy(&data, &damaged);
    let (segment, at) = find(&damaged, "mail 7");
    flip(&segment, at);
    let originals = contents(&damaged);
    let name = segment.file_name().unwrap().to_str().unwrap();

    let (status, said, _) = tool("verify", &damaged, &[]);
    assert_eq!(status, 65, "{said}");
    assert!(said.contains(&format!("damaged  {name} from byte")), "{said}");
    assert!(said.contains("a broker does not start here"), "{said}");
    assert!(said.contains("lost  message 8 of /queue/mail"), "{said}");
    let refused = run(&["--data", damaged.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.0, 65, "{}", refused.2);
    assert_eq!(run(&["--safe", "--data", damaged.to_str().unwrap()]).0, 65);
    assert_eq!(tool("export", &damaged, &[]).0, 65);

    let (status, said, hint) = tool("repair", &damaged, &[]);
    assert_eq!(status, 65, "{said}");
    assert!(hint.contains("nothing was changed"), "{hint}");
    assert_eq!(contents(&damaged), originals);

    let (status, said, _) = tool("repair", &damaged, &["--quarantine"]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("25 messages kept, 1 lost"), "{said}");
    let quarantine = damaged.join("quarantine/0001");
    assert_eq!(contents(&quarantine), originals, "every original is kept as it was");
    let report = fs::read_to_string(quarantine.join("report.jsonl")).unwrap();
    assert!(report.contains(&format!("\"file\":\"{name}\"")) && report.contains("\"lost\":\"8\""), "{report}");
    assert_eq!(tool("verify", &damaged, &[]).0, 0);

    let broker = Broker::start(&damaged);
    let text = broker.receive("/queue/mail", 19);
    for number in (0..20).filter(|number| *number != 7) {
        assert!(text.contains(&format!("\"mail {number}\"")), "{number}: {text}");
    }
    assert!(broker.receive("/queue/orders", 2).contains("grouped"));
    broker.stop();
}

#[test]
fn a_dump_shows_records_of_a_queue_and_bodies_only_if_asked() {
    let (_folder, data) = filled();
    let (status, all, _) = tool("dump", &data, &[]);
    assert_eq!(status, 0);
    for kind in ["claim", "created", "accepted", "terms", "plan", "bound", "stopped"] {
        assert!(all.contains(&format!("\"record\":\"{kind}\"")), "{kind}");
    }
    assert!(!all.contains("x-odd"), "headers only if asked");
    let (_, some, _) = tool("dump", &data, &["--queue", "mail", "--bodies"]);
    let lines: Vec<serde_json::Value> = some.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().filter(|line| line["record"] == "accepted").count(), 20);
    assert!(lines.iter().all(|line| line["queue"] == "/queue/mail" || line["name"] == "/queue/mail"), "{some}");
    assert!(some.contains("bWFpbCA3"), "`mail 7` in Base64");
    assert!(tool("dump", &data, &["--segment", "ff"]).1.is_empty());
}

#[test]
fn an_export_goes_into_another_directory_and_comes_out_the_same() {
    let (folder, data) = filled();
    let (status, export, said) = tool("export", &data, &[]);
    assert_eq!(status, 0, "{said}");
    let file = folder.path().join("export.jsonl");
    let text = file.to_str().unwrap();
    assert_eq!(tool("export", &data, &["--output", text]).0, 0);
    assert_eq!(fs::read_to_string(&file).unwrap(), export);
    assert_eq!(tool("export", &data, &["--output", text]).0, 73, "a file that is there is left alone");

    let other = folder.path().join("other");
    // Cut short in the middle of a line, as a pipe may be, then whole, then again.
    let half: String = export.chars().take(export.len() / 2).collect();
    let cut = folder.path().join("cut.jsonl");
    fs::write(&cut, half).unwrap();
    let (status, _, said) = tool("import", &other, &[cut.to_str().unwrap()]);
    assert_eq!(status, 65, "{said}");
    for _ in 0..2 {
        let (status, said, error) = tool("import", &other, &[text]);
        assert_eq!(status, 0, "{said}{error}");
        assert_eq!(tool("export", &other, &[]).1, export);
    }
    assert_eq!(tool("verify", &other, &[]).0, 0);
    let broker = Broker::start(&other);
    assert!(broker.receive("/queue/mail", 20).contains("\"mail 19\""));
    assert!(broker.receive("/topic/news", 1).contains("kept"), "what a topic retains");
    broker.stop();

    let foreign = folder.path().join("foreign");
    let broker = Broker::start(&foreign);
    broker.send("/queue/else", "another message of that id", &[]);
    broker.stop();
    let (status, _, said) = tool("import", &foreign, &[text]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("is another one there"), "{said}");
}

#[test]
fn an_import_reads_standard_input_and_refuses_what_is_no_export() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let mut command = kolejka(&["journal", "import", "-", "--data", data.to_str().unwrap()]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"hello\":1}\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(65));
    assert!(String::from_utf8(output.stderr).unwrap().contains("line 1 is not of an export"));
}

#[test]
fn a_queue_a_subscription_and_a_schedule_are_dropped_by_name() {
    let (_folder, data) = filled();
    assert_eq!(tool("drop", &data, &["queue", "nowhere"]).0, 1);
    let (status, said, _) = tool("drop", &data, &["queue", "mail", "--dry-run"]);
    assert_eq!((status, said.as_str()), (0, "would remove:\n/queue/mail  with 20 messages\n"));
    assert_eq!(tool("verify", &data, &["--json"]).1.lines().last().unwrap().matches("\"messages\":26").count(), 1);
    let (status, said, _) = tool("drop", &data, &["queue", "mail"]);
    assert_eq!((status, said.as_str()), (0, "removed:\n/queue/mail  with 20 messages\n"));
    let (status, said, _) = tool("drop", &data, &["schedule", "tick"]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("/schedules/queue/jobs"), "{said}");
    let (status, said, error) = tool("drop", &data, &["binding", "/topic/news"]);
    assert_eq!(status, 0, "{said}{error}");
    assert!(said.contains("with 1 message"), "{said}");
    for (kind, name) in [("queue", "mail"), ("schedule", "tick"), ("binding", "/topic/news")] {
        assert_eq!(tool("drop", &data, &[kind, name]).0, 1, "{kind} is gone");
    }
    let (status, said, _) = run(&["--safe", "--data", data.to_str().unwrap()]);
    assert_eq!(status, 0, "{said}");
    assert!(!said.contains("/queue/mail") && !said.contains("1 schedule") && !said.contains("fed by"), "{said}");
    let broker = Broker::start(&data);
    assert!(broker.receive("/queue/orders", 2).contains("unique"));
    broker.stop();
}

/// Nobody has to be told.
struct Nobody;

impl Replay for Nobody {
    fn record(&mut self, _: Record, _: Option<Position>) {}
}

#[test]
fn what_keeps_a_broker_from_starting_is_dropped() {
    let (_folder, data) = filled();
    let mut scribe = Scribe::open(&data, &mut Nobody, Timestamp(1)).unwrap();
    let content = Content::new(b"destination:/queue/gone\n", "nobody's".into());
    let (message, size) = (MessageId::new(ShardId::default(), 4_000_000), content.len() as u32);
    let place = Place { urgency: Urgency::NORMAL, sequence: 1 };
    let destination = DestinationId(777);
    let content = Some(content);
    scribe
        .append(vec![Record::Accepted(Accepted { destination, message, place, size, content, terms: None })])
        .unwrap();
    scribe.finish().unwrap();
    for start in [&["--safe"][..], &["--listen", "127.0.0.1:0"]] {
        let (status, _, said) = run(&[start, &["--data", data.to_str().unwrap()]].concat());
        assert_eq!(status, 65, "{said}");
        assert!(said.contains("1 messages that belong to no queue"), "{said}");
    }
    assert_eq!(tool("verify", &data, &[]).0, 0, "every octet is as it was written");
    assert!(tool("dump", &data, &[]).1.contains("\"queue\":777"));
    let (status, _, said) = tool("export", &data, &[]);
    assert!(status == 65 && said.contains("message 4000000 of no queue (number 777) is left out"), "{said}");
    let (status, said, error) = tool("drop", &data, &["queue", "#777"]);
    assert_eq!((status, said.as_str()), (0, "removed:\n1 message of no queue\n"), "{error}");
    let broker = Broker::start(&data);
    assert!(broker.receive("/queue/mail", 20).contains("mail 19"));
    broker.stop();
}
