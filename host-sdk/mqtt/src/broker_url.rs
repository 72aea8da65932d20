//! The address of a broker, as a person types it.
//!
//! Not here: resolving the host, opening anything. Called by whoever reads a configuration, and by
//! [`Options`](crate::Options).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// How the broker is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// MQTT over TCP, in clear.
    Mqtt,
    /// MQTT over TLS.
    Mqtts,
    /// MQTT over WebSocket (RFC 6455), in clear.
    Ws,
    /// MQTT over WebSocket over TLS.
    Wss,
}

impl Scheme {
    /// The port that is meant when none is given: 1883, 8883, 80 or 443.
    pub fn default_port(self) -> u16 {
        match self {
            Scheme::Mqtt => 1883,
            Scheme::Mqtts => 8883,
            Scheme::Ws => 80,
            Scheme::Wss => 443,
        }
    }

    /// Whether the connection is encrypted and the broker authenticated.
    pub fn is_tls(self) -> bool {
        matches!(self, Scheme::Mqtts | Scheme::Wss)
    }

    /// Whether MQTT travels in WebSocket frames.
    pub fn is_web_socket(self) -> bool {
        matches!(self, Scheme::Ws | Scheme::Wss)
    }

    /// The name before `://`.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Mqtt => "mqtt",
            Scheme::Mqtts => "mqtts",
            Scheme::Ws => "ws",
            Scheme::Wss => "wss",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The address of a broker: `mqtts://broker.example.com:8883`.
///
/// Parsed with [`FromStr`]; [`fmt::Display`] writes the shortest form that parses back to the same
/// value (a port equal to the default of its scheme is left out).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BrokerUrl {
    /// How to speak.
    pub scheme: Scheme,
    /// A host name or an IP address, in lower case, an IPv6 address without its brackets.
    pub host: String,
    /// The TCP port, never 0.
    pub port: u16,
    /// The path of the WebSocket resource, with its leading `/`; `None` means `/mqtt`. Only with
    /// [`Scheme::Ws`] and [`Scheme::Wss`].
    pub path: Option<String>,
}

/// Why a text is not the address of a broker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokerUrlError {
    /// Nothing before `://`, or something other than the four schemes.
    #[error("the address must begin with mqtt://, mqtts://, ws:// or wss://")]
    Scheme,
    /// Nothing between the scheme and the port.
    #[error("the address names no host")]
    NoHost,
    /// `user:password@` was given. Its text is not repeated: it may hold a secret.
    #[error(
        "user name and password do not belong into the address: they have fields of their own"
    )]
    UserInfo,
    /// The host holds a character that no host name has.
    #[error("{0:?} is not a host name or an IP address")]
    Host(String),
    /// An IPv6 address without `[` and `]`, or a bad one within them.
    #[error("{0:?} is not an IPv6 address in brackets, such as [2001:db8::1]")]
    Ipv6(String),
    /// The port is not a number in 1..65535.
    #[error("{0:?} is not a port: 1 to 65535")]
    Port(String),
    /// A path where the scheme has none, or one with characters that no path has.
    #[error("the path {0:?} does not belong here: only ws:// and wss:// have one")]
    Path(String),
}

impl FromStr for BrokerUrl {
    type Err = BrokerUrlError;

    fn from_str(text: &str) -> Result<Self, BrokerUrlError> {
        let (scheme, rest) = text
            .trim()
            .split_once("://")
            .ok_or(BrokerUrlError::Scheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "mqtt" => Scheme::Mqtt,
            "mqtts" => Scheme::Mqtts,
            "ws" => Scheme::Ws,
            "wss" => Scheme::Wss,
            _ => return Err(BrokerUrlError::Scheme),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        if authority.contains('@') {
            return Err(BrokerUrlError::UserInfo);
        }
        let (host, port) = split_authority(authority)?;
        let port = match port {
            None => scheme.default_port(),
            Some(digits) => parse_port(digits)?,
        };
        let path = parse_path(scheme, path)?;
        Ok(BrokerUrl {
            scheme,
            host,
            port,
            path,
        })
    }
}

fn split_authority(authority: &str) -> Result<(String, Option<&str>), BrokerUrlError> {
    if let Some(rest) = authority.strip_prefix('[') {
        let bad = || BrokerUrlError::Ipv6(authority.to_owned());
        let (address, port) = rest.split_once(']').ok_or_else(bad)?;
        let address: Ipv6Addr = address.parse().map_err(|_| bad())?;
        let port = match port {
            "" => None,
            _ => Some(port.strip_prefix(':').ok_or_else(bad)?),
        };
        return Ok((address.to_string(), port));
    }
    if authority.matches(':').count() > 1 {
        return Err(BrokerUrlError::Ipv6(authority.to_owned()));
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    if host.is_empty() {
        return Err(BrokerUrlError::NoHost);
    }
    let plausible = host.len() <= 253
        && !host.starts_with(['-', '.'])
        && !host.contains("..")
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    // "999.1.1.1" and "1.2.3" resolve to surprising things: what ends in a number is an IPv4 address.
    let numeric = host
        .rsplit('.')
        .find(|label| !label.is_empty())
        .is_some_and(|l| l.bytes().all(|b| b.is_ascii_digit()));
    if !plausible || (numeric && host.parse::<IpAddr>().is_err()) {
        return Err(BrokerUrlError::Host(host.to_owned()));
    }
    Ok((host.to_ascii_lowercase(), port))
}

fn parse_port(digits: &str) -> Result<u16, BrokerUrlError> {
    let bad = || BrokerUrlError::Port(digits.to_owned());
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad());
    }
    match digits.parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(bad()),
    }
}

fn parse_path(scheme: Scheme, path: &str) -> Result<Option<String>, BrokerUrlError> {
    if path.is_empty() || path == "/" {
        return Ok(None);
    }
    let printable = path.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
    if !scheme.is_web_socket() || !printable {
        return Err(BrokerUrlError::Path(path.to_owned()));
    }
    Ok(Some(path.to_owned()))
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.bracketed_host())?;
        if self.port != self.scheme.default_port() {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(self.path.as_deref().unwrap_or(""))
    }
}

impl BrokerUrl {
    /// The host as it stands in a URL or an HTTP header: an IPv6 address in brackets.
    pub(crate) fn bracketed_host(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_scheme_has_its_port() {
        for (text, port) in [
            ("mqtt://h", 1883),
            ("mqtts://h/", 8883),
            ("ws://h", 80),
            ("wss://h", 443),
            ("MQTTS://H:1", 1),
        ] {
            assert_eq!(text.parse::<BrokerUrl>().unwrap().port, port, "{text}");
        }
    }

    #[test]
    fn what_is_written_parses_back() {
        for text in [
            "mqtts://broker.example.com",
            "mqtt://10.0.0.1:1884",
            "mqtts://[2001:db8::1]:1",
            "ws://h/mqtt?x=1",
        ] {
            let url: BrokerUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), text);
            assert_eq!(url.to_string().parse::<BrokerUrl>().unwrap(), url);
        }
    }

    #[test]
    fn every_error_is_told_apart() {
        use BrokerUrlError as E;
        let error = |text: &str| text.parse::<BrokerUrl>().unwrap_err();
        assert_eq!(error("broker"), E::Scheme);
        assert_eq!(error("http://h"), E::Scheme);
        assert_eq!(error("mqtts://"), E::NoHost);
        assert_eq!(error("mqtts://:8883"), E::NoHost);
        assert_eq!(error("mqtts://me:secret@h"), E::UserInfo);
        assert!(!error("mqtts://me:secret@h").to_string().contains("secret"));
        assert_eq!(error("mqtts://a b"), E::Host("a b".into()));
        assert_eq!(error("mqtts://1.2.3"), E::Host("1.2.3".into()));
        assert_eq!(error("mqtts://::1"), E::Ipv6("::1".into()));
        assert_eq!(error("mqtts://[::g]"), E::Ipv6("[::g]".into()));
        assert_eq!(error("mqtts://h:0"), E::Port("0".into()));
        assert_eq!(error("mqtts://h:65536"), E::Port("65536".into()));
        assert_eq!(error("mqtts://h:+1"), E::Port("+1".into()));
        assert_eq!(error("mqtts://h/x"), E::Path("/x".into()));
    }
}
