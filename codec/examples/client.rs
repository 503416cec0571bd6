//! A client in one page: sends a message to a queue of a broker, takes one from it and acknowledges it.
//!
//! `cargo run -p kolejka-codec --example client -- 127.0.0.1:61613`

use std::error::Error;
use std::io::{Read, Write, stdout};
use std::net::TcpStream;

use bytes::BytesMut;
use kolejka_codec::{Command, Decoder, Ending, Frame, Item, Limits, Version, encode};

struct Client {
    stream: TcpStream,
    decoder: Decoder,
    buffer: BytesMut,
    version: Version,
}

impl Client {
    fn say(&mut self, frame: &Frame) -> std::io::Result<()> {
        let mut octets = BytesMut::new();
        encode(frame, self.version, Ending::NulLf, &mut octets);
        self.stream.write_all(&octets)
    }

    fn hear(&mut self, wanted: Command) -> Result<Frame, Box<dyn Error>> {
        let mut octets = [0; 4096];
        loop {
            match self.decoder.decode(&mut self.buffer)? {
                Some(Item::Frame(frame)) if frame.command == wanted => return Ok(frame),
                Some(Item::Frame(frame)) => return Err(format!("{wanted} was expected, not {frame:?}").into()),
                Some(Item::HeartBeat) => {}
                None => match self.stream.read(&mut octets)? {
                    0 => return Err("the broker closed the connection".into()),
                    len => self.buffer.extend_from_slice(&octets[..len]),
                },
            }
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let stream = TcpStream::connect(std::env::args().nth(1).as_deref().unwrap_or("127.0.0.1:61613"))?;
    let decoder = Decoder::new(Limits::default());
    let mut client = Client { stream, decoder, buffer: BytesMut::new(), version: Version::V1_0 };
    client.say(&Frame::new(Command::Connect).header("accept-version", "1.2").header("host", "localhost"))?;
    client.hear(Command::Connected)?;
    client.version = Version::V1_2;
    client.decoder.set_version(client.version);

    let on_queue = |command| Frame::new(command).header("destination", "/queue/hello");
    client.say(&on_queue(Command::Send).header("receipt", "sent").body("hello\n"))?;
    client.hear(Command::Receipt)?;
    client.say(&on_queue(Command::Subscribe).header("id", "0").header("ack", "client"))?;
    let message = client.hear(Command::Message)?;
    client.say(&Frame::new(Command::Ack).header("id", message.headers.get("ack").unwrap_or_default()))?;
    client.say(&Frame::new(Command::Disconnect).header("receipt", "bye"))?;
    client.hear(Command::Receipt)?;
    Ok(stdout().write_all(&message.body)?)
}
