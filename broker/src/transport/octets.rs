//! STOMP as a plain stream of octets.

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::AsyncWrite;

use super::intake::Intake;
use super::wire::Wire;
use crate::model::Burst;

/// Slices given to one vectored write.
const SLICES: usize = 64;

/// A connection without messages of its own.
#[derive(Debug)]
pub(super) struct Octets {
    wire: Wire,
    /// What was read to find out what the peer speaks; it is read first.
    sniffed: BytesMut,
    intake: Intake,
}

impl Octets {
    pub(super) fn new(wire: Wire, sniffed: BytesMut) -> Octets {
        Octets { wire, sniffed, intake: Intake::new() }
    }

    pub(super) fn admit(&mut self) {
        self.intake.admit();
    }

    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        if self.sniffed.is_empty() {
            return self.wire.poll_fill(cx, buf, &mut self.intake);
        }
        let sniffed = std::mem::take(&mut self.sniffed);
        buf.extend_from_slice(&sniffed);
        Poll::Ready(Ok(sniffed.len()))
    }

    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, burst: &mut Burst) -> Poll<io::Result<()>> {
        while !burst.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = burst.slices(&mut slices);
            match ready!(Pin::new(&mut self.wire).poll_write_vectored(cx, &slices[..filled]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                octets => burst.advance(octets),
            }
        }
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}
