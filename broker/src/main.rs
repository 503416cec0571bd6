//! The program: reads the command line, and either serves or carries out one command.

mod args;
mod command;
mod logging;

use std::process::ExitCode;

use clap::Parser as _;

use kolejka::config::Loaded;

use args::{Arguments, Command, Config, User};
use command::{Failure, Status};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        None => command::load(&arguments.serve).and_then(serve),
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

/// Serves until told to stop.
fn serve(loaded: Loaded) -> Result<Status, Failure> {
    logging::start(&loaded.config.log).map_err(|text| Failure::new(Status::BadConfig, text))?;
    // THE LEAD: the one call site of the server goes here, such as `kolejka::server::run(loaded.config)`.
    let _ = loaded;
    Ok(Status::Done)
}
