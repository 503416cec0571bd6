//! `kolejka pub`: sends messages, and says what became of them.

use std::io::{self, Read as _};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kolejka_codec::header::names;
use kolejka_codec::{Command, Frame};

use crate::args::Publish;

use super::client::{Client, ClientError, now};
use super::output;
use super::status::{Failure, Status};
use super::url::BrokerUrl;

/// Messages sent before their receipts are waited for.
const WINDOW: u64 = 256;
/// Octets sent before a write.
const BURST_BYTES: usize = 256 << 10;
/// Most octets of a body: the hard maximum of the broker.
const MAX_BODY_BYTES: u64 = 64 << 20;
/// How long the broker may take with one receipt.
const RECEIPT_TIMEOUT: Duration = Duration::from_secs(60);

/// `kolejka pub`.
pub(crate) fn publish(arguments: &Publish) -> Result<Status, Failure> {
    let url = BrokerUrl::from_arguments(&arguments.broker)?;
    let body = read_body(arguments.body.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut client = Client::connect(&url).await?;
        let start = now();
        let receipt = send(&mut client, arguments, &body).await?;
        let took = start.elapsed();
        client.disconnect().await?;
        output::print(&summary(arguments, body.len(), receipt.as_ref(), took))
    })
}

/// Sends all of them; returns the last receipt, if receipts were asked for.
async fn send(client: &mut Client, arguments: &Publish, body: &Bytes) -> Result<Option<Frame>, ClientError> {
    let mut burst = BytesMut::new();
    let mut last = None;
    let mut received = 0;
    for number in 1..=arguments.count {
        client.encode(&message(arguments, number, body), &mut burst);
        let (is_last, is_full) = (number == arguments.count, number - received >= WINDOW);
        if !(is_last || is_full || burst.len() >= BURST_BYTES) {
            continue;
        }
        client.write(&burst).await?;
        burst.clear();
        if arguments.no_receipt {
            received = number;
        }
        // While half of the window is waited for, the other half keeps the broker busy.
        let open = if is_last { 0 } else { WINDOW / 2 };
        while (is_last || is_full) && received + open < number {
            received += 1;
            last = Some(client.hear_receipt(&received.to_string(), Some(now() + RECEIPT_TIMEOUT)).await?);
        }
    }
    Ok(last)
}

fn message(arguments: &Publish, number: u64, body: &Bytes) -> Frame {
    let mut frame = Frame::new(Command::Send).header(names::DESTINATION, &arguments.destination);
    if !arguments.no_receipt {
        frame = frame.header(names::RECEIPT, &number.to_string());
    }
    for (name, value) in &arguments.header {
        frame = frame.header(name, value);
    }
    frame.body(body.clone())
}

/// What happened, in one line. Only what a receipt promised is called stored.
fn summary(arguments: &Publish, octets: usize, receipt: Option<&Frame>, took: Duration) -> String {
    let header =
        |wanted: &str| arguments.header.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let is_queue = arguments.destination.starts_with("/queue/") || !arguments.destination.starts_with('/');
    let is_durable = is_queue && header("persistent") != Some("false");
    let mut parts = vec![if receipt.is_some() && is_durable { "stored".to_owned() } else { "sent".to_owned() }];
    if let Some(id) = receipt.and_then(|receipt| receipt.headers.get(names::MESSAGE_ID))
        && arguments.count == 1
    {
        parts.push(format!("id {id}"));
    }
    if arguments.count > 1 {
        parts.push(format!("{} messages of", arguments.count));
    }
    parts.push(format!("{octets} B"));
    if receipt.is_some() {
        parts.push(if is_durable { "durable".to_owned() } else { "in memory".to_owned() });
    }
    parts.push(format!("{:.1} ms", took.as_secs_f64() * 1000.0));
    let line = parts.join("  ");
    format!("{}\n", line.replace("messages of  ", "messages of "))
}

fn read_body(body: Option<&str>) -> Result<Bytes, Failure> {
    match body {
        None => Ok(Bytes::new()),
        Some("-") => read_all(io::stdin().lock(), "standard input"),
        Some(text) => match text.strip_prefix('@') {
            Some(path) => read_all(open(path)?, path),
            None => Ok(Bytes::copy_from_slice(text.as_bytes())),
        },
    }
}

fn read_all(source: impl io::Read, name: &str) -> Result<Bytes, Failure> {
    let mut octets = Vec::new();
    let read = source.take(MAX_BODY_BYTES + 1).read_to_end(&mut octets);
    let length = read.map_err(|error| Failure::new(Status::Io, format!("cannot read {name}: {error}")))?;
    if length as u64 > MAX_BODY_BYTES {
        return Err(Failure::new(Status::Usage, format!("{name} is larger than a message can be: 64 MiB")));
    }
    Ok(octets.into())
}

#[expect(clippy::disallowed_methods, reason = "the user names a file to be sent")]
fn open(path: &str) -> Result<std::fs::File, Failure> {
    std::fs::File::open(path).map_err(|error| Failure::new(Status::Io, format!("cannot open {path}: {error}")))
}
