//! A bridge from a library that calls read and write to a wire that is polled.

use std::io;
use std::io::{Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::wire::Wire;

/// The wire as the protocol machine wants it: blocking calls that never block. The task is woken as if it had polled.
pub(super) struct Nonblocking<'a, 'b, 'c> {
    wire: &'a mut Wire,
    cx: &'b mut Context<'c>,
    /// Bytes that may still be read.
    budget: usize,
}

impl<'a, 'b, 'c> Nonblocking<'a, 'b, 'c> {
    pub(super) fn new(wire: &'a mut Wire, cx: &'b mut Context<'c>) -> Self {
        Nonblocking::within(wire, cx, usize::MAX)
    }

    /// The same with so many bytes to be read at most. Where they are used up nothing is there, and nobody is woken.
    pub(super) fn within(wire: &'a mut Wire, cx: &'b mut Context<'c>, budget: usize) -> Self {
        Nonblocking { wire, cx, budget }
    }

    /// Bytes that may still be read.
    pub(super) fn budget(&self) -> usize {
        self.budget
    }
}

impl Read for Nonblocking<'_, '_, '_> {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        let most = octets.len().min(self.budget);
        if most == 0 && !octets.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut read = ReadBuf::new(&mut octets[..most]);
        match Pin::new(&mut *self.wire).poll_read(self.cx, &mut read) {
            Poll::Ready(result) => result.map(|()| {
                self.budget -= read.filled().len();
                read.filled().len()
            }),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Nonblocking<'_, '_, '_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match Pin::new(&mut *self.wire).poll_write(self.cx, octets) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match Pin::new(&mut *self.wire).poll_flush(self.cx) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}
