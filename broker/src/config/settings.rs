//! Settings in layers: what is not written has its default; the environment overrides the file, the command line both.

use std::collections::BTreeMap;

use super::keys::{self, Key};
use super::problem::{Origin, Problem};
use super::value::{Setting, Value};

/// One table of settings: the file's top with all its single tables, or one entry of a repeated table.
#[derive(Clone, Debug)]
pub(super) struct Section {
    /// Where the entry begins, for what is missing in it.
    pub(super) at: Origin,
    values: BTreeMap<&'static str, (Value, Origin)>,
}

impl Section {
    pub(super) fn new(at: Origin) -> Section {
        Section { at, values: BTreeMap::new() }
    }

    /// Sets a value; a later layer replaces an earlier one.
    pub(super) fn set(&mut self, key: &'static Key, value: Value, origin: Origin) {
        self.values.insert(key.path, (value, origin));
    }

    /// What was written for the key.
    pub(super) fn get<T: Setting>(&self, path: &str) -> Option<T> {
        self.values.get(path).and_then(|(value, _)| T::from_value(value))
    }

    /// The value of a key and where it comes from, with its default.
    pub(super) fn effective(&self, key: &Key) -> Option<(Value, Origin)> {
        self.values.get(key.path).cloned().or_else(|| Some((key.fallback.value()?, Origin::Default)))
    }

    /// Where the value of a key was written, if it was.
    pub(super) fn written(&self, path: &str) -> Option<&Origin> {
        self.values.get(path).map(|(_, origin)| origin)
    }

    /// Where the value of a key was written; where the table begins, if it was not.
    pub(super) fn origin(&self, path: &str) -> Origin {
        self.values.get(path).map_or_else(|| self.at.clone(), |(_, origin)| origin.clone())
    }
}

/// All settings that were written.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) root: Section,
    pub(super) listeners: Vec<Section>,
    pub(super) users: Vec<Section>,
    pub(super) policies: Vec<Section>,
    pub(super) routes: Vec<Section>,
}

impl Settings {
    pub(super) fn new() -> Settings {
        let (listeners, users, policies, routes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Settings { root: Section::new(Origin::Default), listeners, users, policies, routes }
    }

    /// The entries of a repeated table.
    pub(super) fn repeated(&mut self, table: &str) -> Option<&mut Vec<Section>> {
        match table {
            "listener" => Some(&mut self.listeners),
            "user" => Some(&mut self.users),
            "policy" => Some(&mut self.policies),
            "route" => Some(&mut self.routes),
            _ => None,
        }
    }

    /// Sets one value from a text that names its key by path, with a number for the entry of a repeated table:
    /// `limits.body`, `listener.0.address`. One entry more than there are begins a new one.
    pub(super) fn override_with(&mut self, path: &str, text: &str, origin: Origin) -> Result<(), Problem> {
        let mut parts = path.splitn(3, '.');
        if let (Some(table), Some(number), Some(name)) = (parts.next(), parts.next(), parts.next())
            && keys::REPEATED.contains(&table)
            && let Ok(index) = number.parse::<usize>()
        {
            let (key, value) = read(&format!("{table}.{name}"), text, &origin)?;
            let Some(entries) = self.repeated(table) else { return Ok(()) };
            if index > entries.len() {
                return Err(Problem::new(origin, format!("there are only {} entries of [[{table}]]", entries.len())));
            }
            if index == entries.len() {
                entries.push(Section::new(origin.clone()));
            }
            entries[index].set(key, value, origin);
            return Ok(());
        }
        if keys::REPEATED.iter().any(|table| path.starts_with(table)) {
            return Err(Problem::new(origin, "an entry of a repeated table is named by its number, from 0")
                .help("for example KOLEJKA__LISTENER__0__ADDRESS"));
        }
        let (key, value) = read(path, text, &origin)?;
        self.root.set(key, value, origin);
        Ok(())
    }
}

fn read(path: &str, text: &str, origin: &Origin) -> Result<(&'static Key, Value), Problem> {
    let Some(key) = keys::find(path) else {
        let problem = Problem::new(origin.clone(), format!("there is no key `{path}`"));
        return Err(match nearest(path, keys::all().map(|key| key.path)) {
            Some(near) => problem.label(format!("did you mean `{near}`?")),
            None => problem,
        });
    };
    match key.kind.read_text(text) {
        Ok(value) => Ok((key, value)),
        Err(label) => Err(Problem::new(origin.clone(), format!("`{path}` is not as it should be")).label(label)),
    }
}

/// The name that somebody probably meant.
pub(super) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|other| (strsim::damerau_levenshtein(name, other), other))
        .filter(|(distance, other)| *distance <= 1 + other.len().min(name.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, other)| other)
}
