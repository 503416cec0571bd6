//! The tests of the whole, in one binary that links once.

mod engine_model;
