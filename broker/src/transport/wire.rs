//! Octets both ways, in clear or inside TLS. Knows neither STOMP nor WebSocket.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::intake::Intake;

/// One connection below any framing.
#[derive(Debug)]
pub(super) enum Wire {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// Both ends are in this process, for tests.
    #[cfg(any(test, feature = "internals"))]
    Pipe(tokio::io::DuplexStream),
}

impl Wire {
    /// One read to the end of `buf`; 0 is the end of the stream.
    pub(super) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut BytesMut,
        intake: &mut Intake,
    ) -> Poll<io::Result<usize>> {
        let result = self.poll_once(cx, buf, intake);
        if result.is_pending() {
            intake.rest(buf);
        }
        result
    }

    fn poll_once(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut, intake: &mut Intake) -> Poll<io::Result<usize>> {
        // A socket says beforehand whether octets wait, so that no room is made in vain. TLS knows only after asking.
        if let Wire::Tcp(socket) = self {
            ready!(socket.poll_read_ready(cx))?;
        }
        intake.make_room(buf);
        let room = buf.capacity() - buf.len();
        // A future of one poll: it holds no state of its own. Unlike `try_read_buf` it remembers that a read which did
        // not fill its room has emptied the socket, which saves the system call that would find out.
        let octets = ready!(pin!(self.read_buf(buf)).poll(cx))?;
        intake.took(octets, room);
        Poll::Ready(Ok(octets))
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Tcp(socket) => Pin::new(socket).poll_read(cx, buf),
            // Half of the clients close without the alert that TLS asks for. A frame has its own end, so nothing cut
            // short can pass for whole.
            Wire::Tls(socket) => match ready!(Pin::new(socket).poll_read(cx, buf)) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
                result => Poll::Ready(result),
            },
            #[cfg(any(test, feature = "internals"))]
            Wire::Pipe(pipe) => Pin::new(pipe).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Wire::Tcp(socket) => Pin::new(socket).poll_write(cx, octets),
            Wire::Tls(socket) => Pin::new(socket).poll_write(cx, octets),
            #[cfg(any(test, feature = "internals"))]
            Wire::Pipe(pipe) => Pin::new(pipe).poll_write(cx, octets),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Wire::Tcp(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            Wire::Tls(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            #[cfg(any(test, feature = "internals"))]
            Wire::Pipe(pipe) => Pin::new(pipe).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Tcp(_) => Poll::Ready(Ok(())),
            Wire::Tls(socket) => Pin::new(socket).poll_flush(cx),
            #[cfg(any(test, feature = "internals"))]
            Wire::Pipe(pipe) => Pin::new(pipe).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Tcp(socket) => Pin::new(socket).poll_shutdown(cx),
            Wire::Tls(socket) => Pin::new(socket).poll_shutdown(cx),
            #[cfg(any(test, feature = "internals"))]
            Wire::Pipe(pipe) => Pin::new(pipe).poll_shutdown(cx),
        }
    }
}
