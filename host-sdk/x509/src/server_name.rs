//! The name under which a TLS server was called.

use std::fmt;
use std::net::IpAddr;

/// A DNS name or an IP address, never empty: OpenSSL takes an empty name for
/// "do not check any".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerName {
    /// Without a trailing dot.
    Dns(String),
    /// From its text, an IPv6 address also in brackets.
    Ip(IpAddr),
}

impl ServerName {
    /// Reads a host as it stands in a broker URL.
    ///
    /// `None` if it is empty, longer than 253 characters or not printable ASCII
    /// (an internationalised name comes in its `xn--` form).
    #[must_use]
    pub fn parse(host: &str) -> Option<Self> {
        let bare = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(host);
        if let Ok(address) = bare.parse() {
            return Some(Self::Ip(address));
        }
        let name = host.strip_suffix('.').unwrap_or(host);
        let fits = !name.is_empty() && name.len() <= 253 && !name.starts_with('.');
        (fits && name.bytes().all(|byte| byte.is_ascii_graphic()))
            .then(|| Self::Dns(name.to_owned()))
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => out.write_str(name),
            Self::Ip(address) => address.fmt(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_as_people_write_them() {
        let dns = |name: &str| Some(ServerName::Dns(name.to_owned()));
        assert_eq!(
            ServerName::parse("broker.example.com."),
            dns("broker.example.com")
        );
        assert_eq!(
            ServerName::parse("192.0.2.1"),
            "192.0.2.1".parse().ok().map(ServerName::Ip)
        );
        assert_eq!(
            ServerName::parse("[2001:db8::1]"),
            "2001:db8::1".parse().ok().map(ServerName::Ip)
        );
    }

    #[test]
    fn a_name_that_would_switch_the_check_off_is_none() {
        // A leading dot makes OpenSSL accept every subdomain.
        for host in [
            "",
            ".",
            ".example.com",
            "a b",
            "bro\0ker",
            "br\u{f6}ker",
            &"a".repeat(254),
        ] {
            assert_eq!(ServerName::parse(host), None, "{host:?}");
        }
    }
}
