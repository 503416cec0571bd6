//! How much room a read gets, and when the room is given back.
//!
//! A busy connection reads up to 64 KiB at once, an idle one must cost next to nothing. So room is made only for octets
//! that are about to come, starts small, grows when a read fills it, and is let go when the reader is about to wait with
//! nothing left in the buffer. Kept over an idle time: at most [`IDLE_BYTES`].

use bytes::BytesMut;

/// Room that an idle connection may keep, in octets; also the size of its first read.
pub(super) const IDLE_BYTES: usize = 8 * 1024;

/// The largest read, in octets.
pub(super) const READ_BYTES: usize = 64 * 1024;

/// Free room below which a read is not worth its system call, in octets.
const WORTHWHILE_BYTES: usize = 4 * 1024;

/// The memory of one reader's reads.
#[derive(Debug)]
pub(super) struct Intake {
    /// What the next read asks for.
    ask: usize,
    /// Octets read since the buffer was new: beyond [`WORTHWHILE_BYTES`] it may hold on to something large, which its
    /// capacity does not tell.
    since_new: usize,
}

impl Intake {
    pub(super) fn new() -> Intake {
        Intake { ask: IDLE_BYTES, since_new: 0 }
    }

    /// Makes room for one read. A large frame that is nearly complete is not moved for the sake of what follows it.
    pub(super) fn make_room(&self, buf: &mut BytesMut) {
        let room = buf.capacity() - buf.len();
        if room == 0 || (room < WORTHWHILE_BYTES && buf.len() <= READ_BYTES) {
            buf.reserve(self.ask);
        }
    }

    /// Notes what a read brought, of the room it had.
    pub(super) fn took(&mut self, octets: usize, room: usize) {
        self.since_new += octets;
        self.ask = if octets >= room.min(self.ask) { READ_BYTES } else { IDLE_BYTES.max(self.ask / 2) };
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
