//! Answers in JSON, written by hand: objects of texts and numbers, nothing deeper.

use std::fmt::Write;

/// An object that is being written.
#[derive(Clone, Debug)]
pub(super) struct Document(String);

impl Document {
    pub(super) fn new() -> Document {
        Document(String::from("{"))
    }

    #[must_use]
    pub(super) fn text(mut self, name: &str, value: &str) -> Document {
        self.begin(name);
        self.0.push_str(&quoted(value));
        self
    }

    #[must_use]
    pub(super) fn number(self, name: &str, value: u64) -> Document {
        self.plain(name, value)
    }

    #[must_use]
    pub(super) fn flag(self, name: &str, value: bool) -> Document {
        self.plain(name, value)
    }

    /// The text of it.
    pub(super) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn plain(mut self, name: &str, value: impl std::fmt::Display) -> Document {
        self.begin(name);
        // Writing into a text never fails.
        let _ = write!(self.0, "{value}");
        self
    }

    fn begin(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&quoted(name));
        self.0.push(':');
    }
}

/// A text as JSON has it.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.extend(format!("\\u{:04x}", u32::from(c)).chars()),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
