//! Placeholder of who may do what, until the real one stands here.

use crate::model::DestinationName;

/// What a client wants to do with a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// SUBSCRIBE.
    Read,
    /// SEND.
    Write,
}

/// What a client may do.
#[derive(Clone, Debug, Default)]
pub struct Grants {
    denied: Vec<(Action, String)>,
}

impl Grants {
    /// Everything.
    pub fn everything() -> Grants {
        Grants::default()
    }

    /// Without this.
    #[cfg(test)]
    #[must_use]
    pub fn but_not(mut self, action: Action, name: &str) -> Grants {
        self.denied.push((action, name.to_owned()));
        self
    }

    /// Whether the action is allowed there.
    pub fn may(&self, action: Action, name: &DestinationName) -> bool {
        !self.denied.iter().any(|(denied, text)| *denied == action && text == name.as_str())
    }
}

/// What a client shows of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Its name.
    pub login: Option<String>,
    /// Its secret.
    pub passcode: Option<String>,
}

/// A login that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied;
