//! What is wrong with a text that should be a selector, and where.

use thiserror::Error;

use super::expression::Selector;

/// Why a text is no selector.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("column {column}: {problem}")]
pub struct SelectorError {
    /// Where, in characters from 1.
    pub column: usize,
    /// What.
    pub problem: Problem,
}

/// What is wrong there.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// Longer than [`Selector::MAX_BYTES`].
    #[error("a selector has at most {} octets", Selector::MAX_BYTES)]
    TooLong,
    /// More than [`Selector::MAX_NODES`].
    #[error("a selector has at most {} names, values and operators", Selector::MAX_NODES)]
    TooManyNodes,
    /// Deeper than [`Selector::MAX_DEPTH`].
    #[error("brackets and prefixes nest at most {} deep", Selector::MAX_DEPTH)]
    TooDeep,
    /// A character that means nothing here.
    #[error("this character means nothing here")]
    UnknownCharacter,
    /// A quotation mark without its partner.
    #[error("the quotation mark is never closed")]
    OpenQuote,
    /// A number that is none, or beyond 64 bits.
    #[error("not a number, or one beyond 64 bits")]
    BadNumber,
    /// Something else should stand here.
    #[error("{0} is expected here")]
    Expected(&'static str),
    /// A condition among values, as in `a < b < c`.
    #[error("a condition cannot be compared or calculated with")]
    ConditionAsValue,
    /// An escape character in front of something that needs none, or nothing.
    #[error("the escape character stands before %, _ or itself only")]
    BadEscape,
    /// A stretch of a pattern that would be slow to search for.
    #[error("a part of a pattern that holds _ has at most 64 characters between two %")]
    LongPattern,
}
