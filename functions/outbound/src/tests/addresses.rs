//! The address table: both ends of every block, and the public addresses around them.

use crate::refusal;

#[test]
fn both_ends_of_every_special_ipv4_block_are_refused() {
    let blocks = [
        ("0.0.0.0", "0.255.255.255", "unspecified"),
        ("10.0.0.0", "10.255.255.255", "private"),
        ("100.64.0.0", "100.127.255.255", "carrier-grade NAT"),
        ("127.0.0.0", "127.255.255.255", "loopback"),
        ("169.254.0.0", "169.254.255.255", "link-local"),
        ("172.16.0.0", "172.31.255.255", "private"),
        ("192.0.0.0", "192.0.0.255", "protocol assignment"),
        ("192.0.2.0", "192.0.2.255", "documentation"),
        ("192.88.99.0", "192.88.99.255", "6to4 relay"),
        ("192.168.0.0", "192.168.255.255", "private"),
        ("198.18.0.0", "198.19.255.255", "benchmarking"),
        ("198.51.100.0", "198.51.100.255", "documentation"),
        ("203.0.113.0", "203.0.113.255", "documentation"),
        ("224.0.0.0", "239.255.255.255", "multicast"),
        ("240.0.0.0", "255.255.255.254", "reserved"),
        ("255.255.255.255", "255.255.255.255", "broadcast"),
        ("168.63.129.16", "168.63.129.16", "cloud platform endpoint"),
    ];
    for (first, last, name) in blocks {
        assert_eq!(refusal(first.parse().unwrap()), Some(name), "{first}");
        assert_eq!(refusal(last.parse().unwrap()), Some(name), "{last}");
    }
}

#[test]
fn both_ends_of_every_special_ipv6_block_are_refused() {
    let blocks = [
        ("::", "::", "unspecified"),
        ("::1", "::1", "loopback"),
        ("::2", "::ffff:ffff", "IPv4-compatible"),
        ("::ffff:0:0", "::ffff:ffff:ffff", "IPv4-mapped"),
        ("64:ff9b::", "64:ff9b::ffff:ffff", "NAT64"),
        ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "NAT64"),
        ("100::", "100::ffff:ffff:ffff:ffff", "discard"),
        ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "Teredo"),
        ("2001:1::", "2001:1:ffff:ffff:ffff:ffff:ffff:ffff", "protocol assignment"),
        ("2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", "benchmarking"),
        ("2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff", "ORCHID"),
        ("2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff", "ORCHID"),
        ("2001:30::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "protocol assignment"),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"),
        ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "6to4"),
        ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"),
        ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "SRv6"),
        ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "unique local"),
        ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local"),
        ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "site-local"),
        ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"),
    ];
    for (first, last, name) in blocks {
        assert_eq!(refusal(first.parse().unwrap()), Some(name), "{first}");
        assert_eq!(refusal(last.parse().unwrap()), Some(name), "{last}");
    }
}

#[test]
fn ipv6_outside_the_global_unicast_block_is_refused_though_no_block_names_it() {
    for ip in
        ["::1:0:0:0", "64:ff9b:2::1", "100:0:0:1::1", "200::1", "1fff::1", "4000::1", "5eff::1", "8000::1", "fe00::1"]
    {
        assert_eq!(refusal(ip.parse().unwrap()), Some("not global unicast"), "{ip}");
    }
}

#[test]
fn public_addresses_are_accepted() {
    let public = [
        // services everybody knows
        "1.1.1.1",
        "8.8.8.8",
        "9.9.9.9",
        "52.95.110.1",
        "93.184.215.14",
        "104.16.132.229",
        "2606:4700:4700::1111",
        "2001:4860:4860::8888",
        "2620:fe::fe",
        "2a00:1450:4001:81b::200e",
        // the neighbours of the refused blocks
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "168.63.129.15",
        "168.63.129.17",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "191.255.255.255",
        "192.0.1.0",
        "192.0.3.0",
        "192.88.98.255",
        "192.88.100.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "198.51.99.255",
        "198.51.101.0",
        "203.0.112.255",
        "203.0.114.0",
        "223.255.255.255",
        "2000::",
        "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:200::",
        "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:db9::",
        "2003::",
        "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "3fff:1000::",
    ];
    for ip in public {
        assert_eq!(refusal(ip.parse().unwrap()), None, "{ip}");
    }
}
