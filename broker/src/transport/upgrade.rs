//! The HTTP request that asks for a WebSocket: read within limits, judged, answered.
//!
//! `judge` is pure. The request is read here and not by the WebSocket library, which would close without an answer on
//! whatever is not an upgrade; the library still parses it and computes the response.

use std::borrow::Cow;
use std::net::IpAddr;

use bytes::{Bytes, BytesMut};
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::machine::TryParse;
use tokio_tungstenite::tungstenite::handshake::server::{Request, create_response, write_response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::{HOST, HeaderName, ORIGIN, SEC_WEBSOCKET_PROTOCOL};

use super::options::Options;
use super::peer::Subprotocol;
use super::rejected::Rejected;
use super::wire::Wire;

/// The largest request head, in octets.
pub(super) const HEAD_BYTES: usize = 8 * 1024;

/// Where a WebSocket may be asked for.
const PATHS: [&str; 3] = ["/", "/ws", "/stomp"];

/// A request that is granted.
#[derive(Debug)]
pub(super) struct Upgrade {
    /// What is answered.
    pub(super) response: Vec<u8>,
    pub(super) subprotocol: Option<Subprotocol>,
}

/// A request that is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// Whole header lines that the answer needs besides the usual ones.
    pub(super) headers: &'static str,
    pub(super) sentence: Cow<'static, str>,
}

/// Reads one request head, which may have begun already; what comes after it stays in `octets`.
pub(super) async fn read_head(wire: &mut Wire, octets: &mut BytesMut) -> Result<Result<Bytes, Refusal>, Rejected> {
    let mut searched = 0_usize;
    loop {
        let from = searched.saturating_sub(3);
        if let Some(found) = memmem::find(&octets[from..], b"\r\n\r\n") {
            let end = from + found + 4;
            let fits = end <= HEAD_BYTES;
            return Ok(if fits { Ok(octets.split_to(end).freeze()) } else { Err(Refusal::too_large()) });
        }
        searched = octets.len();
        if searched >= HEAD_BYTES {
            return Ok(Err(Refusal::too_large()));
        }
        if wire.read_buf(octets).await? == 0 {
            return Err(Rejected::Gone);
        }
    }
}

/// Sends the answer that makes the connection a WebSocket.
pub(super) async fn send(wire: &mut Wire, response: &[u8]) -> Result<(), Rejected> {
    wire.write_all(response).await?;
    Ok(wire.flush().await?)
}

/// Decides about a request head that came from `from`. With `same_port` a page must come from the port that it connects to.
pub(super) fn judge(head: &[u8], from: IpAddr, options: &Options, same_port: bool) -> Result<Upgrade, Refusal> {
    if !head.starts_with(b"GET ") {
        return Err(Refusal::method());
    }
    let request = match Request::try_parse(head) {
        Ok(Some((_, request))) => request,
        Err(Error::Capacity(CapacityError::TooManyHeaders)) => return Err(Refusal::too_large()),
        Ok(None) | Err(_) => return Err(Refusal::bad("this HTTP request cannot be understood")),
    };
    if !PATHS.contains(&request.uri().path()) {
        return Err(Refusal::path());
    }
    let mut response = create_response(&request).map_err(|error| Refusal::of(&error))?;
    check_origin(&request, from, options, same_port)?;
    let subprotocol = choose(&request)?;
    if let Some(chosen) = subprotocol {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(chosen.as_str()));
    }
    let mut octets = Vec::new();
    write_response(&mut octets, &response).map_err(|error| Refusal::of(&error))?;
    Ok(Upgrade { response: octets, subprotocol })
}

/// A page of another host may not use a broker just because the browser that shows it can reach the broker; and where users
/// log in, neither may a page of another port of the same host, which may be anybody's.
fn check_origin(request: &Request, from: IpAddr, options: &Options, same_port: bool) -> Result<(), Refusal> {
    let Some(host) = single(request, &HOST)? else {
        return Err(Refusal::bad("this HTTP request needs a Host header"));
    };
    let Some(origin) = single(request, &ORIGIN)? else {
        return if options.require_origin { Err(Refusal::no_origin()) } else { Ok(()) };
    };
    let is_listed = options.origins.iter().any(|known| known == "*" || known.eq_ignore_ascii_case(origin));
    let is_own = is_same_host(origin, host, same_port) && !is_rebindable(host, from, options);
    if is_listed || is_own { Ok(()) } else { Err(Refusal::origin(origin)) }
}

/// Whether a page comes from the host that it connects to, and from the same port if that is asked for.
fn is_same_host(origin: &str, host: &str, same_port: bool) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let usual = if scheme.eq_ignore_ascii_case("https") { "443" } else { "80" };
    let ((page, page_port), (name, port)) = (host_and_port(authority), host_and_port(host));
    let is_same_port = page_port.unwrap_or(usual) == port.unwrap_or(usual);
    !page.is_empty() && page.eq_ignore_ascii_case(name) && (is_same_port || !same_port)
}

/// Whether the name may be a stranger's that was pointed here: then Host and Origin agree, and prove nothing. Where no login
/// may be asked for only names that cannot be pointed elsewhere count.
fn is_rebindable(host: &str, from: IpAddr, options: &Options) -> bool {
    let (name, _) = host_and_port(host);
    (from.is_loopback() || options.anonymous)
        && name.parse::<IpAddr>().is_err()
        && !name.eq_ignore_ascii_case("localhost")
}

/// A name, or an address without its brackets, and the port if there is one.
fn host_and_port(authority: &str) -> (&str, Option<&str>) {
    match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => (address, rest.strip_prefix(':')),
        None => authority.split_once(':').map_or((authority, None), |(name, port)| (name, Some(port))),
    }
}

/// The best subprotocol that was offered. A browser fails a handshake that echoes one it did not offer, and a peer that
/// offers only others does not want STOMP.
fn choose(request: &Request) -> Result<Option<Subprotocol>, Refusal> {
    let mut offered = false;
    let mut best = None;
    for line in request.headers().get_all(SEC_WEBSOCKET_PROTOCOL) {
        let names = line.to_str().map_err(|_| Refusal::bad("a subprotocol that was offered is not text"))?;
        for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            offered = true;
            best = best.max(Subprotocol::from_name(name));
        }
    }
    if offered && best.is_none() { Err(Refusal::subprotocol()) } else { Ok(best) }
}

/// A header of which two would leave open which one counts.
fn single<'a>(request: &'a Request, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let mut values = request.headers().get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            value.to_str().map(Some).map_err(|_| Refusal::bad("the Host or Origin header is not text"))
        }
        (Some(_), Some(_)) => Err(Refusal::bad("the Host or Origin header is repeated")),
    }
}

impl Refusal {
    fn of(error: &Error) -> Refusal {
        match error {
            Error::Protocol(
                ProtocolError::MissingConnectionUpgradeHeader | ProtocolError::MissingUpgradeWebSocketHeader,
            ) => Refusal {
                status: 426,
                headers: "Connection: Upgrade, close\r\nUpgrade: websocket\r\n",
                sentence: "this is a STOMP port, not a web server: connect with a STOMP client or a WebSocket".into(),
            },
            Error::Protocol(ProtocolError::MissingSecWebSocketVersionHeader) => Refusal {
                status: 426,
                headers: "Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
                sentence: "only version 13 of WebSocket is spoken here".into(),
            },
            _ => Refusal::bad("this WebSocket handshake is not complete"),
        }
    }

    fn bad(sentence: &'static str) -> Refusal {
        Refusal { status: 400, headers: CLOSE, sentence: sentence.into() }
    }

    fn method() -> Refusal {
        let sentence = "this is a STOMP port, not a web server: its only HTTP request is the GET of a WebSocket";
        Refusal { status: 405, headers: "Connection: close\r\nAllow: GET\r\n", sentence: sentence.into() }
    }

    fn path() -> Refusal {
        let sentence = "WebSocket connections are taken at /ws, /stomp and / only".into();
        Refusal { status: 404, headers: CLOSE, sentence }
    }

    fn too_large() -> Refusal {
        Refusal { status: 431, headers: CLOSE, sentence: "the head of this HTTP request is too large".into() }
    }

    /// Names the origin and the key. What a browser sends is printable; what anything else sends is cut short.
    fn origin(origin: &str) -> Refusal {
        let origin = origin.get(..ORIGIN_BYTES).unwrap_or(origin);
        let sentence = format!(
            "pages of the origin {origin} may not connect: if they should, write origins = [\"{origin}\"] into the [[listener]]"
        );
        Refusal { status: 403, headers: CLOSE, sentence: sentence.into() }
    }

    fn no_origin() -> Refusal {
        Refusal { status: 403, headers: CLOSE, sentence: "this listener demands an Origin header".into() }
    }

    fn subprotocol() -> Refusal {
        let sentence = "none of the offered subprotocols is STOMP: offer v12.stomp, v11.stomp, v10.stomp or none";
        Refusal { status: 400, headers: CLOSE, sentence: sentence.into() }
    }
}

/// So much of an origin is repeated.
const ORIGIN_BYTES: usize = 128;

const CLOSE: &str = "Connection: close\r\n";
