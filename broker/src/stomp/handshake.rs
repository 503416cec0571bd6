//! CONNECT and its synonym STOMP: what a client says of itself before it may say anything else.

use kolejka_codec::Command;
use kolejka_codec::Frame;
use kolejka_codec::Version;
use kolejka_codec::header::names::{ACCEPT_VERSION, HEART_BEAT, HOST, LOGIN, PASSCODE};

use super::error::Fault;
use super::heartbeat::Wish;
use super::options::Options;
use super::output::Receipt;
use crate::auth::{Credentials, Secret};
use crate::model::is_invisible;

/// What is to be remembered of a CONNECT until the login is checked.
#[derive(Debug)]
pub(super) struct Hello {
    /// The heart-beats that the client can send and wants to receive.
    pub(super) heart_beat: Wish,
    /// A receipt, which the specification does not allow here and some clients ask for: it is answered in CONNECTED.
    pub(super) receipt: Option<Receipt>,
    /// `client-id`: who it is beyond its login, the same at every connection.
    pub(super) client_id: Option<String>,
    /// `request-id`, which ActiveMQ answers as `response-id`.
    pub(super) request: Option<String>,
}

/// The version to speak: the highest that both know (STOMP 1.2, "Protocol Negotiation").
pub(super) fn negotiate(frame: &Frame) -> Result<Version, Fault> {
    Version::negotiate(frame.headers.get(ACCEPT_VERSION)).ok_or(Fault::NoCommonVersion)
}

/// Reads the rest of the frame.
pub(super) fn understand(frame: &Frame, version: Version, options: &Options) -> Result<(Hello, Credentials), Fault> {
    let headers = &frame.headers;
    let heart_beat = match version {
        Version::V1_0 => Wish::default(),
        _ => Wish::parse(headers.get(HEART_BEAT))?,
    };
    if options.strict_host && version >= Version::V1_1 && headers.get(HOST).is_none() {
        return Err(Fault::MissingHeader { command: Command::Connect, header: HOST });
    }
    // An empty one is the same as none: some clients always write the line.
    let given = |name| headers.get(name).filter(|text| !text.is_empty()).map(str::to_owned);
    let credentials = Credentials { login: given(LOGIN), passcode: given(PASSCODE).map(Secret::new) };
    let (client_id, request) = (given("client-id"), given("request-id"));
    if client_id.as_ref().is_some_and(|id| id.chars().any(|c| c.is_control() || is_invisible(c))) {
        return Err(Fault::BadHeader { header: "client-id", expected: "a text without invisible characters" });
    }
    Ok((Hello { heart_beat, receipt: Receipt::of(frame), client_id, request }, credentials))
}
