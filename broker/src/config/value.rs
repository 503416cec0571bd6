//! Values of settings and what they may be. A value is checked where it is read, so that the fault can point there.

use std::fmt;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Origin, Problem};
use super::units::{format_duration, format_size, parse_duration, parse_size};
use crate::auth::Action;

/// What a setting may be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Any text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// `true` or `false`.
    Switch,
    /// A whole number within these bounds.
    Count(u32, u32),
    /// Octets within these bounds.
    Size(u64, u64),
    /// A time within these bounds.
    Time(Duration, Duration),
    /// A list of texts.
    List,
    /// A list of `{ on = "…", to = ["…"] }`.
    Rules,
}

/// A rule of a user as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RuleText {
    pub(super) on: String,
    pub(super) to: Vec<Action>,
    pub(super) at: Origin,
}

/// A value that its kind accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Switch(bool),
    Count(u32),
    Size(u64),
    Time(Duration),
    List(Vec<String>),
    Rules(Vec<RuleText>),
}

impl Kind {
    /// Reads the value of a key of the file. `name` is the key, for the message.
    pub(super) fn read_toml(self, name: &str, value: &Spanned<DeValue<'_>>) -> Result<Value, Problem> {
        let at = Origin::File(value.span());
        let wrong = |label: String| Problem::new(at.clone(), format!("`{name}` is not as it should be")).label(label);
        match (self, value.get_ref()) {
            (Kind::Text | Kind::Word(_) | Kind::Size(..) | Kind::Time(..), DeValue::String(text)) => {
                self.read_text(text).map_err(wrong)
            }
            (Kind::Size(..), DeValue::Integer(number)) => {
                parse_size(number.as_str()).map(Value::Size).map_err(|label| no_unit(name, at.clone(), label))
            }
            (Kind::Time(..), DeValue::Integer(number)) => {
                parse_duration(number.as_str()).map(Value::Time).map_err(|label| no_unit(name, at.clone(), label))
            }
            (Kind::Count(..), DeValue::Integer(number)) if number.radix() == 10 => {
                self.read_text(number.as_str()).map_err(wrong)
            }
            (Kind::Switch, DeValue::Boolean(switch)) => Ok(Value::Switch(*switch)),
            (Kind::List, DeValue::Array(items)) => {
                items.iter().map(|item| read_word(name, item)).collect::<Result<_, _>>().map(Value::List)
            }
            (Kind::Rules, DeValue::Array(items)) => {
                items.iter().map(read_rule).collect::<Result<_, _>>().map(Value::Rules)
            }
            (_, other) => Err(wrong(format!("{self} is wanted here, not {}", article(other.type_str())))),
        }
    }

    /// Reads a value that comes as text: from the environment or the command line.
    pub(super) fn read_text(self, text: &str) -> Result<Value, String> {
        match self {
            Kind::Text => Ok(Value::Text(text.to_owned())),
            Kind::Word(words) if words.contains(&text) => Ok(Value::Text(text.to_owned())),
            Kind::Switch => match text {
                "true" => Ok(Value::Switch(true)),
                "false" => Ok(Value::Switch(false)),
                _ => Err(format!("{self} is wanted here")),
            },
            Kind::Count(least, most) => match text.replace('_', "").parse() {
                Ok(count) if (least..=most).contains(&count) => Ok(Value::Count(count)),
                _ => Err(format!("{self} is wanted here")),
            },
            Kind::Size(least, most) => match parse_size(text)? {
                size if (least..=most).contains(&size) => Ok(Value::Size(size)),
                _ => Err(format!("{self} is wanted here")),
            },
            Kind::Time(least, most) => match parse_duration(text)? {
                time if (least..=most).contains(&time) => Ok(Value::Time(time)),
                _ => Err(format!("{self} is wanted here")),
            },
            Kind::List => Ok(Value::List(text.split(',').map(|word| word.trim().to_owned()).collect())),
            Kind::Word(_) => Err(format!("{self} is wanted here")),
            Kind::Rules => Err("rules can be written only in the file".to_owned()),
        }
    }
}

fn no_unit(name: &str, at: Origin, label: String) -> Problem {
    Problem::new(at, format!("`{name}` has no unit")).label(label)
}

fn article(type_name: &str) -> String {
    format!("{} {type_name}", if type_name.starts_with(['a', 'i']) { "an" } else { "a" })
}

fn read_word(name: &str, item: &Spanned<DeValue<'_>>) -> Result<String, Problem> {
    match item.get_ref() {
        DeValue::String(text) => Ok(text.to_string()),
        other => Err(Problem::new(Origin::File(item.span()), format!("`{name}` is a list of texts"))
            .label(format!("not {}", article(other.type_str())))),
    }
}

fn read_rule(item: &Spanned<DeValue<'_>>) -> Result<RuleText, Problem> {
    const HELP: &str = "a rule is written as { on = \"/queue/mail.**\", to = [\"read\", \"write\", \"create\"] }";
    let at = Origin::File(item.span());
    let DeValue::Table(table) = item.get_ref() else {
        return Err(Problem::new(at, "this is no rule").help(HELP));
    };
    if let Some((key, value)) = table.iter().find(|(key, _)| !matches!(key.get_ref().as_ref(), "on" | "to")) {
        let problem = Problem::new(Origin::File(key.span()), format!("unknown key `{}` in a rule", key.get_ref()));
        return Err(problem.help(HELP).hide(value.span()));
    }
    let Some(DeValue::String(on)) = table.get("on").map(Spanned::get_ref) else {
        return Err(Problem::new(at, "a rule needs `on`, the pattern it is about").help(HELP));
    };
    Ok(RuleText { on: on.to_string(), to: read_actions(table, &at).map_err(|problem| problem.help(HELP))?, at })
}

fn read_actions(rule: &DeTable<'_>, at: &Origin) -> Result<Vec<Action>, Problem> {
    let Some(DeValue::Array(words)) = rule.get("to").map(Spanned::get_ref) else {
        return Err(Problem::new(at.clone(), "a rule needs `to`, the list of its actions"));
    };
    let action = |item: &Spanned<DeValue<'_>>| {
        let word = read_word("to", item)?;
        Action::from_word(&word).ok_or_else(|| {
            Problem::new(Origin::File(item.span()), format!("there is no action `{word}`"))
                .label("actions are read, write, create and manage")
        })
    };
    words.iter().map(action).collect()
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Kind::Text => f.write_str("a text"),
            Kind::Word(words) => write!(f, "one of {}", words.join(", ")),
            Kind::Switch => f.write_str("true or false"),
            Kind::Count(least, most) => write!(f, "a number from {least} to {most}"),
            Kind::Size(least, most) => write!(f, "a size from {} to {}", format_size(least), format_size(most)),
            Kind::Time(least, most) => {
                write!(f, "a duration from {} to {}", format_duration(least), format_duration(most))
            }
            Kind::List => f.write_str("a list of texts"),
            Kind::Rules => f.write_str("a list of rules"),
        }
    }
}

/// As TOML.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => quote(f, text),
            Value::Switch(switch) => switch.fmt(f),
            Value::Count(count) => count.fmt(f),
            Value::Size(octets) => quote(f, &format_size(*octets)),
            Value::Time(time) => quote(f, &format_duration(*time)),
            Value::List(words) => list(f, words, |f, word| quote(f, word)),
            Value::Rules(rules) => list(f, rules, |f, rule| {
                f.write_str("{ on = ")?;
                quote(f, &rule.on)?;
                f.write_str(", to = ")?;
                list(f, &rule.to, |f, action| quote(f, action.as_str()))?;
                f.write_str(" }")
            }),
        }
    }
}

fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    write!(f, "{}", toml::Value::from(text))
}

fn list<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    show: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    f.write_str("[")?;
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        show(f, item)?;
    }
    f.write_str("]")
}

/// A type that a field of the configuration can have.
pub(super) trait Setting: Sized {
    /// The value, if it is of this type.
    fn from_value(value: &Value) -> Option<Self>;
}

macro_rules! setting {
    ($($type:ty: $variant:ident),+) => {
        $(impl Setting for $type {
            fn from_value(value: &Value) -> Option<$type> {
                if let Value::$variant(inner) = value { Some(inner.clone()) } else { None }
            }
        })+
    };
}

setting!(String: Text, bool: Switch, u32: Count, u64: Size, Duration: Time, Vec<String>: List, Vec<RuleText>: Rules);

impl Setting for Option<u64> {
    fn from_value(value: &Value) -> Option<Option<u64>> {
        u64::from_value(value).map(Some)
    }
}
