//! All that can be seen of a run as one number: the same seed has to come to the same.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether all that is said is shown.
pub(crate) static LOUD: AtomicBool = AtomicBool::new(false);

/// Shows what is said, if that was asked for.
#[expect(clippy::print_stdout, reason = "it was asked for")]
pub(crate) fn show(who: &str, bytes: &[u8]) {
    if LOUD.load(Ordering::Relaxed) {
        let text = String::from_utf8_lossy(bytes);
        let short: String = text.chars().take(400).collect();
        println!("{who}: {}", short.replace('\n', " | ").replace('\0', "^"));
    }
}

/// A running sum of what was seen (FNV-1a).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trace(u64);

impl Trace {
    pub(crate) fn new() -> Trace {
        Trace(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    pub(crate) fn note(&mut self, number: u64) {
        self.add(&number.to_le_bytes());
    }
}
