//! A running journal without threads, for simulations: whoever holds it says when it works. It must not do anything that the
//! thread does not do.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Options;
use super::appender::Appender;
use super::work::Work;
use super::writer::{Inbox, Turn, Writer, turn, writer_of};
use crate::model::{LogError, LogSink};

/// The writing side, to be moved by hand.
pub struct ByHand {
    appender: Appender,
    work: Work,
    inbox: Arc<Inbox>,
    sink: Arc<dyn LogSink>,
    /// What is left of the work has no room; it is tried again when somebody says so.
    waits: bool,
}

/// The two sides.
pub(super) fn by_hand(appender: Appender, sink: Arc<dyn LogSink>, options: &Options) -> (Writer, ByHand) {
    let writer = writer_of(&appender, &Options { idle_after: Duration::ZERO, ..options.clone() });
    let inbox = writer.inbox.clone();
    while appender.spares.top_up() {}
    (writer, ByHand { appender, work: Work::default(), inbox, sink, waits: false })
}

impl ByHand {
    /// Whether something can be written.
    pub fn has_work(&self) -> bool {
        !self.waits && (self.work.unit().is_some() || self.inbox.has_work())
    }

    /// Writes all that waits, or does what an idle journal does. The first error is told to the sink and is the end. `false`
    /// if it goes on no more.
    pub fn turn(&mut self) -> bool {
        if self.work.unit().is_some() {
            while self.appender.spares.top_up() {}
        }
        let ended = turn(&mut self.appender, &mut self.work, (&self.inbox, self.sink.as_ref()), true);
        let ended = ended.unwrap_or_else(|error| {
            let error = LogError::Poisoned(error.to_string());
            self.inbox.fail(error.clone());
            self.sink.failed(error);
            Turn::Over
        });
        self.waits = ended == Turn::NoRoom;
        ended != Turn::Over
    }

    /// Time has passed: what had no room is tried again.
    pub fn look_again(&mut self) {
        self.waits = false;
    }

    /// Makes everything durable and notes that the stop was clean, unless the log was dropped before, or what waits has no
    /// room.
    pub fn stop(mut self) -> Result<(), LogError> {
        self.inbox.close(true);
        while self.turn() && !self.waits {}
        self.inbox.outcome()
    }
}

impl fmt::Debug for ByHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByHand")
    }
}
