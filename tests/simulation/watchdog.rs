//! A run that does not come to its end is a failure, too: time outside of the simulation tells.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long one seed may take, which ordinarily takes a tenth of a second.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// Ends the process if one seed takes too long.
pub(crate) struct Watchdog(Arc<AtomicU64>);

impl Watchdog {
    #[expect(clippy::disallowed_methods, reason = "what it watches cannot be stopped from within")]
    #[expect(clippy::print_stdout, reason = "it says which seed it was")]
    pub(crate) fn start(patience: Duration) -> Watchdog {
        let seed = Arc::new(AtomicU64::new(u64::MAX));
        let watched = Arc::clone(&seed);
        std::thread::spawn(move || {
            let mut before = u64::MAX;
            loop {
                std::thread::park_timeout(patience);
                let now = watched.load(Ordering::Relaxed);
                if now == before && now != u64::MAX {
                    println!("seed {now} does not come to its end");
                    println!("test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out");
                    std::process::exit(1);
                }
                before = now;
            }
        });
        Watchdog(seed)
    }

    /// A seed begins.
    pub(crate) fn begins(&self, seed: u64) {
        self.0.store(seed, Ordering::Relaxed);
    }
}
