//! `kolejka sub`: receives messages, prints them, and acknowledges what was printed.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use kolejka_codec::header::names;
use kolejka_codec::{Command, Frame};
use tokio::time::Instant;

use crate::args::{Ack, Subscribe};

use super::client::{Client, ClientError, Greeting, now};
use super::output;
use super::status::{Failure, Status};
use super::url::BrokerUrl;

/// The name of the one subscription.
const SUBSCRIPTION: &str = "sub";
/// Headers that every message has and nobody wants to read.
const DULL: [&str; 7] = [
    names::DESTINATION,
    names::MESSAGE_ID,
    names::SUBSCRIPTION,
    names::ACK,
    names::CONTENT_LENGTH,
    names::RECEIPT,
    "timestamp",
];

/// `kolejka sub`.
pub(crate) fn subscribe(arguments: &Subscribe) -> Result<Status, Failure> {
    let url = BrokerUrl::from_arguments(&arguments.broker)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let until = arguments.timeout.map(|time| now() + time);
        let mut client = Client::connect(&url).await?;
        client.say(&request(arguments)).await?;
        output::tell(&greeting(arguments, &url, &client.greeting));
        let mut number = 0;
        let end = tokio::select! {
            end = receive(&mut client, arguments, until, &mut number) => end,
            _ = tokio::signal::ctrl_c() => Err(ClientError::Interrupted.into()),
        };
        match end {
            Err(End::Client(ClientError::TimedOut)) => {
                client.disconnect().await?;
                let wanted = arguments.count.unwrap_or(1);
                if number < wanted {
                    return Err(Failure::new(
                        Status::TimedOut,
                        format!("timed out after {number} of {wanted} messages"),
                    ));
                }
                Ok(Status::Done)
            }
            Err(End::Client(ClientError::Interrupted)) => {
                // A frame may have been cut short; whoever presses Ctrl-C does not want to hear of it.
                let _ = client.disconnect().await;
                Ok(Status::Interrupted)
            }
            Err(End::Client(error)) => Err(error.into()),
            Err(End::Output(failure)) => Err(failure),
            Ok(()) => {
                client.disconnect().await?;
                Ok(Status::Done)
            }
        }
    })
}

/// Why receiving ended early.
enum End {
    Client(ClientError),
    Output(Failure),
}

impl From<ClientError> for End {
    fn from(error: ClientError) -> End {
        End::Client(error)
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> End {
        End::Output(failure)
    }
}

/// Prints messages until there are enough of them.
async fn receive(
    client: &mut Client,
    arguments: &Subscribe,
    until: Option<Instant>,
    number: &mut u64,
) -> Result<(), End> {
    while arguments.count.is_none_or(|count| *number < count) {
        let frame = client.hear(until).await?;
        if frame.command != Command::Message {
            continue;
        }
        *number += 1;
        output::print_octets(&show(arguments, *number, &frame))?;
        if arguments.ack != Ack::Auto {
            client.say(&acknowledgement(&frame)).await?;
        }
    }
    Ok(())
}

fn request(arguments: &Subscribe) -> Frame {
    let mut frame = Frame::new(Command::Subscribe)
        .header(names::ID, SUBSCRIPTION)
        .header(names::DESTINATION, &arguments.destination)
        .header(names::ACK, arguments.ack.as_str());
    for (name, value) in &arguments.header {
        frame = frame.header(name, value);
    }
    if let Some(count) = arguments.count {
        // Nobody else should wait for messages that would only be given back.
        frame = frame.header("prefetch-count", &count.min(100).to_string());
    }
    frame
}

/// Has what each version asks for: `id` in 1.2, `message-id` and `subscription` before.
fn acknowledgement(message: &Frame) -> Frame {
    let id = message.headers.get(names::MESSAGE_ID).unwrap_or_default();
    Frame::new(Command::Ack)
        .header(names::ID, message.headers.get(names::ACK).unwrap_or(id))
        .header(names::MESSAGE_ID, id)
        .header(names::SUBSCRIPTION, message.headers.get(names::SUBSCRIPTION).unwrap_or(SUBSCRIPTION))
}

fn greeting(arguments: &Subscribe, url: &BrokerUrl, greeting: &Greeting) -> String {
    let beat = |every: Option<Duration>| every.map_or("0".to_owned(), |every| format!("{}s", every.as_secs()));
    format!(
        "connected to {} as {}, heart-beat {}/{}. waiting on {} (ack: {})  Ctrl-C to stop",
        output::printable(greeting.server.as_deref().unwrap_or("a broker"), false),
        url.login.as_deref().unwrap_or("anonymous"),
        beat(greeting.send_every),
        beat(greeting.hear_every),
        arguments.destination,
        arguments.ack.as_str(),
    )
}

/// One message as it is printed.
fn show(arguments: &Subscribe, number: u64, frame: &Frame) -> Vec<u8> {
    if arguments.json {
        return as_json(number, frame);
    }
    let header = |name| output::printable(frame.headers.get(name).unwrap_or("-"), false);
    let mut head = format!("#{number}  {}  id {}", header(names::DESTINATION), header(names::MESSAGE_ID));
    let mut lines = String::new();
    for (name, value) in frame.headers.iter() {
        let (name, value) = (output::printable(name, false), output::printable(value, false));
        if arguments.verbose {
            let _ = writeln!(lines, "{name}: {value}");
        } else if !DULL.contains(&name.as_str()) {
            let _ = write!(head, "  {name}={value}");
        }
    }
    let mut octets = format!("{head}  {} B\n{lines}", frame.body.len()).into_bytes();
    // A pipe gets what was sent; a terminal must not be driven by it.
    if io::stdout().is_terminal() {
        octets.extend_from_slice(output::printable(&String::from_utf8_lossy(&frame.body), true).as_bytes());
    } else {
        octets.extend_from_slice(&frame.body);
    }
    if !octets.ends_with(b"\n") {
        octets.push(b'\n');
    }
    octets
}

/// One line: `body` if it is text, else `body_hex`.
fn as_json(number: u64, frame: &Frame) -> Vec<u8> {
    let mut headers = serde_json::Map::new();
    for (name, value) in frame.headers.iter() {
        // Of a repeated header the first one counts (STOMP 1.2, Repeated Header Entries).
        headers.entry(name).or_insert_with(|| value.into());
    }
    let mut object = serde_json::json!({
        "number": number,
        "destination": frame.headers.get(names::DESTINATION),
        "id": frame.headers.get(names::MESSAGE_ID),
        "headers": headers,
    });
    if let Ok(text) = std::str::from_utf8(&frame.body) {
        object["body"] = text.into();
    } else {
        let mut hex = String::with_capacity(frame.body.len() * 2);
        for octet in &frame.body {
            let _ = write!(hex, "{octet:02x}");
        }
        object["body_hex"] = hex.into();
    }
    format!("{object}\n").into_bytes()
}
