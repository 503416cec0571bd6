//! What strangers are counted by.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// The addresses that one host may choose from: an IPv4 address by itself, of IPv6 a whole /64. Limits and throttles that
/// concern an address are kept by network, or a host would evade them by changing the lower half of its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network(IpAddr);

impl Network {
    /// The network of an address. An IPv4 address that is written as IPv6 is the IPv4 address.
    pub fn of(address: IpAddr) -> Network {
        Network(match address.to_canonical() {
            // All of ::/64 is this machine's; only its own address is loopback.
            IpAddr::V6(address) if !address.is_loopback() => {
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64))
            }
            other => other,
        })
    }

    /// Whether it is this machine.
    pub fn is_loopback(self) -> bool {
        self.0.is_loopback()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V6(address) if !address.is_loopback() => write!(f, "{address}/64"),
            address => address.fmt(f),
        }
    }
}
