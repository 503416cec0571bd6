//! What a part of a selector comes to for one message.

use std::borrow::Cow;

use super::expression::Constant;

/// A value, or the lack of one. Texts are borrowed from the head of the message or from the selector.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    /// NULL: the header is missing, or what was asked cannot be said.
    Unknown,
    Boolean(bool),
    Integer(i64),
    Decimal(f64),
    Text(Cow<'a, str>),
}

/// A number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Integer(i64),
    Decimal(f64),
}

impl<'a> Value<'a> {
    pub(super) fn of(constant: &'a Constant) -> Value<'a> {
        match constant {
            Constant::Boolean(truth) => Value::Boolean(*truth),
            Constant::Integer(number) => Value::Integer(*number),
            Constant::Decimal(number) => Value::Decimal(*number),
            Constant::Text(text) => Value::Text(Cow::Borrowed(text)),
        }
    }

    /// An answer, as a value.
    pub(super) fn truth(answer: Option<bool>) -> Value<'a> {
        answer.map_or(Value::Unknown, Value::Boolean)
    }

    /// True, false or unknown. Headers are texts, so `true` and `false` count as what they say.
    pub(super) fn as_truth(&self) -> Option<bool> {
        match self {
            Value::Boolean(truth) => Some(*truth),
            Value::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Value::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// As a number: a text that reads as one is one.
    pub(super) fn as_number(&self) -> Option<Number> {
        match self {
            Value::Integer(number) => Some(Number::Integer(*number)),
            Value::Decimal(number) => Some(Number::Decimal(*number)),
            Value::Text(text) => Number::read(text),
            Value::Unknown | Value::Boolean(_) => None,
        }
    }
}

impl Number {
    fn read(text: &str) -> Option<Number> {
        // Words such as `inf` and `nan` are no numbers here.
        if !text.bytes().all(|octet| octet.is_ascii_digit() || b"+-.eE".contains(&octet)) {
            return None;
        }
        let decimal = || text.parse().ok().filter(|number: &f64| number.is_finite()).map(Number::Decimal);
        text.parse().ok().map(Number::Integer).or_else(decimal)
    }

    /// As a decimal number, perhaps less exact.
    pub(super) fn as_decimal(self) -> f64 {
        match self {
            Number::Integer(number) => number as f64,
            Number::Decimal(number) => number,
        }
    }

    /// Back to a value; a result that is no number is unknown.
    pub(super) fn into_value<'a>(self) -> Value<'a> {
        match self {
            Number::Integer(number) => Value::Integer(number),
            Number::Decimal(number) if number.is_finite() => Value::Decimal(number),
            Number::Decimal(_) => Value::Unknown,
        }
    }
}
