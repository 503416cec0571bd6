//! Jobs of which a queue wants one at a time.

use std::sync::Arc;

use super::{Timestamp, Waiter};

/// By which key a message is the only one in its queue, and how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unique {
    /// The key, at most [`Unique::KEY_BYTES`] octets.
    pub key: Arc<str>,
    /// How long it holds the key.
    pub until: Until,
    /// What becomes of this one if another holds the key. On the way in only; the log does not keep it.
    pub on_duplicate: OnDuplicate,
    /// Who waits for the result, whoever submitted the job first. On the way in only.
    pub waiter: Option<Waiter>,
}

impl Unique {
    /// Octets of a key.
    pub const KEY_BYTES: usize = 255;
}

/// How long a message holds its key; never longer than it is in its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Until it is done, or given up.
    Done,
    /// Until somebody begins with it.
    Start,
    /// Until that moment.
    Moment(Timestamp),
}

/// What becomes of a message whose key another one holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDuplicate {
    /// It is not taken, and its sender waits for the result of the other one.
    #[default]
    Attach,
    /// It is not taken.
    Drop,
    /// It is refused.
    Reject,
    /// It takes the place of the other one, unless somebody has begun with that.
    Replace,
}
