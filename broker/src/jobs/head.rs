//! Heads of messages that the broker makes itself: header lines as a `Content` has them.

use std::fmt::Write as _;

/// A head that is being written.
#[derive(Clone, Debug, Default)]
pub struct Head(String);

impl Head {
    /// One more line. Escapes are those of STOMP 1.2, as in every stored head.
    #[must_use]
    pub fn line(mut self, name: &str, value: &str) -> Head {
        self.0.push_str(name);
        self.0.push(':');
        for c in value.chars() {
            match c {
                '\\' => self.0.push_str("\\\\"),
                ':' => self.0.push_str("\\c"),
                '\n' => self.0.push_str("\\n"),
                '\r' => self.0.push_str("\\r"),
                c => self.0.push(c),
            }
        }
        self.0.push('\n');
        self
    }

    /// One more line, if there is a value.
    #[must_use]
    pub fn maybe(self, name: &str, value: Option<&str>) -> Head {
        match value {
            Some(value) => self.line(name, value),
            None => self,
        }
    }

    /// One more line, with a number.
    #[must_use]
    pub fn number(mut self, name: &str, value: u64) -> Head {
        let _ = writeln!(self.0, "{name}:{value}");
        self
    }

    /// The octets.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
