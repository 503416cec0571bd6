//! A selector asked about one message.

use super::comparison::{calculate, compare};
use super::expression::{Expression, Relation};
use super::value::{Number, Value};
use crate::model::Candidate;

/// Whether the condition is true. What is unknown is not.
pub(super) fn holds(condition: &Expression, candidate: &Candidate<'_>) -> bool {
    truth(condition, candidate) == Some(true)
}

/// Recursion is as deep as the tree, which the parser's budgets bound.
fn truth(expression: &Expression, candidate: &Candidate<'_>) -> Option<bool> {
    match expression {
        Expression::And(sides) => match truth(&sides.0, candidate) {
            Some(false) => Some(false),
            left => match (left, truth(&sides.1, candidate)) {
                (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
        },
        Expression::Or(sides) => match truth(&sides.0, candidate) {
            Some(true) => Some(true),
            left => match (left, truth(&sides.1, candidate)) {
                (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
        },
        Expression::Not(inside) => truth(inside, candidate).map(|truth| !truth),
        Expression::Comparison(relation, sides) => {
            compare(*relation, &value(&sides.0, candidate), &value(&sides.1, candidate))
        }
        Expression::Between(parts) => {
            let found = value(&parts.0, candidate);
            let above = compare(Relation::GreaterOrEqual, &found, &value(&parts.1, candidate));
            let below = compare(Relation::LessOrEqual, &found, &value(&parts.2, candidate));
            match (above, below) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            }
        }
        Expression::In(left, list) => {
            let found = value(left, candidate);
            if found == Value::Unknown {
                return None;
            }
            Some(list.iter().any(|one| compare(Relation::Equal, &found, &Value::of(one)) == Some(true)))
        }
        Expression::Like(left, like) => match value(left, candidate) {
            Value::Text(text) => Some(like.matches(&text)),
            _ => None,
        },
        Expression::IsNull(inside) => Some(value(inside, candidate) == Value::Unknown),
        _ => value(expression, candidate).as_truth(),
    }
}

fn value<'a>(expression: &'a Expression, candidate: &Candidate<'a>) -> Value<'a> {
    match expression {
        Expression::Constant(constant) => Value::of(constant),
        Expression::Property(property) => property.of_message(candidate),
        Expression::Negative(inside) => match value(inside, candidate).as_number() {
            Some(Number::Integer(number)) if number != i64::MIN => Value::Integer(-number),
            Some(number) => Value::Decimal(-number.as_decimal()),
            None => Value::Unknown,
        },
        Expression::Complement(inside) => match value(inside, candidate).as_number() {
            Some(Number::Integer(number)) => Value::Integer(!number),
            _ => Value::Unknown,
        },
        Expression::Calculation(operation, sides) => {
            calculate(*operation, &value(&sides.0, candidate), &value(&sides.1, candidate))
        }
        condition => Value::truth(truth(condition, candidate)),
    }
}
