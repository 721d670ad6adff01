//! Addresses on the public internet, and those that a user's target may not have.

use ipnet::{Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The IPv4 blocks that are refused, each with the name that a refusal shows.
///
/// Source: the IANA IPv4 Special-Purpose Address Registry (RFC 6890 and its updates), with the multicast block of the
/// IPv4 address space registry. Blocks of that registry that are ordinary internet services (AS112, AMT) stay open.
#[rustfmt::skip] // a table is read by its columns
const REFUSED_V4: &[(Ipv4Net, &str)] = &[
    (v4([0, 0, 0, 0], 8),          "unspecified"),             // RFC 791: "this network"; Linux dials 0.0.0.0 as loopback
    (v4([10, 0, 0, 0], 8),         "private"),                 // RFC 1918
    (v4([100, 64, 0, 0], 10),      "carrier-grade NAT"),       // RFC 6598; some clouds serve metadata from it
    (v4([127, 0, 0, 0], 8),        "loopback"),                // RFC 1122; the Lambda runtime API listens there
    (v4([169, 254, 0, 0], 16),     "link-local"),              // RFC 3927; 169.254.169.254 is the metadata service
    (v4([172, 16, 0, 0], 12),      "private"),                 // RFC 1918
    (v4([192, 0, 0, 0], 24),       "protocol assignment"),     // RFC 6890; Oracle's metadata service is 192.0.0.192
    (v4([192, 0, 2, 0], 24),       "documentation"),           // RFC 5737
    (v4([192, 88, 99, 0], 24),     "6to4 relay"),              // RFC 7526
    (v4([192, 168, 0, 0], 16),     "private"),                 // RFC 1918
    (v4([198, 18, 0, 0], 15),      "benchmarking"),            // RFC 2544
    (v4([198, 51, 100, 0], 24),    "documentation"),           // RFC 5737
    (v4([203, 0, 113, 0], 24),     "documentation"),           // RFC 5737
    (v4([224, 0, 0, 0], 4),        "multicast"),               // RFC 5771
    (v4([255, 255, 255, 255], 32), "broadcast"),               // RFC 919; before the block that it is part of
    (v4([240, 0, 0, 0], 4),        "reserved"),                // RFC 1112, class E
    (v4([168, 63, 129, 16], 32),   "cloud platform endpoint"), // no RFC: a public address that inside Azure is the host
];

/// The IPv6 blocks that are refused by name. What lies outside [`GLOBAL_UNICAST`] is refused even when no row names it.
///
/// Source: the IANA IPv6 Special-Purpose Address Registry (RFC 6890 and its updates), with the multicast and site-local
/// blocks of the IPv6 address space registry. The first matching row wins, so the narrower block stands first.
#[rustfmt::skip] // a table is read by its columns
const REFUSED_V6: &[(Ipv6Net, &str)] = &[
    (v6([0], 128),                      "unspecified"),         // RFC 4291
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "loopback"),            // RFC 4291
    (v6([0, 0, 0, 0, 0, 0xffff], 96),   "IPv4-mapped"),         // RFC 4291: a second spelling of an IPv4 address
    (v6([0], 96),                       "IPv4-compatible"),     // RFC 4291, deprecated
    (NAT64_WELL_KNOWN,                  "NAT64"),               // RFC 6052
    (v6([0x64, 0xff9b, 1], 48),         "NAT64"),               // RFC 8215
    (v6([0x100], 64),                   "discard"),             // RFC 6666
    (TEREDO,                            "Teredo"),              // RFC 4380
    (v6([0x2001, 2], 48),               "benchmarking"),        // RFC 5180
    (v6([0x2001, 0x10], 28),            "ORCHID"),              // RFC 4843
    (v6([0x2001, 0x20], 28),            "ORCHID"),              // RFC 7343
    (v6([0x2001], 23),                  "protocol assignment"), // RFC 2928: the rest of the IETF's block
    (v6([0x2001, 0xdb8], 32),           "documentation"),       // RFC 3849
    (SIX_TO_FOUR,                       "6to4"),                // RFC 3056
    (v6([0x3fff], 20),                  "documentation"),       // RFC 9637
    (v6([0x5f00], 16),                  "SRv6"),                // RFC 9602
    (v6([0xfc00], 7),                   "unique local"),        // RFC 4193; fd00:ec2::254 is the metadata service
    (v6([0xfe80], 10),                  "link-local"),          // RFC 4291
    (v6([0xfec0], 10),                  "site-local"),          // RFC 3879, deprecated
    (v6([0xff00], 8),                   "multicast"),           // RFC 4291
];

/// The only IPv6 block that IANA hands out for the public internet (RFC 4291, section 2.4).
const GLOBAL_UNICAST: Ipv6Net = v6([0x2000], 3);

const NAT64_WELL_KNOWN: Ipv6Net = v6([0x64, 0xff9b], 96);
const SIX_TO_FOUR: Ipv6Net = v6([0x2002], 16);
const TEREDO: Ipv6Net = v6([0x2001], 32);

/// Why a user's target may not have this address, or `None` when it is a public one.
///
/// The answer is the name of the address block as IANA's special-purpose registries have it. An IPv6 address that wraps
/// an IPv4 one is refused whatever it wraps: nobody publishes such an address, and translators would unwrap it.
///
/// ```
/// use carillon_outbound::refusal;
///
/// assert_eq!(refusal("169.254.169.254".parse().unwrap()), Some("link-local"));
/// assert_eq!(refusal("::ffff:8.8.8.8".parse().unwrap()), Some("IPv4-mapped"));
/// assert_eq!(refusal("8.8.8.8".parse().unwrap()), None);
/// ```
pub fn refusal(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(ip) => REFUSED_V4.iter().find(|(block, _)| block.contains(&ip)).map(|&(_, name)| name),
        IpAddr::V6(ip) => REFUSED_V6
            .iter()
            .find(|(block, _)| block.contains(&ip))
            .map(|&(_, name)| name)
            .or_else(|| (!GLOBAL_UNICAST.contains(&ip)).then_some("not global unicast")),
    }
}

/// The IPv4 address that a translator or tunnel would reach for this IPv6 address, if it is of such a kind.
///
/// An operator who opens, say, 64:ff9b::/96 (DNS64 needs that) must not thereby open 10.0.0.0/8 behind it.
/// The local NAT64 block 64:ff9b:1::/48 is not read: where it holds the address is each network's own choice.
pub(super) fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let [_, upper, lower, _, _, _, seventh, eighth] = ip.segments();
    if SIX_TO_FOUR.contains(&ip) {
        return Some(from_halves(upper, lower));
    }
    if TEREDO.contains(&ip) {
        return Some(from_halves(!seventh, !eighth)); // RFC 4380, section 4: the client's address, inverted
    }
    if NAT64_WELL_KNOWN.contains(&ip) {
        return Some(from_halves(seventh, eighth));
    }
    // Mapped and compatible. It reads ::1 as 0.0.0.1 too, which would shut an allowed ::1.
    if ip.is_loopback() || ip.is_unspecified() { None } else { ip.to_ipv4() }
}

fn from_halves(upper: u16, lower: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(upper) << 16 | u32::from(lower))
}

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

/// The block that starts with these 16-bit groups; the groups left out are zero.
const fn v6<const N: usize>(leading: [u16; N], prefix: u8) -> Ipv6Net {
    let mut bits = 0;
    let mut group = 0;
    while group < N {
        bits |= (leading[group] as u128) << (112 - 16 * group);
        group += 1;
    }
    Ipv6Net::new_assert(Ipv6Addr::from_bits(bits), prefix)
}
