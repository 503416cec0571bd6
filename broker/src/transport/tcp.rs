//! TCP sockets: how they are opened and which options they carry.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

/// Silence after which the system asks whether the peer still lives.
const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(60);

/// Time between such questions.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(10);

/// Questions without an answer after which the connection is given up.
const KEEP_ALIVE_PROBES: u32 = 6;

/// How long octets may wait for the peer's acknowledgement before the connection is given up. It equals the silence the
/// keep-alive bears, because Linux lets the smaller of the two decide.
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(120);

/// Opens a listening socket, without waiting.
pub(super) fn listen(address: SocketAddr, backlog: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Elsewhere the option means that two programs may share the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::from(backlog))?;
    TcpListener::from_std(socket.into())
}

/// Sets what every accepted socket has: no delay for small writes, and a way to notice that the peer is gone although
/// it promised no heart-beats.
pub(super) fn set_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keep_alive = TcpKeepalive::new().with_time(KEEP_ALIVE_AFTER).with_interval(KEEP_ALIVE_EVERY);
    socket.set_tcp_keepalive(&keep_alive.with_retries(KEEP_ALIVE_PROBES))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    Ok(())
}
