//! How much room a read gets, and when the room is given back.
//!
//! A busy connection reads up to 64 KiB at once, an idle one must cost next to nothing. So room is made only for octets
//! that are about to come, starts small, grows when a read fills it, and is let go when the reader is about to wait with
//! nothing left in the buffer. Kept over an idle time: at most [`IDLE_BYTES`]. A peer that has not logged in gets small
//! reads only.

use bytes::BytesMut;

/// Room that an idle connection may keep, in octets; also the size of its first read.
pub(super) const IDLE_BYTES: usize = 8 * 1024;

/// The largest read, in octets.
pub(super) const READ_BYTES: usize = 64 * 1024;

/// Free room below which a read is not worth its system call, and octets that are cheaply moved into new room.
const WORTHWHILE_BYTES: usize = 4 * 1024;

/// The memory of one reader's reads.
#[derive(Debug)]
pub(super) struct Intake {
    /// What the next read asks for.
    ask: usize,
    /// What a read may ask for.
    most: usize,
    /// Octets read since the buffer was new: beyond [`WORTHWHILE_BYTES`] it may hold on to something large, which its
    /// capacity does not tell.
    since_new: usize,
}

impl Intake {
    pub(super) fn new() -> Intake {
        Intake { ask: IDLE_BYTES, most: IDLE_BYTES, since_new: 0 }
    }

    /// From now on reads may be large.
    pub(super) fn admit(&mut self) {
        self.most = READ_BYTES;
    }

    /// Makes room for one read. A large frame that is nearly complete is not moved for the sake of what follows it.
    pub(super) fn make_room(&self, buf: &mut BytesMut) {
        let (held, room) = (buf.len(), buf.capacity() - buf.len());
        let small = room < WORTHWHILE_BYTES && held <= READ_BYTES;
        let outgrown = room < self.ask / 2 && held <= WORTHWHILE_BYTES;
        if room == 0 || small || outgrown {
            buf.reserve(self.ask);
        }
    }

    /// Notes what a read brought, of the room it had.
    pub(super) fn took(&mut self, octets: usize, room: usize) {
        self.since_new += octets;
        self.ask = if octets >= room.min(self.ask) { self.most } else { IDLE_BYTES.max(self.ask / 2) };
    }

    /// Lets go of what an idle connection should not hold. Called when there is nothing to read.
    pub(super) fn rest(&mut self, buf: &mut BytesMut) {
        if buf.is_empty() && (buf.capacity() > IDLE_BYTES || self.since_new > WORTHWHILE_BYTES) {
            *buf = BytesMut::new();
            self.since_new = 0;
            self.ask = IDLE_BYTES;
        }
    }
}
