//! Octets on their way out to one client.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

/// A run of encoded frames: small ones back to back in one buffer, large bodies by reference between them.
///
/// A byte stream sends it with [`slices`](Burst::slices) and [`advance`](Burst::advance); a transport of messages
/// (WebSocket) takes it frame by frame with [`pop_frame`](Burst::pop_frame).
#[derive(Debug, Default)]
pub struct Burst {
    /// Finished pieces, oldest first; they come before `tail`.
    pieces: VecDeque<Bytes>,
    /// What is being written.
    tail: BytesMut,
    /// Where frames end, counted from the first octet ever written, kept only if frames are taken one by one.
    ends: VecDeque<usize>,
    by_frame: bool,
    len: usize,
    /// Octets taken away so far.
    taken: usize,
}

impl Burst {
    /// A burst that leaves as a stream of octets.
    pub fn stream() -> Burst {
        Burst::default()
    }

    /// A burst that remembers where its frames end.
    pub fn by_frame() -> Burst {
        Burst { by_frame: true, ..Burst::default() }
    }

    /// An empty burst of the same kind.
    #[must_use]
    pub fn like(&self) -> Burst {
        Burst { by_frame: self.by_frame, ..Burst::default() }
    }

    /// Octets taken away since the burst was made. Rises as long as somebody reads.
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// Whether frames are taken one by one.
    pub fn is_by_frame(&self) -> bool {
        self.by_frame
    }

    /// Writes octets at the end, through a function that only appends.
    pub fn write(&mut self, append: impl FnOnce(&mut BytesMut)) {
        let before = self.tail.len();
        append(&mut self.tail);
        self.len += self.tail.len() - before;
    }

    /// Puts octets at the end without copying them.
    pub fn splice(&mut self, octets: Bytes) {
        if !self.tail.is_empty() {
            self.pieces.push_back(self.tail.split().freeze());
        }
        self.len += octets.len();
        self.pieces.push_back(octets);
    }

    /// Says that a frame ends here.
    pub fn end_frame(&mut self) {
        if self.by_frame {
            self.ends.push_back(self.taken + self.len);
        }
    }

    /// Puts another burst of the same kind at the end, and leaves that one empty.
    pub fn append(&mut self, other: &mut Burst) {
        let (here, there) = (self.taken + self.len, other.taken);
        self.ends.extend(other.ends.drain(..).map(|end| end - there + here));
        if other.pieces.is_empty() && (self.tail.is_empty() || other.tail.len() <= 4096) {
            // The usual case, a few receipts: a copy is cheaper than a piece.
            self.tail.extend_from_slice(&other.tail);
            other.tail.clear();
        } else {
            if !self.tail.is_empty() {
                self.pieces.push_back(self.tail.split().freeze());
            }
            self.pieces.append(&mut other.pieces);
            if !other.tail.is_empty() {
                self.pieces.push_back(other.tail.split().freeze());
            }
        }
        self.len += other.len;
        other.taken += other.len;
        other.len = 0;
    }

    /// Octets waiting.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What waits, as slices for one vectored write; returns how many slices were filled.
    pub fn slices<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let pieces = self.pieces.iter().map(|piece| &piece[..]).chain(std::iter::once(&self.tail[..]));
        let mut filled = 0;
        for (slot, octets) in into.iter_mut().zip(pieces.filter(|octets| !octets.is_empty())) {
            *slot = IoSlice::new(octets);
            filled += 1;
        }
        filled
    }

    /// Takes away what has been written. For byte streams.
    ///
    /// # Panics
    /// If more is taken than waits.
    pub fn advance(&mut self, mut octets: usize) {
        assert!(octets <= self.len, "no more is written than waits");
        self.len -= octets;
        self.taken += octets;
        while octets > 0 {
            let Some(first) = self.pieces.front_mut() else {
                self.tail.advance(octets);
                return;
            };
            let step = octets.min(first.len());
            first.advance(step);
            octets -= step;
            if first.is_empty() {
                self.pieces.pop_front();
            }
        }
    }

    /// Takes the oldest whole frame. For transports of messages.
    pub fn pop_frame(&mut self) -> Option<Bytes> {
        let end = self.ends.pop_front()? - self.taken;
        self.len -= end;
        self.taken += end;
        if self.pieces.is_empty() {
            return Some(self.tail.split_to(end).freeze());
        }
        if let Some(first) = self.pieces.front_mut()
            && first.len() >= end
        {
            let frame = first.split_to(end);
            if first.is_empty() {
                self.pieces.pop_front();
            }
            return Some(frame);
        }
        Some(self.gather(end))
    }

    /// Copies a frame that lies in several pieces.
    fn gather(&mut self, mut missing: usize) -> Bytes {
        let mut frame = BytesMut::with_capacity(missing);
        while missing > 0 {
            let Some(first) = self.pieces.front_mut() else {
                frame.extend_from_slice(&self.tail.split_to(missing));
                break;
            };
            let part = first.split_to(missing.min(first.len()));
            missing -= part.len();
            frame.extend_from_slice(&part);
            if first.is_empty() {
                self.pieces.pop_front();
            }
        }
        frame.freeze()
    }
}
