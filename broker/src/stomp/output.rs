//! What a session wants done by whoever drives it.

use std::fmt;

use kolejka_codec::ByteString;
use kolejka_codec::Frame;
use kolejka_codec::header::names::RECEIPT;

use super::reply::Reply;
use crate::auth::Credentials;
use crate::model::Request;

/// One thing to do. The order of outputs is the order of the client's frames, and receipts leave in that order.
#[derive(Debug)]
pub enum Output {
    /// Ask the engine; then call [`Session::answered`](super::Session::answered) or
    /// [`Session::refused`](super::Session::refused).
    Ask {
        /// What to ask.
        request: Request,
        /// The receipt to hand back with the answer, if the client wants one.
        receipt: Option<Receipt>,
    },
    /// Nothing to ask, but a receipt that must not overtake those before it: call
    /// [`Session::answered`](super::Session::answered) in its turn.
    Promise(Receipt),
    /// Write this.
    Reply(Reply),
    /// Check a login; then call [`Session::authenticated`](super::Session::authenticated). No frame may be handed to the
    /// session in between: it is not known yet whether there will be anyone to speak for.
    Authenticate(Credentials),
    /// Write one LF, between frames.
    HeartBeat,
    /// Write what is left, then close. It is the last output.
    Close(Farewell),
}

/// The value of a `receipt` header: what the client wants to be told when its frame has been processed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Receipt(ByteString);

impl Receipt {
    /// The receipt that this frame asks for. Shares the frame's octets.
    pub(super) fn of(frame: &Frame) -> Option<Receipt> {
        frame.headers.slice(RECEIPT).map(Receipt)
    }

    /// The text to echo as `receipt-id`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receipt({:?})", self.as_str())
    }
}

/// How a session ends: flush what is written, then this frame, half-close, linger, close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// The ERROR to write last, if the end is one.
    pub error: Option<Reply>,
    /// Why, as the `code` of that ERROR, for logs and metrics; `disconnect` when the client asked for it.
    pub code: &'static str,
    /// The same in words, for the log. Holds no secret.
    pub words: String,
    /// Whether it makes sense to wait for the peer to read and close. Not if it is thought dead.
    pub linger: bool,
}

impl Farewell {
    /// The client said goodbye: nothing went wrong.
    pub fn is_goodbye(&self) -> bool {
        self.code == Farewell::GOODBYE
    }

    pub(super) const GOODBYE: &str = "disconnect";
}
