//! How the allocator gives memory back: told by its environment, which it reads once, when a program begins.
//!
//! Left to itself, glibc raises the size from which an allocation is a mapping of its own whenever such a one is freed. After a
//! flood of large bodies they lie in its arenas, and a small block behind them holds all of it (decision 028). A fixed size
//! ends that, and can be given only from outside, without code that the compiler cannot check. So the program starts itself once
//! more: the same process, with the same arguments.

use std::env;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use tracing::warn;

/// From that size on, in bytes, an allocation is a mapping, which goes when it is freed. Above what is written or read at once,
/// which would be mapped anew each time.
const MAPPED_BYTES: &str = "1048576";
/// Bytes at the end of each arena that are kept for the next allocation.
const KEPT_BYTES: &str = "4194304";

/// What the allocator reads. Who has set any of it has chosen.
const VARIABLES: [&str; 4] =
    ["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_MAX_"];

/// Starts the program once more with an allocator that gives back, unless the environment says how it is to be. Returns only if
/// there is nothing to do, or if it cannot be done.
pub(crate) fn give_back() {
    if !cfg!(target_env = "gnu") || is_chosen(|name| env::var_os(name).is_some()) {
        return;
    }
    let mut arguments = env::args_os();
    let name = arguments.next();
    let program = match env::current_exe() {
        Ok(program) => program,
        Err(error) => return warn!(%error, "the allocator keeps its own ways: the program cannot be found"),
    };
    let mut command = Command::new(program);
    if let Some(name) = name {
        command.arg0(name);
    }
    command.args(arguments).env("MALLOC_MMAP_THRESHOLD_", MAPPED_BYTES).env("MALLOC_TRIM_THRESHOLD_", KEPT_BYTES);
    let error = command.exec();
    warn!(%error, "the allocator keeps its own ways: the program cannot be started once more");
}

fn is_chosen(is_set: impl Fn(&str) -> bool) -> bool {
    VARIABLES.iter().any(|name| is_set(name)) || is_set("GLIBC_TUNABLES") || is_set("LD_PRELOAD")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_environment_says_stays() {
        assert!(!is_chosen(|_| false));
        for name in ["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD"] {
            assert!(is_chosen(|set| set == name), "{name}");
        }
    }
}
