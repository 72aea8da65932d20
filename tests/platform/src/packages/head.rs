//! The head of an HTTP request, as far as it matters here.

use base64::prelude::{Engine, BASE64_STANDARD};
use std::io::Read;

/// Longest head, in bytes.
const LONGEST: usize = 16 * 1024;
const HEADERS: usize = 64;

/// What was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) method: String,
    /// Without a query.
    pub(super) path: String,
    pub(super) range: Option<String>,
    pub(super) if_range: Option<String>,
    /// User name and password of Basic credentials.
    pub(super) credentials: Option<(String, String)>,
}

/// Reads a head; none if the client sends something else, or nothing.
pub(super) fn read(stream: &mut impl Read) -> std::io::Result<Option<Head>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 1024];
    while bytes.len() < LONGEST {
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            return Ok(None);
        }
        bytes.extend_from_slice(chunk.get(..count).unwrap_or_default());
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&bytes) {
            Ok(status) if status.is_complete() => return Ok(Some(head(&request))),
            Ok(_) => {}
            Err(error) => {
                log::debug!("packages: no HTTP request: {error}");
                return Ok(None);
            }
        }
    }
    Ok(None)
}

fn head(request: &httparse::Request<'_, '_>) -> Head {
    let header = |name: &str| {
        let found = request
            .headers
            .iter()
            .find(|h| h.name.eq_ignore_ascii_case(name))?;
        Some(String::from_utf8_lossy(found.value).trim().to_owned())
    };
    let path = request.path.unwrap_or_default();
    Head {
        method: request.method.unwrap_or_default().to_owned(),
        path: path.split('?').next().unwrap_or_default().to_owned(),
        range: header("range"),
        if_range: header("if-range"),
        credentials: header("authorization").and_then(|value| basic(&value)),
    }
}

/// RFC 7617.
fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, rest) = value.split_once(' ')?;
    let text = BASE64_STANDARD.decode(rest.trim()).ok()?;
    let text = String::from_utf8(text).ok()?;
    let (name, password) = text.split_once(':')?;
    scheme
        .eq_ignore_ascii_case("basic")
        .then(|| (name.to_owned(), password.to_owned()))
}

/// Which bytes of a file are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    /// All of it: no range, or one that is not understood (RFC 9110, 14.2).
    Whole,
    /// From the first to before the second.
    Part(u64, u64),
    /// Beyond its end.
    Unsatisfiable,
}

/// Reads a Range header for a file of this size. Several ranges at once are not understood.
pub(super) fn span(range: &str, size: u64) -> Span {
    let Some((from, to)) = range
        .strip_prefix("bytes=")
        .and_then(|spec| spec.trim().split_once('-'))
    else {
        return Span::Whole;
    };
    match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(from), _) if from >= size => Span::Unsatisfiable,
        (Ok(from), Err(_)) if to.is_empty() => Span::Part(from, size),
        (Ok(from), Ok(to)) if to >= from => Span::Part(from, to.saturating_add(1).min(size)),
        (Err(_), Ok(0)) if from.is_empty() => Span::Unsatisfiable,
        (Err(_), Ok(last)) if from.is_empty() => Span::Part(size.saturating_sub(last), size),
        _ => Span::Whole,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ranges_are_those_of_the_rfc() {
        for (range, expected) in [
            ("bytes=0-", Span::Part(0, 10)),
            ("bytes=3-", Span::Part(3, 10)),
            ("bytes=3-5", Span::Part(3, 6)),
            ("bytes=3-99", Span::Part(3, 10)),
            ("bytes=-4", Span::Part(6, 10)),
            ("bytes=-40", Span::Part(0, 10)),
            ("bytes=10-", Span::Unsatisfiable),
            ("bytes=-0", Span::Unsatisfiable),
            ("bytes=5-3", Span::Whole),
            ("bytes=0-1,4-5", Span::Whole),
            ("lines=1-2", Span::Whole),
            ("bytes=x-", Span::Whole),
        ] {
            assert_eq!(span(range, 10), expected, "{range}");
        }
    }

    #[test]
    fn a_head_may_come_in_pieces_and_what_is_none_is_none() {
        struct Drip<'a>(&'a [u8]);
        impl Read for Drip<'_> {
            fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
                let count = self.0.len().min(7);
                let (now, later) = self.0.split_at(count);
                into.get_mut(..count).unwrap().copy_from_slice(now);
                self.0 = later;
                Ok(count)
            }
        }
        let text =
            b"GET /a/b?c HTTP/1.1\r\nRANGE: bytes=1-\r\nAuthorization: basic dTpwOnc=\r\n\r\n";
        let head = read(&mut Drip(text)).unwrap().unwrap();
        assert_eq!((head.method.as_str(), head.path.as_str()), ("GET", "/a/b"));
        assert_eq!(head.range.as_deref(), Some("bytes=1-"));
        assert_eq!(head.credentials, Some(("u".to_owned(), "p:w".to_owned())));
        let long = vec![b'a'; 2 * LONGEST];
        for wrong in [&b"nonsense\r\n\r\n"[..], b"GET / HTTP/1.1\r\n", b"", &long] {
            assert_eq!(read(&mut Drip(wrong)).unwrap(), None);
        }
    }
}
