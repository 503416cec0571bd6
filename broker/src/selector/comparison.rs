//! What two values are to each other, and what is calculated from them. Three answers: yes, no, and unknown.

use std::cmp::Ordering;

use super::expression::{Operation, Relation};
use super::value::{Number, Value};

/// Whether the relation holds. Numbers are compared with what reads as a number, truths with what reads as one, texts by
/// their characters; a text and another text that both read as numbers are ordered as numbers, and equal only if they are
/// the same text.
pub(super) fn compare(relation: Relation, left: &Value<'_>, right: &Value<'_>) -> Option<bool> {
    let ordering = match (left, right) {
        (Value::Unknown, _) | (_, Value::Unknown) => return None,
        (Value::Boolean(_), _) | (_, Value::Boolean(_)) => {
            let equal = left.as_truth()? == right.as_truth()?;
            return match relation {
                Relation::Equal => Some(equal),
                Relation::Different => Some(!equal),
                _ => None,
            };
        }
        (Value::Text(left), Value::Text(right)) if matches!(relation, Relation::Equal | Relation::Different) => {
            left.cmp(right)
        }
        (Value::Text(a), Value::Text(b)) => match (left.as_number(), right.as_number()) {
            (Some(left), Some(right)) => order(left, right)?,
            _ => a.cmp(b),
        },
        _ => order(left.as_number()?, right.as_number()?)?,
    };
    Some(match relation {
        Relation::Equal => ordering == Ordering::Equal,
        Relation::Different => ordering != Ordering::Equal,
        Relation::Less => ordering == Ordering::Less,
        Relation::LessOrEqual => ordering != Ordering::Greater,
        Relation::Greater => ordering == Ordering::Greater,
        Relation::GreaterOrEqual => ordering != Ordering::Less,
    })
}

fn order(left: Number, right: Number) -> Option<Ordering> {
    match (left, right) {
        (Number::Integer(left), Number::Integer(right)) => Some(left.cmp(&right)),
        _ => left.as_decimal().partial_cmp(&right.as_decimal()),
    }
}

/// The result, or unknown: for what is no number, for a division by zero, for bits of what is no integer.
pub(super) fn calculate(operation: Operation, left: &Value<'_>, right: &Value<'_>) -> Value<'static> {
    let (Some(left), Some(right)) = (left.as_number(), right.as_number()) else { return Value::Unknown };
    if let (Number::Integer(left), Number::Integer(right)) = (left, right) {
        if let Some(result) = whole(operation, left, right) {
            return Value::Integer(result);
        }
        if right == 0 && matches!(operation, Operation::Divide | Operation::Remainder) {
            return Value::Unknown;
        }
    }
    let (left, right) = (left.as_decimal(), right.as_decimal());
    let result = match operation {
        Operation::Add => left + right,
        Operation::Subtract => left - right,
        Operation::Multiply => left * right,
        Operation::Divide => left / right,
        Operation::Remainder => left % right,
        _ => f64::NAN,
    };
    Number::Decimal(result).into_value()
}

/// With integers; `None` beyond 64 bits.
fn whole(operation: Operation, left: i64, right: i64) -> Option<i64> {
    let bits = || u32::try_from(right).ok().filter(|bits| *bits < i64::BITS);
    match operation {
        Operation::Add => left.checked_add(right),
        Operation::Subtract => left.checked_sub(right),
        Operation::Multiply => left.checked_mul(right),
        Operation::Divide => left.checked_div(right),
        Operation::Remainder => left.checked_rem(right),
        Operation::And => Some(left & right),
        Operation::Or => Some(left | right),
        Operation::ExclusiveOr => Some(left ^ right),
        Operation::ShiftLeft => bits().map(|bits| left << bits),
        Operation::ShiftRight => bits().map(|bits| left >> bits),
    }
}
