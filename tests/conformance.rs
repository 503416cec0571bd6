//! Every transcript: in memory, over a socket, through TLS and over a WebSocket.
#![expect(clippy::disallowed_methods, reason = "transcripts are files")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use kolejka_codec::Frame;
use kolejka_tests::memory::World;
use kolejka_tests::script::{Script, Wire, run};
use kolejka_tests::server::Running;
use kolejka_tests::socket::{Clients, plain};
use kolejka_tests::tls::Trust;
use kolejka_tests::websocket::Browsers;

/// All transcripts by name.
fn texts() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let mut found: Vec<_> = fs::read_dir(folder)
        .expect("the transcripts")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "stomp"))
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("a readable transcript"))
        })
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

fn scripts() -> Vec<(String, Script)> {
    texts().into_iter().map(|(name, text)| (name, Script::parse(&text))).collect()
}

fn report(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn transcripts_hold_in_memory() {
    hold(World::default);
}

/// Clients whose octets arrive one by one.
#[derive(Default)]
struct Dribble(World);

impl Wire for Dribble {
    fn send(&mut self, client: usize, octets: &[u8]) {
        for octet in octets.chunks(1) {
            self.0.send(client, octet);
        }
    }

    fn receive(&mut self, client: usize) -> Result<Option<Frame>, String> {
        self.0.receive(client)
    }

    fn hang_up(&mut self, client: usize) {
        self.0.hang_up(client);
    }
}

#[test]
fn transcripts_hold_octet_by_octet() {
    hold(Dribble::default);
}

#[test]
fn transcripts_hold_over_a_socket() {
    let server = Running::start(|_| {});
    let address = server.address;
    hold(|| Clients::new(move || plain(address)));
}

#[test]
fn transcripts_hold_over_tls() {
    let trust = Trust::new();
    let server = Running::start(|config| config.listeners[0].tls = Some(trust.files()));
    hold(|| Clients::new(trust.connector(server.address)));
}

#[test]
fn transcripts_hold_over_a_websocket() {
    let server = Running::start(|_| {});
    hold(|| Browsers::new(server.address));
}

/// Each with clients of its own, all with the same server.
fn hold<W: Wire>(clients: impl Fn() -> W) {
    let faults: Vec<_> = scripts()
        .iter()
        .filter_map(|(name, script)| run(script, &mut clients()).err().map(|error| format!("{name}: {error}")))
        .collect();
    report(&faults);
}

#[test]
fn transcripts_share_no_destination() {
    let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, text) in texts() {
        let clients = text.lines().filter(|line| line.starts_with('C'));
        for destination in clients.filter_map(|line| Some(line.split_once(" destination:")?.1.trim())) {
            let is_temporary = destination.contains('$') || destination.starts_with("/temp-");
            let path = destination.trim_start_matches("/queue/").trim_start_matches("/topic/");
            let is_of_the_server = path == "Kolejka.Manage";
            if !is_temporary && !is_of_the_server && !path.is_empty() {
                users.entry(path.to_owned()).or_default().insert(name.clone());
            }
        }
    }
    assert!(users.len() > 50, "few destinations: {}", users.len());
    let shared = users.iter().filter(|(_, names)| names.len() > 1);
    report(&shared.map(|(path, names)| format!("{path} is used by {names:?}")).collect::<Vec<_>>());
}
