//! The allow list: what an entry opens, what it leaves shut, and how a bad one is reported.

use super::allow;
use crate::AllowList;

/// The entry's verdict on a URL's own address, or with `name` on what that name resolves to.
fn opens(entry: &str, name: Option<&str>, ip: &str, port: u16) -> bool {
    let list = allow(&[entry]);
    list.vet(name, ip.parse().unwrap(), list.port_class(port)).is_ok()
}

#[test]
fn an_entry_opens_what_it_names_and_nothing_beside_it() {
    // entry, address, port, opened
    let cases = [
        ("127.0.0.1", "127.0.0.1", 80, true),
        ("127.0.0.1", "127.0.0.1", 9001, true),
        ("127.0.0.1", "127.0.0.2", 80, false),
        ("127.0.0.1", "::ffff:127.0.0.1", 80, false),
        ("127.0.0.1:8080", "127.0.0.1", 8080, true),
        ("127.0.0.1:8080", "127.0.0.1", 80, false),
        ("127.0.0.1:8080", "127.0.0.1", 9001, false),
        ("10.0.0.0/8", "10.255.0.1", 22, true),
        ("10.0.0.0/8", "11.0.0.1", 22, true), // public: open without an entry
        ("10.0.0.0/8", "192.168.0.1", 22, false),
        ("10.1.0.0/16:443", "10.1.2.3", 443, true),
        ("10.1.0.0/16:443", "10.1.2.3", 80, false),
        ("10.1.0.0/16:443", "10.2.2.3", 443, false),
        ("::1", "::1", 80, true),
        ("[::1]", "::1", 80, true),
        ("[::1]:9000", "::1", 9000, true),
        ("[::1]:9000", "::1", 9001, false),
        ("fd00::/8", "fd12::1", 80, true),
        ("fd00::/8:443", "fd12::1", 443, true),
        ("fd00::/8:443", "fd12::1", 80, false),
        (" 127.0.0.1 ", "127.0.0.1", 80, true),
        ("0.0.0.0/0", "169.254.169.254", 80, true),
        ("localhost", "127.0.0.1", 80, false), // the name is open, its address in a URL is not
    ];
    for (entry, ip, port, opened) in cases {
        assert_eq!(opens(entry, None, ip, port), opened, "{entry} for {ip} port {port}");
    }
}

#[test]
fn a_host_name_opens_every_address_of_that_name_only() {
    // entry, name, port, opened
    let cases = [
        ("internal.example.com", "internal.example.com", 80, true),
        ("internal.example.com", "internal.example.com.", 80, true),
        ("internal.example.com.", "internal.example.com", 80, true),
        ("Internal.Example.COM", "internal.example.com", 80, true),
        ("bücher.example", "xn--bcher-kva.example", 80, true),
        ("internal.example.com", "other.example.com", 80, false),
        ("internal.example.com", "sub.internal.example.com", 80, false),
        ("internal.example.com", "example.com", 80, false),
        ("internal.example.com:8443", "internal.example.com", 8443, true),
        ("internal.example.com:8443", "internal.example.com", 443, false),
        ("localhost:3000", "localhost", 3000, true),
        ("a_b.example", "a_b.example", 80, true),
    ];
    for (entry, name, port, opened) in cases {
        assert_eq!(opens(entry, Some(name), "10.0.0.1", port), opened, "{entry} for {name} port {port}");
        assert_eq!(opens(entry, Some(name), "fd00::1", port), opened, "{entry} for {name} port {port}");
    }
}

#[test]
fn opening_a_translator_does_not_open_the_private_addresses_behind_it() {
    let cases = [
        ("64:ff9b::/96", "64:ff9b::8.8.8.8", true),
        ("64:ff9b::/96", "64:ff9b::169.254.169.254", false),
        ("2002::/16", "2002:808:808::1", true),
        ("2002::/16", "2002:a00:1::1", false),
        ("2001::/32", "2001::f7f7:f7f7", true),  // 8.8.8.8, inverted
        ("2001::/32", "2001::80ff:fffe", false), // 127.0.0.1, inverted
        ("::/0", "::ffff:8.8.8.8", true),
        ("::/0", "::ffff:127.0.0.1", false),
        ("::/0", "::7f00:1", false),
        ("::/0", "::1", true),
        ("::/0", "fd00::1", true),
    ];
    for (entry, ip, opened) in cases {
        assert_eq!(opens(entry, None, ip, 80), opened, "{entry} for {ip}");
    }
    let both = allow(&["64:ff9b::/96", "10.0.0.0/8"]);
    assert_eq!(both.vet(None, "64:ff9b::10.0.0.1".parse().unwrap(), None), Ok(()));
}

#[test]
fn nothing_is_open_by_default() {
    for list in [AllowList::default(), AllowList::parse(&[]).unwrap()] {
        assert_eq!(list.vet(Some("localhost"), "127.0.0.1".parse().unwrap(), None), Err("loopback"));
    }
}

#[test]
fn a_malformed_entry_is_named_with_its_problem() {
    let name = "neither an IP address, a CIDR block nor a host name";
    let port = "the port is not a number up to 65535";
    let cases = [
        ("", name),
        (" ", name),
        (".", name),
        ("*.example.com", name),
        ("exa mple.com", name),
        ("example..com", name),
        ("127.1", name), // an address, but not in the form that one reads at a glance
        ("2130706433", name),
        ("0x7f.0.0.1", name),
        ("256.0.0.1", name),
        ("[::1", name),
        ("[127.0.0.1]", name),
        ("http://example.com", "what stands before the slash is not an IP address"),
        ("example.com/8", "what stands before the slash is not an IP address"),
        ("[fd00::]/8", "what stands before the slash is not an IP address"),
        ("10.0.0.0/33", "the prefix is longer than the address"),
        ("10.0.0.0/", "the prefix length is not a number"),
        ("10.0.0.0/255.0.0.0", "the prefix length is not a number"),
        ("10.0.0.1/8", "bits are set behind the prefix"),
        ("10.0.0.0/8:x", port),
        ("10.0.0.0/8:0", "port 0 cannot be dialled"),
        ("127.0.0.1:0", "port 0 cannot be dialled"),
        ("127.0.0.1:65536", port),
        ("127.0.0.1:", port),
        ("example.com:https", port),
        ("example.com:0", "port 0 cannot be dialled"),
        ("[fe80::1%2]:80", "a scoped address cannot stand in a URL"),
    ];
    for (entry, problem) in cases {
        let error = AllowList::parse(&[entry.to_owned()]).unwrap_err();
        assert_eq!(error.malformed.len(), 1, "{entry}");
        assert_eq!((error.malformed[0].entry.as_str(), error.malformed[0].problem), (entry, problem));
    }
}

#[test]
fn every_malformed_entry_of_a_list_is_named_at_once() {
    let entries = ["10.0.0.1/8", "127.0.0.1", "*.example.com"].map(String::from);
    assert_eq!(
        AllowList::parse(&entries).unwrap_err().to_string(),
        "malformed allow list: \"10.0.0.1/8\" (bits are set behind the prefix), \
         \"*.example.com\" (neither an IP address, a CIDR block nor a host name)"
    );
}
