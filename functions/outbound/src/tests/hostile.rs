//! URLs of attackers. None may be dialled.

use super::{Script, addresses, get, reason};
use crate::{AllowList, Outbound};
use url::Url;

const SCHEME: &str = "the scheme is neither http nor https";
const USER: &str = "the URL carries a user name or password";
const EMPTY_PART: &str = "the host name has an empty part";
/// The URL parser already refuses it, so no request can be made of it.
const NO_URL: &str = "not a URL";

/// A hostile URL, and the reason for which it is refused.
#[rustfmt::skip]
const HOSTILE: &[(&str, &str)] = &[
    // one IPv4 address in all its spellings
    ("http://127.0.0.1/", "loopback"),
    ("https://127.0.0.1:8443/", "loopback"),
    ("http://127.0.0.1:9001/2018-06-01/runtime/invocation/next", "loopback"),
    ("http://127.255.255.254/", "loopback"),
    ("http://127.1/", "loopback"),
    ("http://127.0.1/", "loopback"),
    ("http://127.65535/", "loopback"),
    ("http://2130706433/", "loopback"),
    ("http://0x7f000001/", "loopback"),
    ("http://0x7F.1/", "loopback"),
    ("http://0x7f.0x0.0x0.0x1/", "loopback"),
    ("http://017700000001/", "loopback"),
    ("http://0177.0.0.01/", "loopback"),
    ("http://00000177.0.0.1/", "loopback"),
    ("http://127.0.0.1./", "loopback"),
    ("http://2130706433./", "loopback"),
    ("http://%31%32%37.0.0.1/", "loopback"),
    ("http://127%2e0%2e0%2e1/", "loopback"),
    ("http://１２７.０.０.１/", "loopback"),
    ("http://127。0。0。1/", "loopback"),
    ("http://①②⑦.⓪.⓪.①/", "loopback"),
    ("http:\\\\127.0.0.1\\", "loopback"),
    ("http:127.0.0.1", "loopback"),
    ("HTTP://127.0.0.1", "loopback"),
    ("  http://127.0.0.1/", "loopback"),
    ("http://127.0.\t0.1/", "loopback"),
    ("http:///127.0.0.1/", "loopback"),
    ("http://256.0.0.1/", NO_URL),
    ("http://4294967296/", NO_URL),
    ("http://1.2.3.4.5/", NO_URL),
    ("http://127.0.0.1%00.example.com/", NO_URL),
    ("http://127.0.0.1 .example.com/", NO_URL),
    // nowhere in particular is here
    ("http://0/", "unspecified"),
    ("http://0.0.0.0:8080/", "unspecified"),
    ("http://0x0/", "unspecified"),
    ("http://[::]/", "unspecified"),
    // the metadata services
    ("http://169.254.169.254/latest/meta-data/", "link-local"),
    ("http://2852039166/", "link-local"),
    ("http://0xa9fea9fe/", "link-local"),
    ("http://0xa9.0xfe.0xa9.0xfe/", "link-local"),
    ("http://0251.0376.0251.0376/", "link-local"),
    ("http://025177524776/", "link-local"),
    ("http://169.254.43518/", "link-local"),
    ("http://169.16689662/", "link-local"),
    ("http://169.254.169.254./", "link-local"),
    ("http://169.254.169.253/", "link-local"),
    ("http://169.254.170.2/v2/credentials", "link-local"),
    ("http://①⑥⑨.②⑤④.①⑥⑨.②⑤④/", "link-local"),
    ("http://[::ffff:169.254.169.254]/", "IPv4-mapped"),
    ("http://[::ffff:a9fe:a9fe]/", "IPv4-mapped"),
    ("http://[64:ff9b::a9fe:a9fe]/", "NAT64"),
    ("http://[2002:a9fe:a9fe::]/", "6to4"),
    ("http://[fd00:ec2::254]/", "unique local"),
    ("http://[fe80::a9fe:a9fe]/", "link-local"),
    ("http://[fe80::a9fe:a9fe%25eth0]/", NO_URL),
    ("http://100.100.100.200/", "carrier-grade NAT"),
    ("http://192.0.0.192/", "protocol assignment"),
    ("http://168.63.129.16/", "cloud platform endpoint"),
    // every other kind of IPv4 address
    ("http://10.0.0.1/", "private"),
    ("http://172.16.0.1/", "private"),
    ("http://172.31.255.255/", "private"),
    ("http://192.168.1.1/", "private"),
    ("http://3232235777/", "private"),
    ("http://100.64.0.1/", "carrier-grade NAT"),
    ("http://198.18.0.1/", "benchmarking"),
    ("http://192.0.2.1/", "documentation"),
    ("http://198.51.100.1/", "documentation"),
    ("http://203.0.113.1/", "documentation"),
    ("http://192.88.99.1/", "6to4 relay"),
    ("http://224.0.0.1/", "multicast"),
    ("http://240.0.0.1/", "reserved"),
    ("http://255.255.255.255/", "broadcast"),
    // IPv6, and IPv4 inside it
    ("http://[::1]/", "loopback"),
    ("http://[0:0:0:0:0:0:0:1]/", "loopback"),
    ("http://[0000::0001]:8080/", "loopback"),
    ("http://[::ffff:127.0.0.1]/", "IPv4-mapped"),
    ("http://[::ffff:7f00:1]/", "IPv4-mapped"),
    ("http://[::ffff:8.8.8.8]/", "IPv4-mapped"),
    ("http://[::127.0.0.1]/", "IPv4-compatible"),
    ("http://[::7f00:1]/", "IPv4-compatible"),
    ("http://[64:ff9b::127.0.0.1]/", "NAT64"),
    ("http://[64:ff9b::10.0.0.1]/", "NAT64"),
    ("http://[64:ff9b:1::a00:1]/", "NAT64"),
    ("http://[2002:7f00:1::1]/", "6to4"),
    ("http://[2002:a00:1::]/", "6to4"),
    ("http://[2001::80ff:fffe]/", "Teredo"),
    ("http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/", "Teredo"),
    ("http://[2001:10::1]/", "ORCHID"),
    ("http://[2001:20::1]/", "ORCHID"),
    ("http://[2001:db8::1]/", "documentation"),
    ("http://[3fff::1]/", "documentation"),
    ("http://[100::1]/", "discard"),
    ("http://[5f00::1]/", "SRv6"),
    ("http://[fc00::1]/", "unique local"),
    ("http://[fe80::1]/", "link-local"),
    ("http://[fec0::1]/", "site-local"),
    ("http://[ff02::1]/", "multicast"),
    ("http://[4000::1]/", "not global unicast"),
    ("http://[::ffff:0:127.0.0.1]/", "not global unicast"), // RFC 2765, "IPv4-translated"
    // a host that is not where it seems to be
    ("http://example.com@127.0.0.1/", USER),
    ("http://example.com:80@169.254.169.254/", USER),
    ("http://:secret@example.com/", USER),
    ("http://@127.0.0.1/", "loopback"),
    ("http://127.0.0.1#@example.com/", "loopback"),
    ("http://127.0.0.1?@example.com/", "loopback"),
    ("http://127.0.0.1\\@example.com/", "loopback"),
    ("http://example.com\\@127.0.0.1/", "private"), // the host is example.com, which resolves to a private address
    // names
    ("http://localhost/", "loopback"),
    ("http://LOCALHOST/", "loopback"),
    ("http://localhost./", "loopback"),
    ("http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", "loopback"),
    ("http://lo%63alhost/", "loopback"),
    ("http://lo\u{ad}calhost/", "loopback"),
    ("http://app.localhost/", "loopback"),
    ("http://app.localhost.:3000/", "loopback"),
    ("http://six.localhost/", "loopback"),
    ("https://example.com/", "private"),
    ("http://metadata.google.internal/", "link-local"),
    ("http://127.0.0.1.nip.io/", "loopback"),
    ("http://xn--bcher-kva.example/", "private"),
    ("http://bücher.example/", "private"),
    ("http://mapped.example/", "IPv4-mapped"),
    ("http://public-then-private.example/", "private"),
    ("http://private-then-public.example/", "private"),
    ("http://public-then-private-v6.example/", "unique local"),
    ("http://./", EMPTY_PART),
    ("http://localhost../", EMPTY_PART),
    ("http://127.0.0.1../", EMPTY_PART),
    ("http://.localhost/", EMPTY_PART),
    ("http://a..localhost/", EMPTY_PART),
    ("http://xn--/", NO_URL),
    ("http://", NO_URL),
    // not HTTP
    ("file:///etc/passwd", SCHEME),
    ("gopher://127.0.0.1:6379/_FLUSHALL", SCHEME),
    ("ftp://127.0.0.1/", SCHEME),
    ("ws://127.0.0.1/", SCHEME),
    ("dict://127.0.0.1:11211/stats", SCHEME),
    ("ldap://127.0.0.1/", SCHEME),
    ("data:text/plain,hello", SCHEME),
    ("jar:http://127.0.0.1!/", SCHEME),
    ("unix:/var/run/docker.sock", SCHEME),
    ("//127.0.0.1/", NO_URL),
];

fn names() -> Script {
    Script::default()
        .name("localhost", &[addresses(&["127.0.0.1"])])
        .name("localhost.", &[addresses(&["127.0.0.1"])])
        .name("app.localhost", &[addresses(&["127.0.0.1"])])
        .name("app.localhost.", &[addresses(&["127.0.0.1"])])
        .name("six.localhost", &[addresses(&["::1"])])
        .name("example.com", &[addresses(&["10.0.0.1"])])
        .name("metadata.google.internal", &[addresses(&["169.254.169.254"])])
        .name("127.0.0.1.nip.io", &[addresses(&["127.0.0.1"])])
        .name("xn--bcher-kva.example", &[addresses(&["192.168.0.1"])])
        .name("mapped.example", &[addresses(&["::ffff:8.8.8.8"])])
        .name("public-then-private.example", &[addresses(&["8.8.8.8", "10.0.0.1"])])
        .name("private-then-public.example", &[addresses(&["10.0.0.1", "8.8.8.8"])])
        .name("public-then-private-v6.example", &[addresses(&["8.8.8.8", "2606:4700::1111", "fd00::1"])])
}

#[tokio::test]
async fn every_hostile_url_is_refused_for_its_reason() {
    let outbound = Outbound::with_lookup(AllowList::default(), names());
    for &(url, expected) in HOSTILE {
        let refused_for = match Url::parse(url) {
            Err(_) => NO_URL,
            Ok(_) => reason(outbound.send(get(url)).await),
        };
        assert_eq!(refused_for, expected, "{url}");
    }
}

#[tokio::test]
async fn an_allow_list_for_something_else_opens_no_hostile_url() {
    let unrelated = super::allow(&["10.99.0.0/16", "127.0.0.99:8080", "internal.example.com", "[fd99::1]:443"]);
    let outbound = Outbound::with_lookup(unrelated, names());
    for &(url, expected) in HOSTILE.iter().filter(|(url, _)| Url::parse(url).is_ok()) {
        assert_eq!(reason(outbound.send(get(url)).await), expected, "{url}");
    }
}

#[tokio::test]
async fn a_tunnel_is_refused() {
    let mut request = get("http://8.8.8.8/");
    request.method = http::Method::CONNECT;
    assert_eq!(reason(Outbound::new(AllowList::default()).send(request).await), "CONNECT opens a tunnel");
}
