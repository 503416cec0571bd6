//! Every transcript, in memory and over a socket.
#![expect(clippy::disallowed_methods, reason = "transcripts are files")]

use std::fs;
use std::path::Path;

use kolejka_tests::memory::World;
use kolejka_tests::script::{Script, run};
use kolejka_tests::server::Running;
use kolejka_tests::socket::Clients;

/// All transcripts by name.
fn scripts() -> Vec<(String, Script)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let mut found: Vec<_> = fs::read_dir(folder)
        .expect("the transcripts")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "stomp"))
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, Script::parse(&fs::read_to_string(&path).expect("a readable transcript")))
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn report(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn transcripts_hold_in_memory() {
    let scripts = scripts();
    assert!(!scripts.is_empty());
    let faults: Vec<_> = scripts
        .iter()
        .filter_map(|(name, script)| run(script, &mut World::default()).err().map(|error| format!("{name}: {error}")))
        .collect();
    report(&faults);
}

#[test]
fn transcripts_hold_over_a_socket() {
    let scripts = scripts();
    assert!(!scripts.is_empty());
    let mut faults = Vec::new();
    for (name, script) in &scripts {
        // A server for each: transcripts use the same names of queues.
        let server = Running::start(|_| {});
        faults.extend(run(script, &mut Clients::new(server.address)).err().map(|error| format!("{name}: {error}")));
    }
    report(&faults);
}
