//! How much memory the machine has, or what of it the process may use.
//!
//! A container has a limit of its own, in its control group (version 2 or 1). What cannot be read counts as no limit.

use std::path::{Path, PathBuf};

/// Where control groups are.
const GROUPS: &str = "/sys/fs/cgroup";
/// What counts as the memory of a machine that does not tell.
const UNKNOWN_BYTES: u64 = 1 << 30;

/// Bytes of memory that the process may use.
pub(super) fn memory() -> u64 {
    let machine = read(Path::new("/proc/meminfo")).and_then(|text| of_machine(&text)).unwrap_or(UNKNOWN_BYTES);
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    limit_files(&groups).iter().filter_map(|file| of_group(&read(file)?)).fold(machine, u64::min)
}

/// The line `MemTotal` of `/proc/meminfo`, in bytes.
fn of_machine(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The limit of a control group, in bytes; `None` where it has none.
fn of_group(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// Files that hold the limits of the groups of a process and of those above, by its `/proc/self/cgroup`. Inside a container
/// its own group is often the root of what it sees.
fn limit_files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (root, file) = match controllers {
            "" => (PathBuf::from(GROUPS), "memory.max"),
            controllers if controllers.split(',').any(|name| name == "memory") => {
                (Path::new(GROUPS).join("memory"), "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let group = root.join(path.trim_start_matches('/'));
        files.extend(group.ancestors().take_while(|at| at.starts_with(&root)).map(|at| at.join(file)));
    }
    files
}

#[expect(clippy::disallowed_methods, reason = "a few lines of the kernel's, read once at the start")]
fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_and_its_groups_are_understood() {
        assert_eq!(of_machine("MemFree: 1 kB\nMemTotal:       24683008 kB\n"), Some(24_683_008 << 10));
        assert_eq!(of_machine("MemTotal: many\n"), None);
        assert_eq!((of_group("268435456\n"), of_group("max\n")), (Some(256 << 20), None));
        let files = limit_files("4:cpu,memory:/a/b\n3:cpu:/c\n0::/d\n");
        let expected =
            ["memory/a/b/memory.limit_in_bytes", "memory/a/memory.limit_in_bytes", "memory/memory.limit_in_bytes"];
        let expected: Vec<_> = expected
            .into_iter()
            .chain(["d/memory.max", "memory.max"])
            .map(|file| Path::new(GROUPS).join(file))
            .collect();
        assert_eq!(files, expected);
        assert!(memory() > 0);
    }
}
