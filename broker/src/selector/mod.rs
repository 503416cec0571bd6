//! Selectors: conditions over the headers of a message, in the subset of SQL-92 that JMS chose.
//!
//! A text becomes a [`Selector`] once, within budgets on its octets, nodes and nesting; it is then asked about message
//! after message and allocates nothing for it, unless a header it reads holds an escape. It is a total language: no
//! loops, no regular expressions, no errors after parsing. What cannot be compared is *unknown*, and what is unknown is
//! not selected. It knows heads of messages, no queue and no client.
//!
//! Where we differ from JMS: texts that read as numbers are compared as numbers with numbers; names may hold `-` and `.`
//! before a letter; `& | ^ ~ << >> %` calculate with integers; texts have an order.

mod comparison;
mod error;
mod evaluation;
mod expression;
mod like;
mod parser;
mod property;
mod token;
mod value;

#[cfg(test)]
mod tests;

pub use error::{Problem, SelectorError};
pub use expression::Selector;
