//! The file: TOML in, settings out, each with the place where it was written. Knows which keys there are, not what they do.

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::keys;
use super::problem::{Origin, Problem};
use super::settings::{Section, Settings, nearest};

/// Reads the text of a file into the settings; what is wrong with it goes into `problems`.
pub(super) fn read(text: &str, settings: &mut Settings, problems: &mut Vec<Problem>) {
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            let at = Origin::File(error.span().unwrap_or_default());
            problems.push(Problem::new(at, "this is no TOML").label(error.message().replace('\n', ", ")));
            return;
        }
    };
    for (key, value) in table.get_ref() {
        let name = key.get_ref().as_ref();
        if let Some(entries) = settings.repeated(name) {
            read_entries(name, value, entries, problems);
        } else {
            read_key("", key, value, &mut settings.root, problems);
        }
    }
}

fn read_entries(table: &str, value: &Spanned<DeValue<'_>>, entries: &mut Vec<Section>, problems: &mut Vec<Problem>) {
    let DeValue::Array(items) = value.get_ref() else {
        problems.push(
            Problem::new(Origin::File(value.span()), format!("`{table}` is a table that may be repeated"))
                .label(format!("write [[{table}]], with two brackets")),
        );
        return;
    };
    for item in items {
        let DeValue::Table(fields) = item.get_ref() else {
            problems.push(Problem::new(Origin::File(item.span()), format!("an entry of [[{table}]] is a table")));
            continue;
        };
        let mut section = Section::new(Origin::File(item.span()));
        read_table(table, fields, &mut section, problems);
        entries.push(section);
    }
}

fn read_table(path: &str, table: &DeTable<'_>, section: &mut Section, problems: &mut Vec<Problem>) {
    for (key, value) in table {
        read_key(path, key, value, section, problems);
    }
}

fn read_key(
    within: &str,
    key: &Spanned<DeString<'_>>,
    value: &Spanned<DeValue<'_>>,
    section: &mut Section,
    problems: &mut Vec<Problem>,
) {
    let name = key.get_ref().as_ref();
    let path = if within.is_empty() { name.to_owned() } else { format!("{within}.{name}") };
    if let Some(known) = keys::find(&path) {
        match known.kind.read_toml(name, value) {
            Ok(read) => section.set(known, read, Origin::File(value.span())),
            Err(problem) => problems.push(problem),
        }
    } else if !keys::is_section(&path) {
        problems.push(unknown(within, name, Origin::File(key.span())).hide(value.span()));
    } else if let DeValue::Table(table) = value.get_ref() {
        read_table(&path, table, section, problems);
    } else {
        let names = keys::names_in(&path).join(", ");
        problems.push(
            Problem::new(Origin::File(value.span()), format!("`{name}` is a table"))
                .label(format!("with the keys {names}")),
        );
    }
}

fn unknown(within: &str, name: &str, at: Origin) -> Problem {
    let allowed = keys::names_in(within);
    let place = match within {
        "" => "at the top of the file".to_owned(),
        table if keys::REPEATED.contains(&table) => format!("in [[{table}]]"),
        table => format!("in [{table}]"),
    };
    let problem =
        Problem::new(at, format!("unknown key `{name}`")).help(format!("keys allowed {place}: {}", allowed.join(", ")));
    if let Some(near) = nearest(name, allowed.iter().copied()) {
        return problem.label(format!("did you mean `{near}`?"));
    }
    // Right key, wrong table.
    match keys::all().find(|key| key.path.rsplit('.').next() == Some(name)) {
        Some(key) => problem.label(format!("did you mean `{}`?", key.path)),
        None => problem.label("no such key here"),
    }
}
