//! One connection to a broker.

use std::collections::VecDeque;
use std::env;

use futures_util::{SinkExt, StreamExt};
use kolejka_codec::{Codec, Command, Ending, Frame, Item, Limits, Version};
use tokio::net::TcpStream;
use tokio_util::codec::Framed;

/// Whatever went wrong, in words.
pub type Problem = Box<dyn std::error::Error + Send + Sync>;

/// A connection that speaks STOMP 1.2.
#[derive(Debug)]
pub struct Client {
    frames: Framed<TcpStream, Codec>,
    /// Messages that came while a receipt was awaited.
    early: VecDeque<Frame>,
    receipts: u64,
}

impl Client {
    /// Connects to the port of this machine that `KOLEJKA_PORT` names, or to the usual one.
    pub async fn connect() -> Result<Client, Problem> {
        let port = env::var("KOLEJKA_PORT").map_or(Ok(61613), |port| port.parse())?;
        let socket = TcpStream::connect(("127.0.0.1", port)).await?;
        let frames = Framed::new(socket, Codec::new(Limits::default(), Ending::NulLf));
        let mut client = Client { frames, early: VecDeque::new(), receipts: 0 };
        client.write(&Frame::new(Command::Connect).header("accept-version", "1.2").header("host", "localhost")).await?;
        let answer = client.read().await?;
        if answer.command != Command::Connected {
            return Err(format!("CONNECTED expected, not {answer:?}").into());
        }
        client.frames.codec_mut().set_version(Version::V1_2);
        Ok(client)
    }

    /// Asks for the messages of a destination, at most `prefetch` of them before the first is acknowledged.
    pub async fn subscribe(&mut self, destination: &str, prefetch: u32) -> Result<(), Problem> {
        let frame = Frame::new(Command::Subscribe)
            .header("destination", destination)
            .header("id", destination)
            .header("ack", "client-individual")
            .header("prefetch-count", &prefetch.to_string());
        self.confirmed(frame).await
    }

    /// Sends a message and returns when the broker has stored it.
    pub async fn send(&mut self, destination: &str, headers: &[(&str, &str)], body: String) -> Result<(), Problem> {
        let frame = Frame::new(Command::Send).header("destination", destination).body(body);
        self.confirmed(headers.iter().fold(frame, |frame, (name, value)| frame.header(name, value))).await
    }

    /// Says that a message is done.
    pub async fn ack(&mut self, message: &Frame) -> Result<(), Problem> {
        let id = message.headers.get("ack").unwrap_or_default();
        self.write(&Frame::new(Command::Ack).header("id", id)).await
    }

    /// The next message.
    pub async fn message(&mut self) -> Result<Frame, Problem> {
        if let Some(frame) = self.early.pop_front() {
            return Ok(frame);
        }
        self.read().await
    }

    /// Writes a frame with a receipt and waits for it.
    async fn confirmed(&mut self, frame: Frame) -> Result<(), Problem> {
        self.receipts += 1;
        let receipt = self.receipts.to_string();
        self.write(&frame.header("receipt", &receipt)).await?;
        loop {
            let frame = self.read().await?;
            if frame.command == Command::Receipt && frame.headers.get("receipt-id") == Some(&receipt) {
                return Ok(());
            }
            self.early.push_back(frame);
        }
    }

    async fn write(&mut self, frame: &Frame) -> Result<(), Problem> {
        Ok(self.frames.send(frame).await?)
    }

    async fn read(&mut self) -> Result<Frame, Problem> {
        loop {
            match self.frames.next().await.transpose()? {
                Some(Item::Frame(frame)) if frame.command == Command::Error => {
                    return Err(format!("the broker says: {}", frame.headers.get("message").unwrap_or_default()).into());
                }
                Some(Item::Frame(frame)) => return Ok(frame),
                Some(Item::HeartBeat) => {}
                None => return Err("the broker closed the connection".into()),
            }
        }
    }
}
