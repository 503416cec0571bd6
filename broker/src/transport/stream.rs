//! An established connection: however the octets travel, they look the same from here on.

use std::io;
use std::task::{Context, Poll};

use bytes::BytesMut;

use super::octets::Octets;
use super::peer::Peer;
use super::websocket::WebSocket;
use crate::model::Burst;

/// A connection that carries STOMP, over TCP, TLS or WebSocket.
///
/// All three verbs are polled by one task. Reading and writing are independent: whoever stops reading stops the peer
/// (back-pressure), and may go on to write.
#[derive(Debug)]
pub struct Stream {
    peer: Peer,
    carrier: Carrier,
}

#[derive(Debug)]
enum Carrier {
    Octets(Octets),
    WebSocket(Box<WebSocket>),
}

impl Stream {
    pub(super) fn octets(peer: Peer, octets: Octets) -> Stream {
        Stream { peer, carrier: Carrier::Octets(octets) }
    }

    /// A connection through a pipe in memory, for tests.
    #[cfg(any(test, feature = "internals"))]
    pub fn through(peer: Peer, pipe: tokio::io::DuplexStream) -> Stream {
        Stream::octets(peer, Octets::new(super::wire::Wire::Pipe(pipe), BytesMut::new()))
    }

    pub(super) fn websocket(peer: Peer, websocket: WebSocket) -> Stream {
        Stream { peer, carrier: Carrier::WebSocket(Box::new(websocket)) }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// An empty burst of the kind that this stream sends.
    pub fn new_burst(&self) -> Burst {
        match self.carrier {
            Carrier::Octets(_) => Burst::stream(),
            Carrier::WebSocket(_) => Burst::by_frame(),
        }
    }

    /// The peer has logged in: reads may be large, and WebSocket messages as large as the listener allows. Until then
    /// a read brings 8 KiB or one WebSocket message, so that strangers hold little memory.
    pub fn admit(&mut self) {
        match &mut self.carrier {
            Carrier::Octets(octets) => octets.admit(),
            Carrier::WebSocket(websocket) => websocket.admit(),
        }
    }

    /// Appends to `buf` what one read brings: about 64 KiB of a stream, whole messages of a WebSocket, or as much more as
    /// `buf` has room for. 0 is the end: the peer sends no more, but may still read. Only `Pending` asks for a wake.
    ///
    /// When nothing waits and `buf` is empty, its memory is given back except for 8 KiB, so that an idle connection is
    /// cheap; hand in the same `buf` at every call.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] says that the peer broke a rule of WebSocket or a limit. Its text is fit for the
    /// peer, which can still be written to; what it sends from then on is read and forgotten. All other errors end the
    /// connection.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        match &mut self.carrier {
            Carrier::Octets(octets) => octets.poll_read(cx, buf),
            Carrier::WebSocket(websocket) => websocket.poll_read(cx, buf),
        }
    }

    /// Bytes of a message that is not complete, which [`poll_read`](Self::poll_read) has taken off the socket and not handed
    /// over. It stays below what was held before that call and two reads more.
    pub fn held(&self) -> usize {
        match &self.carrier {
            Carrier::Octets(_) => 0,
            Carrier::WebSocket(websocket) => websocket.held(),
        }
    }

    /// Sends what waits. Ready when the burst is empty and nothing of it is held back here either; over WebSocket at
    /// most one frame and 48 KiB have left the burst and wait here. So call it again after `Pending`, also with a burst
    /// that is empty.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, burst: &mut Burst) -> Poll<io::Result<()>> {
        match &mut self.carrier {
            Carrier::Octets(octets) => octets.poll_write(cx, burst),
            Carrier::WebSocket(websocket) => websocket.poll_write(cx, burst),
        }
    }

    /// Changes as long as the peer takes what has left the burst and waits here.
    pub fn pieces(&self) -> usize {
        match &self.carrier {
            Carrier::Octets(_) => 0,
            Carrier::WebSocket(websocket) => websocket.pieces(),
        }
    }

    /// Says that nothing more will be sent, and keeps reading possible: the last words arrive only if the socket is not
    /// closed over unread octets. Call it when [`poll_write`](Self::poll_write) is through, then read until 0 or until
    /// patience ends. Over WebSocket a Close message leaves first, over TLS the closing alert.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.carrier {
            Carrier::Octets(octets) => octets.poll_shutdown(cx),
            Carrier::WebSocket(websocket) => websocket.poll_shutdown(cx),
        }
    }
}
