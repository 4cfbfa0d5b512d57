//! The public URL of a delivery: what Twilio signs.

/// A URL in its parts, none of them changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    scheme: &'static str,
    host: String,
    port: Option<u16>,
    path: String,
}

/// Why a text is no public URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not begin with `https://` or `http://`.
    Scheme,
    /// A user name or password stands in it.
    User,
    /// The host or the port can't be read.
    Host,
    /// It has a query or a fragment.
    Query,
    /// It has white space or control characters.
    Characters,
}

impl Address {
    /// Reads a URL without a query.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if text.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err(Fault::Characters);
        }
        let (scheme, rest) = [("https", "https://"), ("http", "http://")]
            .into_iter()
            .find_map(|(scheme, prefix)| Some((scheme, text.strip_prefix(prefix)?)))
            .ok_or(Fault::Scheme)?;
        if rest.contains(['?', '#']) {
            return Err(Fault::Query);
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(Fault::User);
        }
        let (host, port) = host_and_port(authority).ok_or(Fault::Host)?;
        Ok(Self { scheme, host: host.to_owned(), port, path: path.to_owned() })
    }

    /// Where Twilio's Monitor API is.
    pub fn monitor() -> Self {
        Self { scheme: "https", host: "monitor.twilio.com".to_owned(), port: None, path: String::new() }
    }

    /// The URL of a request, from what a proxy says of it.
    pub fn of(is_tls: bool, authority: &str, path: &str) -> Option<Self> {
        let (host, port) = host_and_port(authority)?;
        let scheme = if is_tls { "https" } else { "http" };
        Some(Self { scheme, host: host.to_owned(), port, path: path.to_owned() })
    }

    /// The whole URL with the query of a request, once without a port and once with one.
    pub fn signed(&self, query: Option<&str>) -> [String; 2] {
        let Self { scheme, host, path, .. } = self;
        let port = self.port.unwrap_or(if self.is_tls() { 443 } else { 80 });
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        [format!("{scheme}://{host}{path}{query}"), format!("{scheme}://{host}:{port}{path}{query}")]
    }

    /// Whether the way to it is encrypted.
    pub fn is_tls(&self) -> bool {
        self.scheme == "https"
    }

    /// Host, without brackets, for addresses.
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The path, empty if there is none.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Scheme, host and port are the same.
    pub fn same_origin(&self, other: &Self) -> bool {
        let port = |address: &Self| address.port.unwrap_or(if address.is_tls() { 443 } else { 80 });
        self.scheme == other.scheme && self.host.eq_ignore_ascii_case(&other.host) && port(self) == port(other)
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(&self.path)
    }
}

/// A host (an IPv6 address in brackets) and its port.
fn host_and_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let end = authority.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match authority.get(end..)?.rfind(':') {
        Some(at) => (authority.get(..end + at)?, Some(authority.get(end + at + 1..)?.parse().ok()?)),
        None => (authority, None),
    };
    let in_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
    let plain = !host.contains(':') || host.starts_with('[');
    (!host.is_empty() && plain && host.bytes().all(in_host)).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<[&str; 2], Fault>) {
        let found = Address::parse(text).map(|address| address.signed(None));
        assert_eq!(found, expected.map(|urls| urls.map(str::to_owned)), "{text}");
    }

    #[test]
    fn a_url_is_signed_with_and_without_its_port() {
        check("https://a.example/x", Ok(["https://a.example/x", "https://a.example:443/x"]));
        check("https://a.example:443/x", Ok(["https://a.example/x", "https://a.example:443/x"]));
        check("http://a.example", Ok(["http://a.example", "http://a.example:80"]));
        check("http://[::1]:8080/", Ok(["http://[::1]/", "http://[::1]:8080/"]));
    }

    #[test]
    fn what_is_no_public_url_is_refused() {
        check("ftp://a/", Err(Fault::Scheme));
        check("https://u:p@a/", Err(Fault::User));
        check("https:///x", Err(Fault::Host));
        check("https://a:99999/", Err(Fault::Host));
        check("https://a/?x", Err(Fault::Query));
        check("https://a/ x", Err(Fault::Characters));
    }

    #[test]
    fn the_query_is_that_of_the_request() {
        let address = Address::parse("https://a/x").unwrap();
        assert_eq!(address.signed(Some("b=1&b=%20"))[0], "https://a/x?b=1&b=%20");
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let same = |a, b| Address::parse(a).unwrap().same_origin(&Address::parse(b).unwrap());
        assert!(same("https://A.example/x", "https://a.example:443/y"));
        assert!(!same("https://a.example", "http://a.example:443"));
        assert!(!same("https://a.example", "https://a.example.evil"));
    }
}
