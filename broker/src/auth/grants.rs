//! What somebody may do. Rules are compiled at start; asking is a walk over a few patterns.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::model::Right as Action;
use crate::model::{DestinationName, Pattern, PatternError, Permissions, Reader, Writer};

const fn bit(action: Action) -> u8 {
    1 << action as u8
}

/// The name of somebody who was let in.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Principal(Arc<str>);

impl Principal {
    /// The name of whoever came without a login.
    pub const ANONYMOUS: &'static str = "anonymous";

    pub(super) fn new(name: &str) -> Principal {
        Principal(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The rules of one user. What no rule allows is denied, and a rule that denies beats all that allow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    allow: Vec<Rule>,
    deny: Vec<Rule>,
}

impl Rights {
    /// Allows the actions on destinations that match the pattern. `{user}` in it stands for the name of `user`, literally.
    pub fn allow(&mut self, user: &str, on: &str, to: &[Action]) -> Result<(), RuleError> {
        self.allow.push(Rule::compile(user, on, to)?);
        Ok(())
    }

    /// Denies the actions, whatever else allows them.
    pub fn deny(&mut self, user: &str, on: &str, to: &[Action]) -> Result<(), RuleError> {
        self.deny.push(Rule::compile(user, on, to)?);
        Ok(())
    }

    /// Whether nothing at all is allowed.
    pub fn is_empty(&self) -> bool {
        self.allow.is_empty()
    }

    /// Whether something may be read or sent, but nothing be brought into being.
    pub fn lacks_create(&self) -> bool {
        let says = |action| self.allow.iter().any(|rule| rule.actions & bit(action) != 0);
        (says(Action::Read) || says(Action::Write)) && !says(Action::Create)
    }

    fn may_all(&self, action: Action, names: &Pattern) -> bool {
        let concerns = |rule: &&Rule| rule.actions & bit(action) != 0;
        self.allow.iter().filter(concerns).any(|rule| rule.pattern.covers(names))
            && !self.deny.iter().filter(concerns).any(|rule| rule.pattern.overlaps(names))
    }

    fn may(&self, action: Action, name: &DestinationName) -> bool {
        let applies = |rule: &Rule| rule.actions & bit(action) != 0 && rule.pattern.matches(name);
        self.allow.iter().any(applies) && !self.deny.iter().any(applies)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    pattern: Pattern,
    actions: u8,
}

impl Rule {
    /// Kinds of destinations that a pattern may begin with.
    const KINDS: [&'static str; 10] =
        ["queue", "topic", "temp-queue", "temp-topic", "remote-temp-queue", "remote-temp-topic", "*", "**", ">", "#"];

    fn compile(user: &str, on: &str, to: &[Action]) -> Result<Rule, RuleError> {
        if to.is_empty() {
            return Err(RuleError::NoAction);
        }
        // A name that could change the meaning of a pattern must not get into one.
        if on.contains("{user}") && (user.is_empty() || user.contains(['*', '>', '#', '/'])) {
            return Err(RuleError::UnsafeName { user: user.to_owned() });
        }
        let text = on.replace("{user}", user);
        // Temporary destinations have a full name of their own; a rule may say what clients say.
        let text = match text.strip_prefix("/temp-") {
            Some(rest) => format!("/remote-temp-{rest}"),
            None => text,
        };
        if let Some(kind) = text.strip_prefix('/').and_then(|path| path.split(['.', '/']).next())
            && !Rule::KINDS.contains(&kind)
        {
            return Err(RuleError::UnknownKind { kind: kind.to_owned() });
        }
        let pattern = Pattern::parse(&text)?;
        Ok(Rule { pattern, actions: to.iter().fold(0, |bits, action| bits | bit(*action)) })
    }
}

/// Why a rule cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RuleError {
    /// The pattern is none.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// It begins with a kind that no destination has, so it would never match.
    #[error("no destination begins with `/{kind}`; it is /queue/, /topic/, /temp-queue/ or /temp-topic/")]
    UnknownKind {
        /// What it begins with.
        kind: String,
    },
    /// `{user}` would put a wildcard or a separator into the pattern.
    #[error("`{{user}}` cannot be used by the user `{user}`, whose name holds one of `* > # /`")]
    UnsafeName {
        /// The user.
        user: String,
    },
    /// A rule about nothing.
    #[error("a rule names at least one action")]
    NoAction,
}

/// Who somebody is and what that one may do. Cloning shares.
#[derive(Clone, Debug)]
pub struct Grants {
    principal: Principal,
    /// `None`: everything, for the anonymous user of a broker without users, and for nobody else.
    rights: Option<Arc<Rights>>,
}

impl Grants {
    /// Everything is allowed: what a broker without users gives to everybody.
    pub fn everything() -> Grants {
        Grants { principal: Principal::new(Principal::ANONYMOUS), rights: None }
    }

    /// What a user of that name may do by these rights, without a login: to rehearse rules.
    pub fn of(user: &str, rights: Rights) -> Grants {
        Grants::limited(Principal::new(user), Arc::new(rights))
    }

    pub(super) fn limited(principal: Principal, rights: Arc<Rights>) -> Grants {
        Grants { principal, rights: Some(rights) }
    }

    /// Whether the action is allowed on that one, concrete destination.
    pub fn may(&self, action: Action, name: &DestinationName) -> bool {
        self.rights.as_ref().is_none_or(|rights| rights.may(action, name))
    }

    /// Whether the action is allowed on every destination that the pattern means, those to come included: one rule allows
    /// them all, and none denies any.
    pub fn may_all(&self, action: Action, names: &Pattern) -> bool {
        self.rights.as_ref().is_none_or(|rights| rights.may_all(action, names))
    }

    /// Whether these are the same rules.
    pub fn are_those_of(&self, other: &Grants) -> bool {
        self.rights == other.rights
    }

    /// Whether something may be denied: not to the anonymous user of a broker without users.
    pub fn is_limited(&self) -> bool {
        self.rights.is_some()
    }

    /// Who it is.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }
}

impl Writer for Grants {
    fn may_write(&self, name: &DestinationName) -> bool {
        self.may(Action::Write, name)
    }

    fn may_create(&self, name: &DestinationName) -> bool {
        self.may(Action::Create, name)
    }
}

impl Reader for Grants {
    fn may_read(&self, name: &DestinationName) -> bool {
        self.may(Action::Read, name)
    }
}

impl Permissions for Grants {
    fn user(&self) -> &str {
        self.principal.as_str()
    }

    fn may(&self, right: Action, name: &DestinationName) -> bool {
        Grants::may(self, right, name)
    }

    fn may_all(&self, right: Action, names: &Pattern) -> bool {
        Grants::may_all(self, right, names)
    }
}
