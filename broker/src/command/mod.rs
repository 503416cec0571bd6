//! The verbs of the command line. Each is one function from its arguments to a [`Status`]; none knows how it was typed.

mod client;
mod config;
mod journal;
mod output;
mod publish;
mod report;
mod safe;
mod serve;
mod status;
mod subscribe;
mod url;
mod user;

#[cfg(test)]
mod tests;

pub(crate) use config::{check_config, show_config};
pub(crate) use journal::{drop_from_journal, dump, export, import, repair, verify};
pub(crate) use output::print;
pub(crate) use publish::publish;
pub(crate) use safe::start_safely;
pub(crate) use serve::serve;
pub(crate) use subscribe::subscribe;
pub(crate) use user::hash_password;
