//! How a conversation ends: what was promised is said, then the last word, then the socket is closed in a way that lets
//! the peer read it (write, half-close, read until its end).

use std::time::Duration;

use crate::stomp::Farewell;

use super::task::{Connection, Ending};

/// Where a connection is in its life.
#[derive(Debug)]
pub(super) enum Phase {
    /// Frames are read and answered.
    Open,
    /// Nothing more is read; receipts of what was read wait for the log, and what is on its way for the peer.
    Draining {
        /// The last word, if there is one.
        farewell: Option<Farewell>,
        /// Then it is said without them.
        until: Duration,
    },
    /// The last octets leave.
    Flushing {
        /// Whether the peer is then given time to read them.
        linger: bool,
        /// However slowly the peer reads, that long and no longer.
        until: Duration,
    },
    /// Our side is closed; the peer may still be reading.
    Lingering {
        /// Then the socket is dropped.
        until: Duration,
    },
}

impl Phase {
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Phase::Open)
    }

    /// Whether octets of the peer are of interest: while lingering only their end is.
    pub(super) fn reads(&self) -> bool {
        matches!(self, Phase::Open | Phase::Lingering { .. })
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        match self {
            Phase::Draining { until, .. } | Phase::Flushing { until, .. } | Phase::Lingering { until } => Some(*until),
            Phase::Open => None,
        }
    }
}

impl Connection {
    pub(super) fn is_closing(&self) -> bool {
        !self.phase.is_open()
    }

    /// The session has said its last word.
    pub(super) fn begin_close(&mut self, farewell: Farewell) {
        if !self.is_closing() {
            if let Some(client) = &mut self.client
                && farewell.is_goodbye()
            {
                client.leave_cleanly();
            }
            // What was open is given up. Whoever reads the last word may have it on another connection.
            self.give_up_transactions();
            self.ending =
                Ending { code: farewell.code, words: farewell.words.clone(), is_orderly: farewell.is_goodbye() };
            if !farewell.is_goodbye() {
                // What still waits for room on the disk was not promised, and is not waited for.
                self.batch.clear();
            }
            self.drain(Some(farewell));
        }
    }

    /// The peer sends nothing more; what it sent is still answered.
    pub(super) fn peer_closed(&mut self) {
        match self.phase {
            Phase::Open => {
                self.ending = Ending::trouble("the peer closed the connection without a goodbye");
                self.drain(None);
            }
            Phase::Lingering { .. } => self.phase = Phase::Lingering { until: Duration::ZERO },
            Phase::Draining { .. } | Phase::Flushing { .. } => {}
        }
    }

    fn drain(&mut self, farewell: Option<Farewell>) {
        let until = self.now().monotonic + self.surroundings.options.drain;
        self.phase = Phase::Draining { farewell, until };
    }

    /// Goes on with the end as far as it can. Returns how it came about when all is done.
    pub(super) fn advance_close(&mut self) -> Option<Ending> {
        let (now, unsent) = (self.now().monotonic, self.has_unsent());
        if let Phase::Draining { farewell, until } = &mut self.phase
            && (self.receipts.is_empty() && self.batch.is_empty() && !unsent || *until <= now)
        {
            let farewell = farewell.take();
            // From here on the engine may give what it held to others. What was on its way has been settled by then, if
            // being written settles it.
            self.client = None;
            let linger = farewell.as_ref().is_none_or(|farewell| farewell.linger);
            if let Some(error) = farewell.and_then(|farewell| farewell.error) {
                error.write(&mut self.out);
            }
            self.phase = Phase::Flushing { linger, until: now + self.surroundings.options.write_stall };
        }
        if let Phase::Flushing { linger, .. } = self.phase
            && !self.has_unsent()
        {
            let patience = if linger { self.surroundings.options.linger } else { Duration::ZERO };
            self.phase = Phase::Lingering { until: now + patience };
            self.half_close = true;
        }
        match self.phase {
            Phase::Flushing { until, .. } | Phase::Lingering { until } if until <= now => {
                Some(std::mem::take(&mut self.ending))
            }
            _ => None,
        }
    }
}
