//! The program: reads the command line, and either serves or carries out one command.

mod args;
mod command;
mod logging;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Arguments, Command, Config, Journal, User};
use tikv_jemallocator::Jemalloc;

/// Gives back to the system what a backlog or a flood has taken, small blocks as well (decision 028).
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        None if arguments.serve.safe => command::start_safely(&arguments.serve),
        None => command::serve(&arguments.serve),
        Some(Command::Pub(publish)) => command::publish(&publish),
        Some(Command::Sub(subscribe)) => command::subscribe(&subscribe),
        Some(Command::Config(Config::Check(file))) => command::check_config(file.file),
        Some(Command::Config(Config::Show(file))) => command::show_config(file.file),
        Some(Command::Config(Config::Docs)) => command::print(&kolejka::config::reference_page()),
        Some(Command::Config(Config::Init)) => command::print(&kolejka::config::commented_file()),
        Some(Command::User(User::Hash(hash))) => command::hash_password(&hash),
        Some(Command::Journal(Journal::Verify(verify))) => command::verify(&verify),
        Some(Command::Journal(Journal::Dump(dump))) => command::dump(&dump),
        Some(Command::Journal(Journal::Repair(repair))) => command::repair(&repair),
        Some(Command::Journal(Journal::Export(export))) => command::export(&export),
        Some(Command::Journal(Journal::Import(import))) => command::import(&import),
        Some(Command::Journal(Journal::Drop(drop))) => command::drop_from_journal(&drop),
    };
    match outcome {
        Ok(status) => status.into(),
        Err(failure) => failure.report().into(),
    }
}
