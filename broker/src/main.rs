//! The program: reads the command line, and either serves or carries out one command.

mod args;
mod command;
mod logging;

use std::process::ExitCode;

use clap::Parser as _;

use kolejka::config::Config as Settings;

use crate::args::{Arguments, Command, Config, Serve, User};
use crate::command::{Failure, Status};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        None => serve(&arguments.serve),
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
fn serve(arguments: &Serve) -> Result<Status, Failure> {
    let config = command::load(arguments)?.config;
    logging::start(&config.log).map_err(|text| Failure::new(Status::BadConfig, text))?;
    let reload = || command::load(arguments).map(|loaded| loaded.config);
    run(config, &reload)
}

/// THE LEAD: the one call site of the server. `reload` reads everything again, for SIGHUP; its failure says why not.
fn run(config: Settings, reload: &dyn Fn() -> Result<Settings, Failure>) -> Result<Status, Failure> {
    let _ = (config, reload);
    Ok(Status::Done)
}
