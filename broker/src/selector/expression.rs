//! A selector that has been understood.

use std::fmt;

use super::error::SelectorError;
use super::evaluation;
use super::like::Like;
use super::parser;
use super::property::Property;
use crate::model::{Candidate, Filter, Steps};

/// A condition over the headers of a message.
#[derive(Clone)]
pub struct Selector {
    text: Box<str>,
    condition: Expression,
    /// How often it goes through a head, or a value of it, at most.
    passes: u32,
}

impl Selector {
    /// Most octets of its text.
    pub const MAX_BYTES: usize = 1024;
    /// Most names, values and operators.
    pub const MAX_NODES: usize = 64;
    /// How deep brackets and prefix operators may nest.
    pub const MAX_DEPTH: usize = 16;

    /// Understands a text. The prefixes by which other brokers switch on what is always on here are skipped.
    pub fn parse(text: &str) -> Result<Selector, SelectorError> {
        let condition = parser::parse(text)?;
        Ok(Selector { passes: condition.passes(), condition, text: text.into() })
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Filter for Selector {
    fn wants(&self, candidate: &Candidate<'_>) -> bool {
        evaluation::holds(&self.condition, candidate)
    }

    fn steps(&self, head: usize) -> u64 {
        let passes = u64::from(self.passes);
        passes / 8 + Steps::of_bytes(passes * head as u64)
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Selector({})", self.text)
    }
}

/// A value that stands in the text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Constant {
    Boolean(bool),
    Integer(i64),
    Decimal(f64),
    Text(Box<str>),
}

/// What two values are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    Different,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What is calculated from two numbers; the last six from integers only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    And,
    Or,
    ExclusiveOr,
    ShiftLeft,
    ShiftRight,
}

/// A part of a selector.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    Constant(Constant),
    Property(Property),
    Negative(Box<Expression>),
    Complement(Box<Expression>),
    Calculation(Operation, Box<(Expression, Expression)>),
    Comparison(Relation, Box<(Expression, Expression)>),
    Between(Box<(Expression, Expression, Expression)>),
    In(Box<Expression>, Box<[Constant]>),
    Like(Box<Expression>, Like),
    IsNull(Box<Expression>),
    Not(Box<Expression>),
    And(Box<(Expression, Expression)>),
    Or(Box<(Expression, Expression)>),
}

impl Expression {
    /// It is true, false or unknown, and nothing else.
    pub(super) fn is_condition(&self) -> bool {
        use Expression::{And, Between, Comparison, In, IsNull, Like, Not, Or};
        matches!(self, Comparison(..) | Between(_) | In(..) | Like(..) | IsNull(_) | Not(_) | And(_) | Or(_))
    }

    /// How often a head, or one of its values, is gone through at most: to find a header, to compare it, to match it.
    pub(super) fn passes(&self) -> u32 {
        match self {
            Expression::Constant(_) => 0,
            Expression::Property(_) => 1,
            Expression::Negative(inside)
            | Expression::Complement(inside)
            | Expression::IsNull(inside)
            | Expression::Not(inside) => inside.passes(),
            Expression::Calculation(_, sides) | Expression::Comparison(_, sides) => {
                1 + sides.0.passes() + sides.1.passes()
            }
            Expression::And(sides) | Expression::Or(sides) => sides.0.passes() + sides.1.passes(),
            Expression::Between(parts) => 2 + parts.0.passes() + parts.1.passes() + parts.2.passes(),
            Expression::In(left, list) => left.passes() + list.len() as u32,
            // Characters cost more than bytes.
            Expression::Like(left, _) => left.passes() + 4,
        }
    }

    /// It may stand where a condition is wanted.
    pub(super) fn may_be_true(&self) -> bool {
        self.is_condition() || matches!(self, Expression::Constant(Constant::Boolean(_)) | Expression::Property(_))
    }
}
