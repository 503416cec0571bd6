//! A STOMP client for the command line: one connection, frames out and in, heart-beats. Speaks to any STOMP broker.

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use kolejka_codec::escape::unescape;
use kolejka_codec::header::names;
use kolejka_codec::{Command, Decoder, Ending, Frame, Item, Limits, Version, encode};
use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

use super::output;
use super::url::BrokerUrl;

/// How long a broker may take to be reached and to answer CONNECT.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often both sides show that they live.
const HEART_BEAT: Duration = Duration::from_secs(10);
/// Silence of that many heart-beats is death.
const PATIENCE: u32 = 3;
/// Most octets of a body that is accepted: the hard maximum of the broker.
const BODY_BYTES: usize = 64 << 20;

/// Of the body of an ERROR no more is shown.
const MAX_REMEDY_CHARS: usize = 300;

/// A connection on which CONNECTED was received.
#[derive(Debug)]
pub(super) struct Client {
    stream: TcpStream,
    decoder: Decoder,
    buffer: BytesMut,
    version: Version,
    /// What CONNECTED said.
    pub(super) greeting: Greeting,
    last_heard: Instant,
    last_said: Instant,
}

/// What a broker said of itself and of the connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Greeting {
    /// Its `server` header.
    pub(super) server: Option<String>,
    /// How often we must send something.
    pub(super) send_every: Option<Duration>,
    /// How often it promises to.
    pub(super) hear_every: Option<Duration>,
}

/// Why a conversation ended.
#[derive(Debug, Error)]
pub(super) enum ClientError {
    /// Nobody listens there.
    #[error("cannot reach a broker at {place}: {cause}. Is it running? Another address: --url or KOLEJKA_URL")]
    Unreachable { place: String, cause: io::Error },
    /// The broker does not let us in.
    #[error("{0}", in_words("the broker refused the login", .message, ". Login and passcode: --user and --passcode"))]
    Refused { message: String },
    /// An ERROR frame later on.
    #[error("{0}", in_words("the broker says", .message, ""))]
    Error { code: Option<String>, message: String },
    /// Whoever listens there speaks something else.
    #[error("what listens at {place} does not speak STOMP: {cause}")]
    NotStomp { place: String, cause: String },
    /// The connection ended without a word.
    #[error("the broker closed the connection")]
    Closed,
    /// Out of time.
    #[error("timed out")]
    TimedOut,
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

fn in_words(what: &str, message: &str, remedy: &str) -> String {
    format!("{what}: {}{remedy}", output::printable(message, false))
}

impl Client {
    /// Connects and logs in.
    pub(super) async fn connect(url: &BrokerUrl) -> Result<Client, ClientError> {
        let unreachable = |cause| ClientError::Unreachable { place: url.to_string(), cause };
        let late = |_| io::Error::from(io::ErrorKind::TimedOut);
        let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect((url.host.as_str(), url.port)))
            .await
            .map_err(|elapsed| unreachable(late(elapsed)))?
            .map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let now = now();
        let limits = Limits { body_bytes: BODY_BYTES, ..Limits::default() };
        let mut client = Client {
            stream,
            decoder: Decoder::new(limits),
            buffer: BytesMut::new(),
            version: Version::V1_0,
            greeting: Greeting::default(),
            last_heard: now,
            last_said: now,
        };
        client.say(&hello(url)).await?;
        let answer = match client.hear(Some(now + CONNECT_TIMEOUT)).await {
            Ok(frame) => frame,
            Err(ClientError::Error { code, message }) => {
                // Before a version is agreed the broker may have spelled it in any of them.
                let message = unescape(&message, Version::V1_2).map(Cow::into_owned).unwrap_or(message);
                // Brokers without such codes say no to a login, most of the time.
                return Err(match code.as_deref() {
                    None | Some("login-failed") => ClientError::Refused { message },
                    Some(_) => ClientError::Error { code, message },
                });
            }
            Err(ClientError::NotStomp { cause, .. }) => {
                return Err(ClientError::NotStomp { place: url.to_string(), cause });
            }
            Err(ClientError::TimedOut) => {
                let cause = "no answer to CONNECT within 10 seconds".to_owned();
                return Err(ClientError::NotStomp { place: url.to_string(), cause });
            }
            Err(other) => return Err(other),
        };
        client.greet(&answer, url)?;
        Ok(client)
    }

    fn greet(&mut self, answer: &Frame, url: &BrokerUrl) -> Result<(), ClientError> {
        let wrong = |cause: &str| ClientError::NotStomp { place: url.to_string(), cause: cause.to_owned() };
        if answer.command != Command::Connected {
            return Err(wrong("its first frame is not CONNECTED"));
        }
        self.version = Version::negotiate(answer.headers.get(names::VERSION)).ok_or(wrong("an unknown version"))?;
        self.decoder.set_version(self.version);
        let beats = answer.headers.get(names::HEART_BEAT).unwrap_or("0,0");
        let (sends, wants) = beats.split_once(',').unwrap_or(("0", "0"));
        // STOMP 1.2, Heart-beating: the slower of what one side can do and the other wants; zero is never.
        let agree = |theirs: &str| match theirs.trim().parse().map(Duration::from_millis) {
            Ok(theirs) if !theirs.is_zero() => Some(theirs.max(HEART_BEAT)),
            _ => None,
        };
        self.greeting = Greeting {
            server: answer.headers.get(names::SERVER).map(str::to_owned),
            send_every: agree(wants),
            hear_every: agree(sends),
        };
        Ok(())
    }

    /// Sends a frame.
    pub(super) async fn say(&mut self, frame: &Frame) -> Result<(), ClientError> {
        let mut octets = BytesMut::new();
        encode(frame, self.version, Ending::NulLf, &mut octets);
        self.write(&octets).await
    }

    /// Sends octets that are frames already.
    pub(super) async fn write(&mut self, octets: &[u8]) -> Result<(), ClientError> {
        self.last_said = now();
        if self.stream.write_all(octets).await.is_ok() {
            return Ok(());
        }
        // A broker that closes says why first; that is worth more than "broken pipe".
        match self.hear(Some(now() + Duration::from_secs(1))).await {
            Err(error @ ClientError::Error { .. }) => Err(error),
            _ => Err(ClientError::Closed),
        }
    }

    /// Encodes a frame for this connection, to be sent with others.
    pub(super) fn encode(&self, frame: &Frame, into: &mut BytesMut) {
        encode(frame, self.version, Ending::NulLf, into);
    }

    /// Waits for the next frame, keeping heart-beats going. An ERROR frame is an error.
    pub(super) async fn hear(&mut self, until: Option<Instant>) -> Result<Frame, ClientError> {
        loop {
            match self.decoder.decode(&mut self.buffer) {
                Ok(Some(Item::Frame(frame))) if frame.command == Command::Error => return Err(refusal(&frame)),
                Ok(Some(Item::Frame(frame))) => return Ok(frame),
                Ok(Some(Item::HeartBeat)) => {}
                Ok(None) => self.read(until).await?,
                Err(error) => return Err(ClientError::NotStomp { place: self.place(), cause: error.to_string() }),
            }
        }
    }

    /// Waits for a RECEIPT with that id; other frames on the way are dropped.
    pub(super) async fn hear_receipt(&mut self, id: &str, until: Option<Instant>) -> Result<Frame, ClientError> {
        loop {
            let frame = self.hear(until).await?;
            if frame.command == Command::Receipt && frame.headers.get(names::RECEIPT_ID) == Some(id) {
                return Ok(frame);
            }
        }
    }

    /// Says goodbye and waits until the broker has processed everything that was sent before.
    pub(super) async fn disconnect(mut self) -> Result<(), ClientError> {
        self.say(&Frame::new(Command::Disconnect).header(names::RECEIPT, "bye")).await?;
        self.hear_receipt("bye", Some(now() + CONNECT_TIMEOUT)).await?;
        Ok(())
    }

    /// One read, or one heart-beat, or the end of patience.
    async fn read(&mut self, until: Option<Instant>) -> Result<(), ClientError> {
        let far = now() + Duration::from_secs(86_400);
        let beat = self.greeting.send_every.map_or(far, |every| self.last_said + every);
        let dead = self.greeting.hear_every.map_or(far, |every| self.last_heard + every * PATIENCE);
        self.buffer.reserve(16 << 10);
        tokio::select! {
            read = self.stream.read_buf(&mut self.buffer) => match read {
                Ok(0) | Err(_) => Err(ClientError::Closed),
                Ok(_) => { self.last_heard = now(); Ok(()) }
            },
            () = sleep_until(beat) => self.write_beat().await,
            () = sleep_until(dead) => Err(ClientError::Closed),
            () = sleep_until(until.unwrap_or(far)) => if until.is_some() { Err(ClientError::TimedOut) } else { Ok(()) },
        }
    }

    async fn write_beat(&mut self) -> Result<(), ClientError> {
        self.last_said = now();
        self.stream.write_all(b"\n").await.map_err(|_| ClientError::Closed)
    }

    fn place(&self) -> String {
        self.stream.peer_addr().map_or_else(|_| "that address".to_owned(), |address| address.to_string())
    }
}

fn hello(url: &BrokerUrl) -> Frame {
    let beat = HEART_BEAT.as_millis();
    let mut frame = Frame::new(Command::Connect)
        .header(names::ACCEPT_VERSION, "1.0,1.1,1.2")
        .header(names::HOST, &url.host)
        .header(names::HEART_BEAT, &format!("{beat},{beat}"));
    if let Some(login) = &url.login {
        frame = frame.header(names::LOGIN, login);
    }
    if let Some(passcode) = &url.passcode {
        frame = frame.header(names::PASSCODE, passcode.expose());
    }
    frame
}

/// Some brokers put the sentence into `message`, some into the body, ours the fault into one and the remedy into the other.
fn refusal(frame: &Frame) -> ClientError {
    let text = String::from_utf8_lossy(&frame.body);
    let body: String = text.trim().chars().take(MAX_REMEDY_CHARS).collect();
    let message = match frame.headers.get(names::MESSAGE).unwrap_or_default() {
        "" => body,
        message if body.is_empty() || message == body => message.to_owned(),
        message => format!("{}. {body}", message.trim_end_matches('.')),
    };
    ClientError::Error { code: frame.headers.get("code").map(str::to_owned), message }
}

/// The clock of the command line.
#[expect(clippy::disallowed_methods, reason = "a command is a shell: it waits for a broker, with a deadline")]
pub(super) fn now() -> Instant {
    Instant::now()
}
