//! What is wrong with a configuration: the place, the fault and the remedy. How it is painted is not known here.

use std::fmt;
use std::ops::Range;

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// These octets of the file.
    File(Range<usize>),
    /// An environment variable.
    Environment(String),
    /// An option of the command line.
    CommandLine(&'static str),
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, in one clause.
    pub message: String,
    /// Where.
    pub origin: Origin,
    /// A word at the place itself.
    pub label: Option<String>,
    /// What to write instead.
    pub help: Option<String>,
    /// Octets of the file that may be a secret, and are not shown.
    pub(super) hidden: Option<Range<usize>>,
}

impl Problem {
    pub(super) fn new(origin: Origin, message: impl Into<String>) -> Problem {
        Problem { message: message.into(), origin, label: None, help: None, hidden: None }
    }

    pub(super) fn label(mut self, label: impl Into<String>) -> Problem {
        self.label = Some(label.into());
        self
    }

    /// Keeps a value from being shown: nobody can tell what stands behind a name that is not known.
    pub(super) fn hide(mut self, value: Range<usize>) -> Problem {
        self.hidden = Some(value);
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Problem {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Environment(name) => write!(f, "{name}: ")?,
            Origin::CommandLine(option) => write!(f, "{option}: ")?,
            Origin::Default | Origin::File(_) => {}
        }
        f.write_str(&self.message)?;
        if let Some(label) = &self.label {
            write!(f, ": {label}")?;
        }
        Ok(())
    }
}

/// A configuration that cannot be used: everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, as the user named it; empty without one.
    pub file: String,
    /// Its text, into which the origins point, with `*` in the place of all that may be a secret.
    pub text: String,
    /// The faults, in the order of the file. At least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            if let Origin::File(span) = &problem.origin {
                write!(f, "{}:{}: ", self.file, line_of(&self.text, span.start))?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// The line, from 1, that holds that octet.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|octet| *octet == b'\n').count() + 1
}
