//! Who the client is and whether its bytes were hidden on the way, behind proxies or not. Pure.
//!
//! `X-Forwarded-*` from anyone but a trusted proxy is a claim of the client about itself and is ignored.

use std::net::IpAddr;

use http::HeaderMap;

/// What is known of the client behind a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    /// Its address.
    pub(super) source_ip: IpAddr,
    /// TLS all the way from the client: `aws:SecureTransport`.
    pub(super) secure: bool,
    /// Secure, or never on a network: SSE-C and KMS are taken.
    pub(super) confidential: bool,
}

/// Finds the client of a request that came from `peer`, over TLS that ended here if `tls`.
pub(super) fn origin(peer: IpAddr, tls: bool, headers: &HeaderMap, trusted: &[(IpAddr, u8)]) -> Origin {
    let peer = peer.to_canonical();
    let (source_ip, secure) = if is_trusted(peer, trusted) {
        (forwarded_for(peer, headers, trusted), forwarded_https(headers).unwrap_or(tls))
    } else {
        (peer, tls)
    };
    // Both ends: a client on the loopback of a proxy elsewhere still crossed the network in clear.
    let local = peer.is_loopback() && source_ip.is_loopback();
    Origin { source_ip, secure, confidential: secure || local }
}

/// The right-most address that is no trusted proxy: what stands left of it was written by the client. Where a trusted
/// proxy wrote something that is no address, that proxy itself is the last one known.
fn forwarded_for(peer: IpAddr, headers: &HeaderMap, trusted: &[(IpAddr, u8)]) -> IpAddr {
    let mut known = peer;
    let lines: Vec<&str> = headers.get_all("x-forwarded-for").iter().map(|v| v.to_str().unwrap_or("?")).collect();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let Some(address) = parse_hop(hop.trim()) else { break };
        known = address;
        if !is_trusted(address, trusted) {
            break;
        }
    }
    known
}

/// An address, perhaps with a port as some proxies write it: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`,
/// `[2001:db8::1]:4711`.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let address = text.parse::<IpAddr>().ok();
    let address = address.or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|a| a.ip()));
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    address.or_else(bracketed).map(|address| address.to_canonical())
}

/// The last word of `X-Forwarded-Proto`: the one of the nearest proxy.
fn forwarded_https(headers: &HeaderMap) -> Option<bool> {
    let last = headers.get_all("x-forwarded-proto").iter().next_back()?;
    let last = last.to_str().unwrap_or_default().rsplit(',').next().unwrap_or_default();
    Some(last.trim().eq_ignore_ascii_case("https"))
}

fn is_trusted(address: IpAddr, trusted: &[(IpAddr, u8)]) -> bool {
    trusted.iter().any(|(network, bits)| match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(*bits)).unwrap_or(0);
            (a.to_bits() ^ n.to_bits()) & mask == 0
        }
        (IpAddr::V6(a), IpAddr::V6(n)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(*bits)).unwrap_or(0);
            (a.to_bits() ^ n.to_bits()) & mask == 0
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(peer: &str, tls: bool, headers: &[(&'static str, &str)], trusted: &[(&str, u8)]) -> (String, bool, bool) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("a header value"));
        }
        let trusted: Vec<_> = trusted.iter().map(|(a, bits)| (a.parse().expect("an address"), *bits)).collect();
        let o = origin(peer.parse().expect("an address"), tls, &map, &trusted);
        (o.source_ip.to_string(), o.secure, o.confidential)
    }

    fn is(address: &str, secure: bool, confidential: bool) -> (String, bool, bool) {
        (address.to_owned(), secure, confidential)
    }

    const HTTPS: (&str, &str) = ("x-forwarded-proto", "https");

    #[test]
    fn direct_clients() {
        assert_eq!(found("192.0.2.1", false, &[], &[]), is("192.0.2.1", false, false));
        assert_eq!(found("192.0.2.1", true, &[], &[]), is("192.0.2.1", true, true));
        assert_eq!(found("127.0.0.1", false, &[], &[]), is("127.0.0.1", false, true));
        assert_eq!(found("::1", false, &[], &[]), is("::1", false, true));
        assert_eq!(found("::ffff:127.0.0.1", false, &[], &[]), is("127.0.0.1", false, true));
    }

    #[test]
    fn nobody_else_is_believed() {
        let headers = [HTTPS, ("x-forwarded-for", "10.0.0.1")];
        assert_eq!(found("192.0.2.1", false, &headers, &[("10.0.0.0", 8)]), is("192.0.2.1", false, false));
        assert_eq!(found("127.0.0.1", false, &headers, &[("10.0.0.0", 8)]), is("127.0.0.1", false, true));
    }

    #[test]
    fn the_right_most_untrusted_address_counts() {
        let trusted = [("10.0.0.0", 8), ("fd00::", 8)];
        for (header, expected) in [
            ("203.0.113.9", "203.0.113.9"),
            ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
            ("198.51.100.1, 203.0.113.9, 10.0.0.7", "203.0.113.9"),
            ("203.0.113.9:4711, 10.0.0.7", "203.0.113.9"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1, fd00::7", "2001:db8::1"),
            ("10.0.0.8, 10.0.0.7", "10.0.0.8"),
            ("198.51.100.1, unknown, 10.0.0.7", "10.0.0.7"),
            ("garbage", "10.0.0.1"),
            ("", "10.0.0.1"),
        ] {
            let headers = [HTTPS, ("x-forwarded-for", header)];
            assert_eq!(found("10.0.0.1", false, &headers, &trusted), is(expected, true, true), "{header}");
        }
        let lines = [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "10.0.0.7")];
        assert_eq!(found("10.0.0.1", false, &lines, &trusted), is("203.0.113.9", false, false));
    }

    #[test]
    fn the_nearest_proxy_says_how_the_client_came() {
        let trusted = [("10.0.0.1", 32)];
        let with = |proto: &'static str| {
            found("10.0.0.1", false, &[("x-forwarded-for", "203.0.113.9"), ("x-forwarded-proto", proto)], &trusted)
        };
        assert_eq!(with("https"), is("203.0.113.9", true, true));
        assert_eq!(with("HTTPS"), is("203.0.113.9", true, true));
        assert_eq!(with("http"), is("203.0.113.9", false, false));
        assert_eq!(with("https, http"), is("203.0.113.9", false, false));
        // TLS between proxy and gateway does not make up for a client without.
        let headers = [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-proto", "http")];
        assert_eq!(found("10.0.0.1", true, &headers, &trusted), is("203.0.113.9", false, false));
    }

    #[test]
    fn a_proxy_on_loopback_does_not_make_its_clients_local() {
        let trusted = [("127.0.0.1", 32)];
        let headers = [("x-forwarded-for", "203.0.113.9")];
        assert_eq!(found("127.0.0.1", false, &headers, &trusted), is("203.0.113.9", false, false));
        assert_eq!(found("127.0.0.1", false, &[], &trusted), is("127.0.0.1", false, true));
        let headers = [("x-forwarded-for", "127.0.0.1")];
        assert_eq!(found("10.0.0.1", false, &headers, &[("10.0.0.1", 32)]), is("127.0.0.1", false, false));
    }

    #[test]
    fn masks_at_their_ends() {
        let everything = [("0.0.0.0", 0)];
        assert_eq!(found("192.0.2.1", false, &[HTTPS], &everything), is("192.0.2.1", true, true));
        let one = [("192.0.2.1", 32)];
        assert_eq!(found("192.0.2.0", false, &[HTTPS], &one), is("192.0.2.0", false, false));
    }
}
