//! The address of a file: `http://` or `https://`, a host, and what to ask it for.
//!
//! Host and port follow the same rules as those of a broker. Not here: resolving or opening anything.

use mqtt_session::{BrokerUrl, BrokerUrlError};
use std::fmt;
use std::str::FromStr;

/// The longest address, in bytes.
const LONGEST: usize = 4096;

/// Where a file is.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    secure: bool,
    host: String,
    port: u16,
    /// Path and query, beginning with `/`.
    target: String,
}

/// Why a text is no address that can be downloaded from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No scheme.
    #[error("the address must begin with http:// or https://")]
    NoScheme,
    /// A scheme that is never used, such as `file:`.
    #[error("{0}: is not allowed, only http:// and https://")]
    Scheme(String),
    /// User name, host or port do not hold.
    #[error(transparent)]
    Authority(#[from] BrokerUrlError),
    /// Too long, or with characters that no address has.
    #[error("the address is not up to 4096 bytes of printable ASCII")]
    Characters,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.len() > LONGEST || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(AddressError::Characters);
        }
        let scheme = scheme(text).ok_or(AddressError::NoScheme)?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(AddressError::Scheme(scheme.to_owned())),
        };
        let rest = text
            .get(scheme.len()..)
            .and_then(|rest| rest.strip_prefix("://"))
            .ok_or(AddressError::NoScheme)?;
        let rest = without_fragment(rest);
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        // A WebSocket address has the same host, port and default port.
        let like = if secure { "wss" } else { "ws" };
        let parsed: BrokerUrl = format!("{like}://{authority}").parse()?;
        Ok(Address {
            secure,
            host: parsed.host,
            port: parsed.port,
            target: rooted(target),
        })
    }
}

impl Address {
    /// Whether the connection is encrypted and the server authenticated.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host: a name in lower case or an IP address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, as asked for.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    /// Host and, where it is not the scheme's own, port, as the `Host` header wants them.
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        match (self.secure, self.port) {
            (false, 80) | (true, 443) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    /// Whether the other one is of the same scheme, host and port.
    pub(crate) fn same_origin(&self, other: &Address) -> bool {
        (self.secure, &self.host, self.port) == (other.secure, &other.host, other.port)
    }

    /// What a `Location` header means that came from here (RFC 3986, 5.2, strict).
    pub(crate) fn follow(&self, location: &str) -> Result<Address, AddressError> {
        if scheme(location).is_some() {
            return location.parse();
        }
        let own = if self.secure { "https" } else { "http" };
        if location.starts_with("//") {
            return format!("{own}:{location}").parse();
        }
        let location = without_fragment(location);
        if !location.bytes().all(|b| b.is_ascii_graphic()) || location.len() > LONGEST {
            return Err(AddressError::Characters);
        }
        let path = self.target.split('?').next().unwrap_or_default();
        let target = if location.is_empty() {
            self.target.clone()
        } else if location.starts_with('/') {
            rooted(location)
        } else if location.starts_with('?') {
            format!("{path}{location}")
        } else {
            let folder = path.rfind('/').and_then(|at| path.get(..=at));
            rooted(&format!("{}{location}", folder.unwrap_or("/")))
        };
        Ok(Address {
            target,
            ..self.clone()
        })
    }
}

/// What stands before the first colon, if that is a scheme.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let holds = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    holds.then_some(scheme)
}

fn without_fragment(text: &str) -> &str {
    text.split('#').next().unwrap_or_default()
}

/// Path and query with a leading `/` and without dot segments (RFC 3986, 5.2.4).
fn rooted(target: &str) -> String {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}{query}", kept.join("/"))
}

/// Without the query, which may be a secret.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        let (path, query) = match self.target.split_once('?') {
            Some((path, _)) => (path, "?..."),
            None => (self.target.as_str(), ""),
        };
        write!(f, "{scheme}://{}{path}{query}", self.authority())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_host_port_and_target() {
        for (text, secure, host, port, target, authority) in [
            ("http://h", false, "h", 80, "/", "h"),
            ("HTTPS://H:443/a/b?c=d", true, "h", 443, "/a/b?c=d", "h"),
            ("https://h?q", true, "h", 443, "/?q", "h"),
            (
                "http://[::1]:8080/x#y",
                false,
                "::1",
                8080,
                "/x",
                "[::1]:8080",
            ),
            (
                "http://10.0.0.1/a/../b/./",
                false,
                "10.0.0.1",
                80,
                "/b/",
                "10.0.0.1",
            ),
        ] {
            let read = address(text);
            assert_eq!(read.is_secure(), secure, "{text}");
            assert_eq!((read.host(), read.port()), (host, port), "{text}");
            assert_eq!(read.target(), target, "{text}");
            assert_eq!(read.authority(), authority, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_by_name() {
        let error = |text: &str| text.parse::<Address>().unwrap_err();
        assert_eq!(error("h/x"), AddressError::NoScheme);
        assert_eq!(error("http:h"), AddressError::NoScheme);
        assert_eq!(
            error("file:///etc/passwd"),
            AddressError::Scheme("file".into())
        );
        assert!(error("file:///etc/passwd").to_string().starts_with("file:"));
        assert_eq!(error("ftp://h/x"), AddressError::Scheme("ftp".into()));
        assert_eq!(error("http://h/a b"), AddressError::Characters);
        assert_eq!(error("http://h/\r\nX: y"), AddressError::Characters);
        let user = error("http://me:secret@h/");
        assert_eq!(user, AddressError::Authority(BrokerUrlError::UserInfo));
        assert!(!user.to_string().contains("secret"));
        assert_eq!(
            error("http:///x"),
            AddressError::Authority(BrokerUrlError::NoHost)
        );
    }

    #[test]
    fn a_location_is_resolved_as_the_standard_says() {
        let base = address("http://a/b/c/d?q");
        for (location, whole) in [
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g/"),
            ("?y", "http://a/b/c/d?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d?q"),
            ("", "http://a/b/c/d?q"),
            (".", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../../../g", "http://a/g"),
            ("https://x:1/y", "https://x:1/y"),
        ] {
            assert!(
                base.follow(location).unwrap() == address(whole),
                "{location}"
            );
        }
        for location in ["file:/etc/passwd", "javascript:x", "g h", "gö"] {
            base.follow(location).unwrap_err();
        }
    }

    #[test]
    fn the_query_is_not_shown() {
        let shown = format!("{0} {0:?}", address("https://h/x?token=secret"));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
