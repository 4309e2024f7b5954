//! Which addresses a provider may live at.
//!
//! Used when a `base_url` is checked and again by `upstream` on what the name resolved to, so that
//! a name which passes the first check cannot lead to a forbidden address later.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What kind of network an address belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressClass {
    /// Reachable from the whole internet.
    Public,
    /// This machine.
    Loopback,
    /// A private or shared network: RFC 1918, RFC 6598, unique local.
    Private,
    /// Never a provider: link-local and cloud metadata, unspecified, multicast, reserved, and IPv6
    /// forms that embed an IPv4 address.
    Forbidden,
}

impl AddressClass {
    /// The class of an address.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => of_v4(v4),
            IpAddr::V6(v6) => of_v6(v6),
        }
    }

    /// Whether a provider may be there, given its `private_network`.
    pub fn allowed(self, private_network: PrivateNetwork) -> bool {
        match self {
            Self::Public => true,
            Self::Loopback | Self::Private => private_network == PrivateNetwork::Allowed,
            Self::Forbidden => false,
        }
    }
}

/// Whether private and loopback addresses are acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrivateNetwork {
    /// Only public addresses.
    Refused,
    /// Public, private and loopback addresses.
    Allowed,
}

fn of_v4(address: Ipv4Addr) -> AddressClass {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (127, ..) => AddressClass::Loopback,
        (10, ..) | (172, 16..=31, _) | (192, 168, _) | (100, 64..=127, _) => AddressClass::Private,
        (0 | 224..=255, ..) | (169, 254, _) | (192, 0, 0) => AddressClass::Forbidden,
        _ => AddressClass::Public,
    }
}

fn of_v6(address: Ipv6Addr) -> AddressClass {
    /// The metadata service of a large cloud, inside the unique local range.
    const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    if address == Ipv6Addr::LOCALHOST {
        return AddressClass::Loopback;
    }
    match address.segments() {
        _ if address == METADATA => AddressClass::Forbidden,
        // `::`, mapped and compatible, and the three translation prefixes.
        [0, 0, 0, 0, 0, 0 | 0xffff, ..]
        | [0x64, 0xff9b, ..]
        | [0x2001, 0, ..]
        | [0x2002 | 0xfe80..=0xffff, ..] => AddressClass::Forbidden,
        [0xfc00..=0xfdff, ..] => AddressClass::Private,
        _ => AddressClass::Public,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_the_right_class() {
        use AddressClass::{Forbidden, Loopback, Private, Public};
        for (address, class) in [
            ("127.0.0.1", Loopback),
            ("127.255.255.254", Loopback),
            ("::1", Loopback),
            ("10.0.0.1", Private),
            ("172.16.0.1", Private),
            ("172.32.0.1", Public),
            ("192.168.1.1", Private),
            ("100.64.0.1", Private),
            ("fd12::1", Private),
            ("169.254.169.254", Forbidden),
            ("fd00:ec2::254", Forbidden),
            ("0.0.0.0", Forbidden),
            ("255.255.255.255", Forbidden),
            ("::", Forbidden),
            ("::ffff:127.0.0.1", Forbidden),
            ("64:ff9b::a9fe:a9fe", Forbidden),
            ("2002:7f00:1::", Forbidden),
            ("fe80::1", Forbidden),
            ("ff02::1", Forbidden),
            ("8.8.8.8", Public),
            ("2606:4700::1", Public),
        ] {
            assert_eq!(AddressClass::of(address.parse().unwrap()), class, "{address}");
        }
    }
}
