//! Secrets of the configuration: what of its text is never shown, and which of its files others should not be able to open.

use std::path::{Path, PathBuf};

use super::keys;
use super::listener::ListenerConfig;
use super::place::beside;
use super::problem::{Origin, Problem};
use super::settings::{Section, Settings};
use super::sources::Files;

/// Names of rules, which have no keys of their own.
const RULE: [&str; 2] = ["on", "to"];

/// The text without what may be a secret, since it is shown to explain what is wrong: values of keys that hold one, and of all
/// keys that are not known, which may be those misspelled. Octets keep their places. A file that cannot be understood is
/// looked through line by line, so more may be hidden than need be.
pub(super) fn masked(text: &str, problems: &[Problem]) -> String {
    let mut octets = text.as_bytes().to_vec();
    let mut mask = |span: std::ops::Range<usize>| {
        if let Some(octets) = octets.get_mut(span) {
            octets.iter_mut().filter(|octet| !octet.is_ascii_whitespace()).for_each(|octet| *octet = b'*');
        }
    };
    problems.iter().filter_map(|problem| problem.hidden.clone()).for_each(&mut mask);
    let (mut start, mut multiline) = (0, None);
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        if let Some(quotes) = multiline {
            // A value that began further up.
            mask(start..end);
            multiline = Some(quotes).filter(|quotes| !line.contains(*quotes));
        } else if let Some(at) = hidden_value(line) {
            mask(start + at..end);
            multiline = ["\"\"\"", "'''"].into_iter().find(|quotes| line[at..].matches(quotes).count() == 1);
        }
        start = end;
    }
    String::from_utf8(octets).unwrap_or_default()
}

/// Where the first value of a line begins that is not to be shown: behind a name that is none of ours, or holds a secret.
fn hidden_value(line: &str) -> Option<usize> {
    line.match_indices('=').find_map(|(at, _)| {
        let before = line[..at].trim_end();
        let name = before.rsplit(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '"' | '\'')).next()?;
        let name = name.trim_matches(['"', '\'']);
        (!may_be_shown(name)).then_some(at + 1)
    })
}

fn may_be_shown(name: &str) -> bool {
    let mut known = keys::all().filter(|key| key.path.split('.').any(|part| part == name)).peekable();
    RULE.contains(&name) || (known.peek().is_some() && known.all(|key| !key.is_secret()))
}

/// Warnings of files with secrets that other users of the machine may open. They are warnings and no faults: what a container
/// mounts can often not be changed there.
pub(super) fn open_files(
    settings: &Settings,
    listeners: &[ListenerConfig],
    file: Option<&Path>,
    files: &dyn Files,
) -> Vec<String> {
    let mut secrets: Vec<(PathBuf, &str)> = Vec::new();
    let in_file = |user: &Section| matches!(user.written("user.password"), Some(Origin::File(_)));
    secrets
        .extend(file.filter(|_| settings.users.iter().any(in_file)).map(|path| (path.to_owned(), "password hashes")));
    for user in &settings.users {
        let path = user.get::<String>("user.password_file").map(|path| beside(file, &path));
        secrets.extend(path.map(|path| (path, "a password hash")));
    }
    secrets.extend(listeners.iter().filter_map(|listener| Some((listener.tls.as_ref()?.key.clone(), "a private key"))));
    let warning = |(path, holds): &(PathBuf, &str)| files.access(path).ok()?.warning(path, holds);
    let mut warnings: Vec<_> = secrets.iter().filter_map(warning).collect();
    warnings.dedup();
    warnings
}
