//! Puts faults back, one after the other, and demands that each is found, by the promise that it breaks.

use std::process::Command;

use kolejka::seeded::Bug;

/// Seeds that are tried for a fault.
const SEEDS: u64 = 1000;

/// Faults that tests of the broker find, by name: see `tests/seeded`.
const FOUND_ELSEWHERE: [Bug; 5] = [
    Bug::SegmentGivenBackEarly,
    Bug::VoidsDoNotCount,
    Bug::AttemptsOverflow,
    Bug::CheckpointsAlways,
    Bug::TouchIgnored,
];

/// By which promise a fault is found; several where it depends on what comes first.
fn promises(bug: Bug) -> &'static [&'static str] {
    match bug {
        Bug::ReceiptBeforeSync | Bug::TailCutShort => &["I1", "I12"],
        Bug::ReceiptsOvertake => &["I10"],
        Bug::DataNotSynced | Bug::SyncErrorIgnored => &["I1", "I12", "open"],
        Bug::DirectoryNotSynced | Bug::SpareIsASegment => &["open", "I1"],
        Bug::ChecksumIgnored => &["open", "I1", "I2", "panic"],
        Bug::AckLost | Bug::AckIgnored => &["I3", "open", "panic", "drain", "I1"],
        Bug::KeysForgotten | Bug::DuplicateTaken => &["I11"],
        Bug::SubscriptionForgotten => &["I12", "open"],
        Bug::IdsGivenAgain => &["I1", "I2", "I3", "I7", "panic"],
        Bug::RedeliveredForgotten | Bug::StopAlwaysClean => &["I7"],
        Bug::OrderLost => &["I6"],
        // What it acknowledged may come again although its receipt has left.
        Bug::TransactionSplit => &["I5", "open", "I1", "I3"],
        Bug::AbortCommits => &["I4"],
        Bug::DeadLetterDropped | Bug::ListLosesTheLast | Bug::HeldForever => &["I1"],
        Bug::BodyOfAnother => &["I2", "I1", "panic"],
        Bug::HandedOutEarly => &["I9", "I1", "I3", "panic"],
        Bug::MemoryNotGivenBack => &["memory"],
        Bug::TimerNotSet => &["hang"],
        Bug::FullDiskNotTold | Bug::SchedulesIgnoreFullDisk => &["failed", "open", "panic", "rest"],
        Bug::UnitsNotCut => &["panic", "failed"],
        Bug::HandedOutTwice => &["I9", "I7", "panic", "rest"],
        Bug::CountsNotLogged | Bug::LimitOverrun => &["I8"],
        Bug::StatusNotLogged => &["status"],
        Bug::UniqueForgotten | Bug::OldValueStays => &["alone"],
        Bug::SegmentGivenBackEarly
        | Bug::VoidsDoNotCount
        | Bug::AttemptsOverflow
        | Bug::CheckpointsAlways
        | Bug::TouchIgnored => &[],
    }
}

/// Runs all, or those that are named. `false`: one was not found.
#[expect(clippy::print_stdout, reason = "it says what was found")]
pub(crate) fn find(names: &[String]) -> bool {
    if !cfg!(feature = "seeded-bugs") {
        println!("this was built without the faults; use tests/seeded");
        return false;
    }
    let (mut found, mut missed) = (0, 0);
    let is_meant = |bug: &Bug| names.is_empty() || names.contains(&format!("{bug:?}"));
    for bug in Bug::ALL.into_iter().filter(|bug| is_meant(bug) && !FOUND_ELSEWHERE.contains(bug)) {
        let said = sweep(bug);
        let is_found = promises(bug).contains(&said.split(':').next().unwrap_or_default());
        (found, missed) = (found + u64::from(is_found), missed + u64::from(!is_found));
        println!("{} {bug:?}: {said}", if is_found { "found" } else { "MISSED" });
    }
    println!("{found} passed, {missed} failed");
    missed == 0
}

/// How a sweep with that fault fails.
fn sweep(bug: Bug) -> String {
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program)
        .args(["--seeds", &SEEDS.to_string(), "--quick"])
        .env("KOLEJKA_SEEDED_BUG", format!("{bug:?}"))
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("seed "));
    match line.and_then(|line| line.split_once(' ')) {
        Some((seed, words)) if words.starts_with("does not come to its end") => format!("hang: seed {seed}"),
        Some((seed, words)) => {
            format!("{} (seed {seed})", words.strip_prefix("failed: ").unwrap_or(words))
        }
        None if output.status.success() => format!("nothing in {SEEDS} seeds"),
        None => format!("died: {}", output.status),
    }
}
