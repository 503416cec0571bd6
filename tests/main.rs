//! The tests of the whole, in one binary that links once.

mod abuse;
mod conformance;
mod connections;
mod engine_shell;
mod extremes;
mod history;
mod limits;
mod logins;
mod manage;
mod memory;
mod model;
mod panics;
mod rights;
mod routes;
mod schedules;
mod selection;
mod stops;
mod time;
mod units;
mod wire;
