//! The program: reads the command line, and either serves or carries out one command.

mod args;
mod command;
mod logging;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Arguments, Command, Config, User};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        None => command::serve(&arguments.serve),
        Some(Command::Pub(publish)) => command::publish(&publish),
        Some(Command::Sub(subscribe)) => command::subscribe(&subscribe),
        Some(Command::Config(Config::Check(file))) => command::check_config(file.file),
        Some(Command::Config(Config::Show(file))) => command::show_config(file.file),
        Some(Command::Config(Config::Docs)) => command::print(&kolejka::config::reference_page()),
        Some(Command::Config(Config::Init)) => command::print(&kolejka::config::commented_file()),
        Some(Command::User(User::Hash(hash))) => command::hash_password(&hash),
    };
    match outcome {
        Ok(status) => status.into(),
        Err(failure) => failure.report().into(),
    }
}
