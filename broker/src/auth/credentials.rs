//! What a client says of itself, and where it comes from. Must not print a passcode, in any form.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use crate::model::Network;

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for hashing and for nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A login as it came. A header that was not sent is `None`; an empty one says as little.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The name.
    pub login: Option<String>,
    /// The password.
    pub passcode: Option<Secret>,
}

impl Credentials {
    /// Most octets of a login.
    pub const MAX_LOGIN_BYTES: usize = 256;
    /// Most octets of a passcode.
    pub const MAX_PASSCODE_BYTES: usize = 1024;
}

/// Where a login comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// Whether the listener that took the connection lets clients in without a login. That is for the listener to say: the
    /// address does not tell where a client is, since a proxy on this machine brings the whole world from 127.0.0.1.
    pub anonymous: bool,
}

impl Peer {
    /// A client of this machine on a listener that asks for no login.
    pub const fn local() -> Peer {
        Peer { address: IpAddr::V4(Ipv4Addr::LOCALHOST), anonymous: true }
    }

    /// What failures are counted by.
    pub(super) fn network(&self) -> Network {
        Network::of(self.address)
    }
}
