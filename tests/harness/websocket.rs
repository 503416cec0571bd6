//! Clients that speak STOMP in WebSocket messages. They send a stream of octets, cut without regard to frames, and expect one frame a message.

use std::net::{SocketAddr, TcpStream};

use bytes::BytesMut;
use kolejka_codec::{Command, Decoder, Frame, Item, Limits, Version};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

use crate::script::Wire;
use crate::socket::{Socket, plain};

/// Octets of a message that a client sends: shorter than most frames, and no divisor of their lengths.
const PIECE: usize = 61;

/// One client.
struct Browser {
    socket: WebSocket<TcpStream>,
    decoder: Decoder,
}

impl Browser {
    fn connect(address: SocketAddr) -> Browser {
        let mut request = format!("ws://{address}/ws").into_client_request().expect("a request");
        let offer = HeaderValue::from_static("v12.stomp, v11.stomp, v10.stomp");
        request.headers_mut().insert("Sec-WebSocket-Protocol", offer);
        let (socket, response) = client(request, plain(address)).expect("an upgrade");
        let echoed = response.headers().get("Sec-WebSocket-Protocol").expect("a subprotocol");
        assert_eq!(echoed, "v12.stomp", "the highest of those offered");
        Browser { socket, decoder: Decoder::new(Limits::default()) }
    }

    /// That the server has closed already is seen when the answer is read.
    fn send(&mut self, octets: &[u8]) {
        for piece in octets.chunks(PIECE) {
            if self.socket.send(Message::binary(piece.to_vec())).is_err() {
                return;
            }
        }
    }

    fn frame(&mut self) -> Result<Option<Frame>, String> {
        loop {
            let octets = match self.socket.read() {
                Ok(Message::Binary(octets)) => octets,
                Ok(Message::Text(_)) => return Err("text, though CONNECT was binary".into()),
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => continue,
                Ok(Message::Close(_))
                | Err(
                    Error::ConnectionClosed
                    | Error::AlreadyClosed
                    | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake),
                ) => return Ok(None),
                Err(error) => return Err(error.to_string()),
            };
            if &octets[..] == b"\n" {
                continue;
            }
            let mut octets = BytesMut::from(&octets[..]);
            let Some(Item::Frame(frame)) = self.decoder.decode(&mut octets).map_err(|error| error.to_string())? else {
                return Err("a message that is no frame".into());
            };
            if !octets.is_empty() {
                return Err(format!("{} octets behind the frame in its message", octets.len()));
            }
            if frame.command == Command::Connected {
                let version = frame.headers.get("version").unwrap_or("1.0");
                self.decoder.set_version(Version::from_text(version).ok_or("a version that nobody speaks")?);
            }
            return Ok(Some(frame));
        }
    }
}

/// Clients of one server, by number.
pub struct Browsers {
    address: SocketAddr,
    clients: Vec<Browser>,
}

impl Browsers {
    /// Nobody has connected yet.
    pub fn new(address: SocketAddr) -> Browsers {
        Browsers { address, clients: Vec::new() }
    }
}

impl Wire for Browsers {
    fn send(&mut self, client: usize, octets: &[u8]) {
        while self.clients.len() <= client {
            self.clients.push(Browser::connect(self.address));
        }
        self.clients[client].send(octets);
    }

    fn receive(&mut self, client: usize) -> Result<Option<Frame>, String> {
        self.clients.get_mut(client).ok_or("this client never connected")?.frame()
    }

    fn hang_up(&mut self, client: usize) {
        self.clients[client].socket.get_ref().cut();
    }
}
