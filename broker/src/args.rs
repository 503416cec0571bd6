//! The command line: what can be typed, and nothing of what it does.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A STOMP message broker and job queue. Without a command, it serves.
#[derive(Debug, Parser)]
#[command(name = "kolejka", version, max_term_width = 100, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    /// What to serve, without a command.
    #[command(flatten)]
    pub(crate) serve: Serve,
    /// A command.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// How to serve.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Serve {
    /// Configuration file [default: /etc/kolejka/kolejka.toml, if it exists]
    #[arg(long, env = "KOLEJKA_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Directory of the journal
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Listen here and nowhere else; may be repeated, port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Vec<String>,
    /// auto, pretty, compact or json
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
    /// error, warn, info, debug, trace, or a filter by module
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
    /// Only start: read the journal into a broker, say what is there, change nothing and let nobody in
    #[arg(long, conflicts_with = "listen")]
    pub(crate) safe: bool,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Send messages
    Pub(Publish),
    /// Receive messages and print them
    Sub(Subscribe),
    /// Check, show and explain the configuration
    #[command(subcommand)]
    Config(Config),
    /// Manage users
    #[command(subcommand)]
    User(User),
    /// Look into a data directory, repair it, carry it elsewhere; while no broker uses it
    #[command(subcommand)]
    Journal(Journal),
}

/// Where the broker is and who asks.
#[derive(Args, Clone, Debug)]
pub(crate) struct Broker {
    /// The broker: stomp://[USER[:PASSCODE]@]HOST[:PORT]
    #[arg(long, env = "KOLEJKA_URL", hide_env_values = true, default_value = "stomp://127.0.0.1:61613")]
    pub(crate) url: String,
    /// Login, if it is not in the URL
    #[arg(long, short = 'U')]
    pub(crate) user: Option<String>,
    /// Passcode, if it is not in the URL; other users of this machine can see it
    #[arg(long, short = 'P', env = "KOLEJKA_PASSCODE", hide_env_values = true)]
    pub(crate) passcode: Option<String>,
}

/// `kolejka pub`.
#[derive(Args, Debug)]
pub(crate) struct Publish {
    /// Destination, such as /queue/mail or /topic/news
    pub(crate) destination: String,
    /// Text of the message, `-` for standard input, `@FILE` for a file; nothing for an empty message
    pub(crate) body: Option<String>,
    /// A header; may be repeated
    #[arg(long, short = 'H', value_name = "NAME:VALUE", value_parser = parse_header)]
    pub(crate) header: Vec<(String, String)>,
    /// Send it that many times
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..), value_name = "N")]
    pub(crate) count: u64,
    /// Wait until the broker has stored each message (the default)
    #[arg(long, overrides_with = "no_receipt")]
    pub(crate) receipt: bool,
    /// Wait only until the broker has taken everything
    #[arg(long, overrides_with = "receipt")]
    pub(crate) no_receipt: bool,
    /// The broker.
    #[command(flatten)]
    pub(crate) broker: Broker,
}

/// `kolejka sub`.
#[derive(Args, Debug)]
pub(crate) struct Subscribe {
    /// Destination, such as /queue/mail or /topic/news
    pub(crate) destination: String,
    /// When a message is done: as soon as it is sent (auto), or when it was printed
    #[arg(long, value_enum, default_value_t = Ack::ClientIndividual, value_name = "MODE")]
    pub(crate) ack: Ack,
    /// Stop after that many messages
    #[arg(long, short = 'C', value_parser = clap::value_parser!(u64).range(1..), value_name = "N")]
    pub(crate) count: Option<u64>,
    /// Stop after that long, with status 75 if messages are missing
    #[arg(long, short = 'W', value_parser = parse_time, value_name = "TIME")]
    pub(crate) timeout: Option<Duration>,
    /// Print one JSON object per message
    #[arg(long)]
    pub(crate) json: bool,
    /// Print all headers
    #[arg(long, short = 'v', conflicts_with = "json")]
    pub(crate) verbose: bool,
    /// A header of the SUBSCRIBE frame; may be repeated
    #[arg(long, short = 'H', value_name = "NAME:VALUE", value_parser = parse_header)]
    pub(crate) header: Vec<(String, String)>,
    /// The broker.
    #[command(flatten)]
    pub(crate) broker: Broker,
}

/// Acknowledgement modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ack {
    /// Never said; a message is done as soon as it is sent.
    Auto,
    /// Said for this message and all before it.
    Client,
    /// Said for each message.
    ClientIndividual,
}

impl Ack {
    /// The word of the `ack` header.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Ack::Auto => "auto",
            Ack::Client => "client",
            Ack::ClientIndividual => "client-individual",
        }
    }
}

/// `kolejka config`.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Say what is wrong with a file, or that nothing is
    Check(ConfigFile),
    /// Print every setting and where it comes from
    Show(ConfigFile),
    /// Print the reference of all settings, in Markdown
    Docs,
    /// Print a file with every setting, commented out
    Init,
}

/// Which file.
#[derive(Args, Debug)]
pub(crate) struct ConfigFile {
    /// The file [default: /etc/kolejka/kolejka.toml, if it exists]
    #[arg(env = "KOLEJKA_CONFIG")]
    pub(crate) file: Option<PathBuf>,
}

/// `kolejka user`.
#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Read a password from standard input and print what to write into the file
    Hash(Hash),
}

/// `kolejka user hash`.
#[derive(Args, Debug)]
pub(crate) struct Hash {
    /// Read it from standard input even if that is a terminal, which shows it
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

/// `kolejka journal`.
#[derive(Debug, Subcommand)]
pub(crate) enum Journal {
    /// Check every checksum, and say what is damaged and which messages are lost by it; changes nothing
    Verify(Verify),
    /// Print every record as one line of JSON; changes nothing
    Dump(Dump),
    /// Write what is sound into a fresh store and put all originals into quarantine
    Repair(Repair),
    /// Print all queues, messages, subscriptions and schedules as lines of JSON; changes nothing
    Export(Export),
    /// Read what `export` has printed into a directory
    Import(Import),
    /// Remove what keeps a broker from starting
    Drop(Drop),
}

/// Which data directory.
#[derive(Args, Clone, Debug)]
pub(crate) struct DataDirectory {
    /// Directory of the journal [default: that of the configuration]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Configuration file [default: /etc/kolejka/kolejka.toml, if it exists]
    #[arg(long, env = "KOLEJKA_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// `kolejka journal verify`.
#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// Print one JSON object per finding
    #[arg(long)]
    pub(crate) json: bool,
    /// The directory.
    #[command(flatten)]
    pub(crate) directory: DataDirectory,
}

/// `kolejka journal dump`.
#[derive(Args, Debug)]
pub(crate) struct Dump {
    /// Only records that name this queue, such as /queue/mail
    #[arg(long, value_name = "NAME")]
    pub(crate) queue: Option<String>,
    /// Only records of this segment: its file, or the number in its name
    #[arg(long, value_name = "SEGMENT", value_parser = parse_segment)]
    pub(crate) segment: Option<u64>,
    /// With headers, and bodies in Base64
    #[arg(long)]
    pub(crate) bodies: bool,
    /// The directory.
    #[command(flatten)]
    pub(crate) directory: DataDirectory,
}

/// `kolejka journal repair`.
#[derive(Args, Debug)]
pub(crate) struct Repair {
    /// Do it; without this, only say what would be done
    #[arg(long)]
    pub(crate) quarantine: bool,
    /// Print one JSON object per finding
    #[arg(long)]
    pub(crate) json: bool,
    /// The directory.
    #[command(flatten)]
    pub(crate) directory: DataDirectory,
}

/// `kolejka journal export`.
#[derive(Args, Debug)]
pub(crate) struct Export {
    /// Only this queue, such as /queue/mail; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) queue: Vec<String>,
    /// Into this file, which must not be there yet, instead of standard output
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The directory.
    #[command(flatten)]
    pub(crate) directory: DataDirectory,
}

/// `kolejka journal import`.
#[derive(Args, Debug)]
pub(crate) struct Import {
    /// What `export` has printed; `-` for standard input
    pub(crate) file: PathBuf,
    /// The directory.
    #[command(flatten)]
    pub(crate) directory: DataDirectory,
}

/// `kolejka journal drop`.
#[derive(Args, Debug)]
pub(crate) struct Drop {
    /// What it is
    #[arg(value_enum)]
    pub(crate) kind: Dropped,
    /// Its name; for a schedule its name or id, for a binding that of the subscription or its topics, for a queue without a
    /// name #NUMBER
    pub(crate) name: String,
    /// Only say what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The directory.
    #[command(flatten)]
    pub(crate) directory: DataDirectory,
}

/// What can be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dropped {
    /// A message that is sent again and again.
    Schedule,
    /// A durable subscription, with what waits for it.
    Binding,
    /// A queue, with what is in it.
    Queue,
}

/// `seg-000000000000001f`, or `1f`.
fn parse_segment(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix("seg-").unwrap_or(text);
    u64::from_str_radix(digits, 16).map_err(|_| "a segment is called seg- and 16 hexadecimal digits".to_owned())
}

fn parse_header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a header is written NAME:VALUE".to_owned()),
    }
}

/// A time with a unit; a bare number is seconds, as in `mosquitto_sub -W`.
fn parse_time(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<u32>() {
        return Ok(Duration::from_secs(seconds.into()));
    }
    kolejka::config::parse_duration(text)
}
