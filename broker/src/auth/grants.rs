//! What somebody may do. Rules are compiled at start; asking is a walk over a few patterns.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use super::origin::{Origin, queues_told_of, subscription};
use crate::model::Right as Action;
use crate::model::{DestinationName, Pattern, PatternError, Permissions, Reader, Segment, Writer};

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

    /// What the broker tells is read by those who may read all that it tells of.
    fn may_all(&self, action: Action, names: &Pattern) -> bool {
        let concerns = |rule: &&Rule| rule.actions & bit(action) != 0;
        let is_denied = |names: &Pattern| self.deny.iter().filter(concerns).any(|rule| rule.pattern.overlaps(names));
        let told_of = if action == Action::Read { queues_told_of(names) } else { None };
        let sources = told_of.as_ref().unwrap_or(names);
        let is_allowed = self.allow.iter().filter(concerns).any(|rule| rule.pattern.covers(sources));
        is_allowed && !is_denied(sources) && !is_denied(names)
    }

    /// To send goes by the name alone. All else goes by the name, unless that is made from another: then by where what is
    /// there comes from.
    fn may(&self, action: Action, name: &DestinationName) -> bool {
        let origin = if action == Action::Write { Origin::Itself } else { Origin::of(name) };
        match origin {
            Origin::Itself => says(&self.allow, action, name) && !says(&self.deny, action, name),
            _ if says(&self.deny, action, name) => false,
            // A rule that names dead letters is about them; what is denied where they came from stays so.
            Origin::DeadLetters(from) if self.names_dead_letters(action, name) => !self.is_denied(action, &from),
            Origin::DeadLetters(from) => self.may(action, &from),
            Origin::Events(of) => self.may(action, &of),
            Origin::Gathered(topics) => {
                says(&self.allow, action, name) && (action != Action::Read || self.may_all(action, &topics))
            }
        }
    }

    /// Whether a dead letter that came from `origin` may be taken out of `queue`.
    fn may_take(&self, user: &str, (action, queue): (Action, &DestinationName), origin: &DestinationName) -> bool {
        if let Some((login, topics)) = subscription(origin) {
            return login == user || self.may_all(Action::Read, &topics);
        }
        let is_meant = self.names_dead_letters(action, queue);
        if is_meant { !self.is_denied(action, origin) } else { self.may(action, origin) }
    }

    /// Whether a rule denies it there or where that comes from in turn.
    fn is_denied(&self, action: Action, name: &DestinationName) -> bool {
        let further = match Origin::of(name) {
            Origin::DeadLetters(from) => self.is_denied(action, &from),
            _ => false,
        };
        further || says(&self.deny, action, name)
    }

    /// Whether a rule allows it in so many words: it has no wildcard, or begins with `DLQ`.
    fn names_dead_letters(&self, action: Action, name: &DestinationName) -> bool {
        let is_explicit = |rule: &&Rule| {
            let first = rule.pattern.segments().get(1);
            rule.pattern.name().is_some() || matches!(first, Some(Segment::Exactly(first)) if first == "DLQ")
        };
        let mut explicit = self.allow.iter().filter(is_explicit);
        explicit.any(|rule| rule.actions & bit(action) != 0 && rule.pattern.matches(name))
    }
}

/// Whether one of some rules is about that action on that destination.
fn says(rules: &[Rule], action: Action, name: &DestinationName) -> bool {
    rules.iter().any(|rule| rule.actions & bit(action) != 0 && rule.pattern.matches(name))
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
        // A name that is more than one part of a destination would mean what belongs to other users.
        let is_one_part = DestinationName::queue(user).is_ok() && !user.contains(['.', '/']);
        if on.contains("{user}") && !is_one_part {
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
    #[error(
        "`{{user}}` stands for one part of a destination, and the name `{user}` is none: it holds a dot, a slash, a comma, a blank or one of `* > #`"
    )]
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

    fn may_take(&self, right: Action, queue: &DestinationName, origin: &DestinationName) -> bool {
        let rights = self.rights.as_ref();
        rights.is_none_or(|rights| rights.may_take(self.principal.as_str(), (right, queue), origin))
    }
}
