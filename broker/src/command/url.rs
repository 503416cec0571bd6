//! Addresses of brokers as people write them: `stomp://user:passcode@host:port`.

use std::fmt;

use kolejka::auth::Secret;

use crate::args::Broker;

use super::status::{Failure, Status};

/// The port of STOMP.
const PORT: u16 = 61613;

/// Where a broker is and who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BrokerUrl {
    /// Name or address, without the brackets of IPv6.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) login: Option<String>,
    pub(super) passcode: Option<Secret>,
}

impl BrokerUrl {
    /// From the command line; what is given apart wins over what is in the URL.
    pub(super) fn from_arguments(arguments: &Broker) -> Result<BrokerUrl, Failure> {
        let mut url = BrokerUrl::parse(&arguments.url).map_err(|text| Failure::new(Status::Usage, text))?;
        url.login = arguments.user.clone().or(url.login);
        url.passcode = arguments.passcode.clone().map(Secret::new).or(url.passcode);
        Ok(url)
    }

    /// Reads a URL. The message of a refusal never repeats it, since there may be a passcode in it.
    pub(super) fn parse(text: &str) -> Result<BrokerUrl, String> {
        let rest = match text.split_once("://") {
            Some(("stomp" | "tcp", rest)) => rest,
            Some((scheme, _)) => {
                return Err(format!("the URL begins with {scheme}://, but only stomp:// can be spoken from here yet"));
            }
            None => text,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, place) = rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
        let (host, port) = split_port(place)?;
        let (login, passcode) = match user.map(|user| user.split_once(':').map_or((user, None), |(l, p)| (l, Some(p))))
        {
            Some((login, passcode)) => (Some(decode(login)?), passcode.map(decode).transpose()?),
            None => (None, None),
        };
        Ok(BrokerUrl { host, port, login, passcode: passcode.map(Secret::new) })
    }
}

fn split_port(place: &str) -> Result<(String, u16), String> {
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').ok_or("something follows the address in the URL")?)),
        None => place.rsplit_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() || host.contains('/') {
        return Err("the URL names no host: stomp://HOST:PORT is wanted".to_owned());
    }
    let port = port.map_or(Ok(PORT), str::parse).map_err(|_| "the port in the URL is no number".to_owned())?;
    Ok((host.to_owned(), port))
}

/// Undoes percent-encoding.
fn decode(text: &str) -> Result<String, String> {
    const REFUSAL: &str = "the login in the URL is not percent-encoded as it should be";
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet == b'%' {
            let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16)).ok_or(REFUSAL);
            octets.push((digit()? * 16 + digit()?) as u8);
        } else {
            octets.push(octet);
        }
    }
    String::from_utf8(octets).map_err(|_| REFUSAL.to_owned())
}

impl fmt::Display for BrokerUrl {
    /// Without login and passcode.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}
