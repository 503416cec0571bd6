//! The tests of the whole, in one binary that links once.

mod abuse;
mod conformance;
mod engine_model;
mod history;
mod limits;
mod wire;
