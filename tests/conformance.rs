//! Every transcript: in memory, over a socket and over a WebSocket.
#![expect(clippy::disallowed_methods, reason = "transcripts are files")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use kolejka_tests::memory::World;
use kolejka_tests::script::{Script, Wire, run};
use kolejka_tests::server::Running;
use kolejka_tests::socket::Clients;
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
    let faults: Vec<_> = scripts()
        .iter()
        .filter_map(|(name, script)| run(script, &mut World::default()).err().map(|error| format!("{name}: {error}")))
        .collect();
    report(&faults);
}

#[test]
fn transcripts_hold_over_a_socket() {
    hold(|address| Box::new(Clients::new(address)));
}

#[test]
fn transcripts_hold_over_a_websocket() {
    hold(|address| Box::new(Browsers::new(address)));
}

/// One server for all of them.
fn hold(clients: impl Fn(SocketAddr) -> Box<dyn Wire>) {
    let server = Running::start(|_| {});
    let mut faults = Vec::new();
    for (name, script) in &scripts() {
        faults.extend(run(script, &mut *clients(server.address)).err().map(|error| format!("{name}: {error}")));
    }
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
            if !is_temporary && !path.is_empty() {
                users.entry(path.to_owned()).or_default().insert(name.clone());
            }
        }
    }
    assert!(users.len() > 50, "few destinations: {}", users.len());
    let shared = users.iter().filter(|(_, names)| names.len() > 1);
    report(&shared.map(|(path, names)| format!("{path} is used by {names:?}")).collect::<Vec<_>>());
}
