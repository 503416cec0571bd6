//! Overrides from the environment: `KOLEJKA__LIMITS__BODY=8MiB` is `limits.body`. Reads a list of pairs, not the process.

use super::problem::{Origin, Problem};
use super::settings::Settings;

/// How a variable that overrides a key begins. Variables with one underscore (`KOLEJKA_URL`) are for the command line.
const PREFIX: &str = "KOLEJKA__";

/// Applies all variables that name a key.
pub(super) fn read(variables: &[(String, String)], settings: &mut Settings, problems: &mut Vec<Problem>) {
    let mut overrides: Vec<(String, &(String, String))> = variables
        .iter()
        .filter_map(|pair| Some((pair.0.strip_prefix(PREFIX)?.replace("__", ".").to_ascii_lowercase(), pair)))
        .collect();
    // Sorted, so that entry 0 comes before entry 1, in whatever order the system lists them.
    overrides.sort();
    for (path, (name, text)) in overrides {
        if let Err(problem) = settings.override_with(&path, text, Origin::Environment(name.clone())) {
            problems.push(problem);
        }
    }
}
