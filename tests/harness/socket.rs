//! A whole server, and clients with real sockets.

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use bytes::BytesMut;
use kolejka_codec::{Command, Decoder, Frame, Item, Limits, Version};
use tokio::net::TcpSocket;

use crate::script::Wire;

/// How long an answer may take before the test has failed. Nothing waits for it to pass, and a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a client speaks through.
pub trait Socket: Read + Write {
    /// Cuts it off, without a word.
    fn cut(&self);
}

impl Socket for TcpStream {
    fn cut(&self) {
        let _ = self.shutdown(Shutdown::Both);
    }
}

/// A plain connection.
///
/// # Panics
/// If nobody listens there.
pub fn plain(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).expect("a server that listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    socket.set_nodelay(true).expect("no delay");
    socket
}

/// A connection from an address of this machine, with a buffer of so many bytes for what arrives, if that is said.
///
/// # Panics
/// If nobody listens there, or the address is not this machine's.
pub fn plain_from(own: IpAddr, buffer: Option<u32>, address: SocketAddr) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    let socket = runtime.block_on(async {
        let socket = TcpSocket::new_v4().expect("a socket");
        if let Some(bytes) = buffer {
            socket.set_recv_buffer_size(bytes).expect("a buffer");
        }
        socket.bind(SocketAddr::new(own, 0)).expect("an address of this machine");
        socket.connect(address).await.expect("a server that listens").into_std().expect("a socket")
    });
    socket.set_nonblocking(false).expect("a socket that waits");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    socket.set_nodelay(true).expect("no delay");
    socket
}

/// One client, with a socket of its own and no manners.
pub struct Client<S = TcpStream> {
    socket: S,
    decoder: Decoder,
    heard: BytesMut,
}

impl Client {
    /// Connects.
    ///
    /// # Panics
    /// If nobody listens there.
    pub fn connect(address: SocketAddr) -> Client {
        Client::over(plain(address))
    }

    /// Connects, and logs in with STOMP 1.2.
    ///
    /// # Panics
    /// If that fails.
    pub fn logged_in(address: SocketAddr) -> Client {
        let mut client = Client::connect(address);
        client.log_in();
        client
    }

    /// The same from an address of this machine, with a buffer of so many bytes for what arrives, if that is said.
    ///
    /// # Panics
    /// If that fails.
    pub fn logged_in_from(own: IpAddr, buffer: Option<u32>, address: SocketAddr) -> Client {
        let mut client = Client::over(plain_from(own, buffer, address));
        client.log_in();
        client
    }

    fn log_in(&mut self) {
        self.send(b"CONNECT\naccept-version:1.2\nhost:test\n\n\0");
        let frame = self.frame().expect("an answer").expect("a connection");
        assert_eq!(frame.command, Command::Connected, "{frame:?}");
    }

    /// Says that nothing more will be sent.
    pub fn finish(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }
}

impl<S: Socket> Client<S> {
    /// A client that speaks through this.
    pub fn over(socket: S) -> Client<S> {
        let limits = Limits { body_bytes: 64 << 20, ..Limits::default() };
        Client { socket, decoder: Decoder::new(limits), heard: BytesMut::new() }
    }

    /// Sends octets. That the server has closed already is seen when the answer is read.
    pub fn send(&mut self, octets: &[u8]) {
        let _ = self.socket.write_all(octets).and_then(|()| self.socket.flush());
    }

    /// The next frame; `None` when the server has closed the connection.
    ///
    /// # Errors
    /// If there is neither within the patience of a test.
    pub fn frame(&mut self) -> Result<Option<Frame>, String> {
        loop {
            match self.decoder.decode(&mut self.heard).map_err(|error| error.to_string())? {
                Some(Item::Frame(frame)) => {
                    if frame.command == Command::Connected {
                        let version = frame.headers.get("version").unwrap_or("1.0");
                        let spoken = Version::ALL.into_iter().find(|known| known.as_str() == version);
                        self.decoder.set_version(spoken.ok_or("a version that nobody speaks")?);
                    }
                    return Ok(Some(frame));
                }
                Some(Item::HeartBeat) => continue,
                None => {}
            }
            let mut octets = [0; 16 * 1024];
            match self.socket.read(&mut octets) {
                Ok(0) => return Ok(None),
                Ok(count) => self.heard.extend_from_slice(&octets[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// The socket, for what this language has no words for.
    pub fn socket(&self) -> &S {
        &self.socket
    }
}

/// Clients of one server, by number.
pub struct Clients<S> {
    connect: Box<dyn Fn() -> S>,
    clients: Vec<Client<S>>,
}

impl<S: Socket> Clients<S> {
    /// Nobody has connected yet; whoever does, does so.
    pub fn new(connect: impl Fn() -> S + 'static) -> Clients<S> {
        Clients { connect: Box::new(connect), clients: Vec::new() }
    }
}

impl<S: Socket> Wire for Clients<S> {
    fn send(&mut self, client: usize, octets: &[u8]) {
        while self.clients.len() <= client {
            self.clients.push(Client::over((self.connect)()));
        }
        self.clients[client].send(octets);
    }

    fn receive(&mut self, client: usize) -> Result<Option<Frame>, String> {
        self.clients.get_mut(client).ok_or("this client never connected")?.frame()
    }

    fn hang_up(&mut self, client: usize) {
        self.clients[client].socket().cut();
    }
}
