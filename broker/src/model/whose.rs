//! Whom things are counted for that users and addresses may have only so many of.

use std::net::{IpAddr, Ipv4Addr};

use super::id::UserId;
use super::network::Network;

/// Whose a client is, and with it what it makes and keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whose {
    /// Its user. Those without a login are a user of their own for each network that they come from.
    pub user: UserId,
    /// The network that it comes from, whatever its user is.
    pub network: Network,
}

impl Whose {
    /// A user on this machine.
    pub fn local(user: UserId) -> Whose {
        Whose { user, network: Network::of(IpAddr::V4(Ipv4Addr::LOCALHOST)) }
    }
}

impl Default for Whose {
    fn default() -> Whose {
        Whose::local(UserId::default())
    }
}
