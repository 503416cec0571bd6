//! How long a SUBSCRIBE wants to keep what it is given. Knows headers, not what a lease does.

use kolejka_codec::Headers;

use super::error::Fault;
use super::moment;

const LEASE: &str = "x-lease";

/// The time that a subscription sets in milliseconds (`x-ttr`), or whether its leases last as long as the heart-beats of
/// its client arrive (`x-lease:connection`). Those have to have been promised (`beats`): without them nobody would notice
/// that it is gone.
pub(super) fn asked(headers: &Headers, beats: bool) -> Result<(Option<u32>, bool), Fault> {
    let time_to_run_ms = moment::time_to_run(headers)?;
    let expected = match headers.get(LEASE).filter(|text| !text.is_empty()) {
        None => return Ok((time_to_run_ms, false)),
        Some("connection") if time_to_run_ms.is_some() => "x-lease:connection or x-ttr, not both",
        Some("connection") if !beats => {
            "heart-beats of the client, which CONNECT promises by a first number above 0, such as heart-beat:10000,10000"
        }
        Some("connection") => return Ok((None, true)),
        Some(_) => "connection; for a lease with a time there is x-ttr",
    };
    Err(Fault::BadHeader { header: LEASE, expected })
}
