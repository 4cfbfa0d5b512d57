//! What proxies say about a request, as far as they are trusted.
//!
//! Each proxy adds to the right, so the list is read from the right, for as long as the hop is a trusted one. What
//! stands further to the left may have been written by anyone.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::source::twilio::address::Address;

/// The headers of one request that proxies write, each with its values joined by commas.
#[derive(Clone, Debug, Default)]
pub struct Forwarding {
    /// `Forwarded` (RFC 7239).
    pub forwarded: Option<String>,
    /// `X-Forwarded-For`.
    pub addresses: Option<String>,
    /// `X-Forwarded-Proto`.
    pub scheme: Option<String>,
    /// `X-Forwarded-Host`.
    pub host: Option<String>,
    /// `X-Forwarded-Port`.
    pub port: Option<String>,
    /// `Host`.
    pub own_host: Option<String>,
}

/// The public URL of a request from `peer`; none if the peer is not trusted or says too little.
pub fn public_address(trusted: &[IpNet], peer: IpAddr, headers: &Forwarding, path: &str) -> Option<Address> {
    if !is_trusted(trusted, peer) {
        return None;
    }
    if let Some(forwarded) = &headers.forwarded {
        return standard(trusted, forwarded, headers.own_host.as_deref(), path);
    }
    let hops = headers.addresses.as_deref().unwrap_or_default().rsplit(',');
    // This peer, and each trusted proxy before it.
    let depth = 1 + hops.take_while(|hop| node(hop).is_some_and(|hop| is_trusted(trusted, hop))).count();
    let is_tls = match nth_from_right(headers.scheme.as_deref()?, depth) {
        "https" | "wss" => true,
        "http" | "ws" => false,
        _ => return None,
    };
    let host = match headers.host.as_deref() {
        Some(hosts) => nth_from_right(hosts, depth),
        None => headers.own_host.as_deref()?,
    };
    let port = headers.port.as_deref().map(|ports| nth_from_right(ports, depth));
    let bare = !host.trim_end_matches(|c: char| c.is_ascii_digit()).ends_with(':');
    match port.filter(|port| bare && !["80", "443"].contains(port)) {
        Some(port) => Address::of(is_tls, &format!("{host}:{port}"), path),
        None => Address::of(is_tls, host, path),
    }
}

fn standard(trusted: &[IpNet], forwarded: &str, own_host: Option<&str>, path: &str) -> Option<Address> {
    let mut found = None;
    for element in forwarded.rsplit(',') {
        let pair = |name: &str| {
            element.split(';').find_map(|pair| {
                let (key, value) = pair.split_once('=')?;
                key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
            })
        };
        found = Some((pair("proto")?, pair("host")));
        if !pair("for").and_then(node).is_some_and(|hop| is_trusted(trusted, hop)) {
            break;
        }
    }
    let (scheme, host) = found?;
    let is_tls = match scheme {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    Address::of(is_tls, host.or(own_host)?, path)
}

fn is_trusted(trusted: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    trusted.iter().any(|network| network.contains(&address))
}

/// The entry that the outermost trusted proxy wrote; with fewer entries, the first.
fn nth_from_right(list: &str, depth: usize) -> &str {
    list.rsplit(',').take(depth).last().unwrap_or_default().trim()
}

/// An address, perhaps in quotes and brackets and with a port.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split_once(']')?.0.parse().ok();
    }
    text.parse().ok().or_else(|| text.rsplit_once(':')?.0.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(peer: &str, headers: &[(&str, &str)], expected: Option<&str>) {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let value = |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let headers = Forwarding {
            forwarded: value("forwarded"),
            addresses: value("for"),
            scheme: value("proto"),
            host: value("host"),
            port: value("port"),
            own_host: Some("inside.example".to_owned()),
        };
        let found = public_address(&trusted, peer.parse().unwrap(), &headers, "/x");
        assert_eq!(found.map(|address| address.to_string()).as_deref(), expected, "{headers:?}");
    }

    #[test]
    fn a_trusted_proxy_names_the_public_url() {
        check("10.1.1.1", &[("proto", "https"), ("host", "a.example")], Some("https://a.example/x"));
        check("10.1.1.1", &[("proto", "https")], Some("https://inside.example/x"));
        check("10.1.1.1", &[("proto", "https"), ("host", "a"), ("port", "8443")], Some("https://a:8443/x"));
        check("10.1.1.1", &[("proto", "https"), ("host", "a:1"), ("port", "8443")], Some("https://a:1/x"));
        check("10.1.1.1", &[("forwarded", "for=1.2.3.4;proto=https;host=a.example")], Some("https://a.example/x"));
        check("::ffff:10.1.1.1", &[("proto", "https"), ("host", "a.example")], Some("https://a.example/x"));
    }

    #[test]
    fn anyone_else_names_nothing() {
        check("192.0.2.1", &[("proto", "https"), ("host", "a.example")], None);
        check("192.0.2.1", &[("forwarded", "proto=https;host=a.example")], None);
        check("10.1.1.1", &[("host", "a.example")], None);
        check("10.1.1.1", &[("proto", "gopher"), ("host", "a.example")], None);
        check("10.1.1.1", &[("proto", "https"), ("host", "a.example/evil")], None);
    }

    #[test]
    fn what_a_client_wrote_before_the_proxy_is_passed_over() {
        let lists = [("for", "1.2.3.4"), ("proto", "http, https"), ("host", "evil.example, a.example")];
        check("10.1.1.1", &lists, Some("https://a.example/x"));
        let chain = [("for", "1.2.3.4, 10.2.2.2"), ("proto", "https, http"), ("host", "a.example, b.example")];
        check("10.1.1.1", &chain, Some("https://a.example/x"));
        let standard =
            "for=9.9.9.9;proto=http;host=evil, for=1.2.3.4;proto=https;host=a, for=\"[fd00::1]:7\";proto=http;host=b";
        check("10.1.1.1", &[("forwarded", standard)], Some("https://a/x"));
    }
}
