//! The head of a request and of a response.
//!
//! Pure: bytes in, bytes out. A response is parsed by `httparse`; what it means for a download is read
//! here, strictly: two lengths that differ, an encoding that was not asked for, or a range that cannot
//! be, are no guesswork but an error.

use crate::body::Body;
use crate::{Address, Credentials};
use zeroize::Zeroizing;

/// The longest head of a response, in bytes.
pub(crate) const HEAD_LIMIT: usize = 16 << 10;
/// The most header lines in it.
const HEADERS: usize = 100;

/// Where to go on, and how to know that it is still the same file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resume {
    /// The first byte that is missing.
    pub(crate) from: u64,
    /// For `If-Range`.
    pub(crate) validator: String,
}

/// A GET for `address`.
pub(crate) fn request(
    address: &Address,
    credentials: Option<&Credentials>,
    resume: Option<&Resume>,
) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {}/{}\r\nAccept: */*\r\n\
         Accept-Encoding: identity\r\nConnection: close\r\n",
        address.target(),
        address.authority(),
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_VERSION"),
    ));
    if let Some(credentials) = credentials {
        let pair = Zeroizing::new(format!(
            "{}:{}",
            credentials.username,
            credentials.password.as_str()
        ));
        let encoded = Zeroizing::new(openssl::base64::encode_block(pair.as_bytes()));
        text.push_str("Authorization: Basic ");
        text.push_str(&encoded);
        text.push_str("\r\n");
    }
    if let Some(resume) = resume {
        text.push_str(&format!(
            "Range: bytes={}-\r\nIf-Range: {}\r\n",
            resume.from, resume.validator
        ));
    }
    text.push_str("\r\n");
    Zeroizing::new(text.as_bytes().to_vec())
}

/// What the head of a response says.
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    /// For `If-Range`: a strong entity tag, else the date of the last change.
    pub(crate) validator: Option<String>,
    /// First byte, last byte and size of the whole, where it says so.
    pub(crate) range: Option<(u64, u64, Option<u64>)>,
    /// Bytes of the content, where it says so.
    pub(crate) length: Option<u64>,
    chunked: bool,
}

impl Head {
    /// The head at the front of `bytes` and its length; `None` while more is needed.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, String> {
        let mut lines = [httparse::EMPTY_HEADER; HEADERS];
        let mut response = httparse::Response::new(&mut lines);
        let used = match response.parse(bytes) {
            Ok(httparse::Status::Complete(used)) => used,
            Ok(httparse::Status::Partial) if bytes.len() >= HEAD_LIMIT => {
                return Err(format!("its head is longer than {HEAD_LIMIT} bytes"))
            }
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(e) => return Err(e.to_string()),
        };
        let mut head = Head {
            status: response.code.unwrap_or_default(),
            location: None,
            validator: None,
            range: None,
            length: None,
            chunked: false,
        };
        let (mut tag, mut changed) = (None, None);
        for line in response.headers.iter() {
            let value = std::str::from_utf8(line.value)
                .map_err(|_| format!("{} is not text", line.name))?
                .trim();
            match line.name.to_ascii_lowercase().as_str() {
                "content-length" => head.take_length(value)?,
                "transfer-encoding" if value.eq_ignore_ascii_case("chunked") && !head.chunked => {
                    head.chunked = true;
                }
                "transfer-encoding" => {
                    return Err(format!(
                        "a transfer encoding that was not asked for: {value:?}"
                    ))
                }
                "content-encoding" if !value.eq_ignore_ascii_case("identity") => {
                    return Err(format!(
                        "a content encoding that was not asked for: {value:?}"
                    ))
                }
                "content-range" => head.range = range(value),
                "location" => head.location = Some(value.to_owned()),
                "etag" if is_strong(value) => tag = Some(value.to_owned()),
                "last-modified" if is_date(value) => changed = Some(value.to_owned()),
                _ => {}
            }
        }
        head.validator = tag.or(changed);
        Ok(Some((head, used)))
    }

    fn take_length(&mut self, value: &str) -> Result<(), String> {
        let length = number(value).ok_or("its length is no number")?;
        match self.length.replace(length) {
            Some(other) if other != length => Err("it has two lengths".to_owned()),
            _ => Ok(()),
        }
    }

    /// How its content ends.
    pub(crate) fn body(&self) -> Body {
        match (self.chunked, self.length) {
            (true, _) => Body::chunked(),
            (false, Some(length)) => Body::of_length(length),
            (false, None) => Body::open(),
        }
    }

    /// Bytes of the content if that is known before it comes.
    pub(crate) fn announced(&self) -> Option<u64> {
        self.length.filter(|_| !self.chunked)
    }

    /// The length of the file, if the content is all of it from `from` on; `total` is what was said of
    /// that length before.
    pub(crate) fn rest(&self, from: u64, total: Option<u64>) -> Option<u64> {
        let (first, last, size) = self.range?;
        // No file ends there.
        let end = last.checked_add(1)?;
        let length = end.checked_sub(first)?;
        let fits = first == from
            && self.announced().is_none_or(|announced| announced == length)
            && size.is_none_or(|size| size == end)
            && total.is_none_or(|total| total == end);
        fits.then_some(end)
    }
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// `bytes FIRST-LAST/SIZE` or `bytes FIRST-LAST/*` (RFC 9110, 14.4).
fn range(value: &str) -> Option<(u64, u64, Option<u64>)> {
    let (unit, rest) = value.split_once(' ')?;
    let (span, size) = rest.trim().split_once('/')?;
    let (first, last) = span.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    let size = match size {
        "*" => None,
        size => Some(number(size)?),
    };
    let holds =
        unit.eq_ignore_ascii_case("bytes") && first <= last && size.is_none_or(|size| last < size);
    holds.then_some((first, last, size))
}

/// A strong entity tag (RFC 9110, 8.8.3); a weak one says nothing about bytes.
fn is_strong(tag: &str) -> bool {
    tag.len() >= 2
        && tag.len() <= 256
        && tag.starts_with('"')
        && tag.ends_with('"')
        && tag.bytes().all(|b| b.is_ascii_graphic())
}

fn is_date(value: &str) -> bool {
    value.len() <= 64
        && value.ends_with("GMT")
        && value.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(lines: &str) -> Result<Option<(Head, usize)>, String> {
        Head::parse(format!("HTTP/1.1 200 OK\r\n{lines}\r\n").as_bytes())
    }

    #[test]
    fn a_request_says_what_is_wanted_and_hides_nothing_else() {
        let address: Address = "https://h:8443/x?y".parse().unwrap();
        let plain = String::from_utf8(request(&address, None, None).to_vec()).unwrap();
        assert!(
            plain.starts_with("GET /x?y HTTP/1.1\r\nHost: h:8443\r\n"),
            "{plain}"
        );
        assert!(plain.ends_with("\r\n\r\n"));
        assert!(!plain.contains("Range") && !plain.contains("Authorization"));
        let credentials = Credentials {
            username: "Aladdin".into(),
            password: Zeroizing::new("open sesame".into()),
        };
        let resume = Resume {
            from: 7,
            validator: "\"v\"".into(),
        };
        let full = request(&address, Some(&credentials), Some(&resume));
        let full = String::from_utf8(full.to_vec()).unwrap();
        assert!(full.contains("\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"));
        assert!(full.contains("\r\nRange: bytes=7-\r\nIf-Range: \"v\"\r\n"));
    }

    #[test]
    fn only_a_validator_that_vouches_for_bytes_is_used() {
        let validator = |lines: &str| parse(lines).unwrap().unwrap().0.validator;
        let date = "Tue, 15 Nov 1994 12:45:26 GMT";
        assert_eq!(validator("ETag: \"a\"\r\n"), Some("\"a\"".into()));
        assert_eq!(validator("ETag: W/\"a\"\r\n"), None);
        assert_eq!(
            validator(&format!("Last-Modified: {date}\r\n")),
            Some(date.into())
        );
        let both = format!("Last-Modified: {date}\r\nETag: \"a\"\r\n");
        assert_eq!(validator(&both), Some("\"a\"".into()));
    }

    #[test]
    fn what_cannot_be_is_an_error_and_no_guess() {
        for lines in [
            "Content-Length: 1\r\nContent-Length: 2\r\n",
            "Content-Length: +1\r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Content-Encoding: gzip\r\n",
            "no header\r\n",
        ] {
            assert!(parse(lines).is_err(), "{lines}");
        }
        assert!(parse("Content-Length: 1\r\nContent-Length: 1\r\n").is_ok());
        assert!(Head::parse(b"SSH-2.0-OpenSSH\r\n").is_err());
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\nA: b\r\n")
            .unwrap()
            .is_none());
        let endless = format!("HTTP/1.1 200 OK\r\nA: {}", "b".repeat(HEAD_LIMIT));
        assert!(Head::parse(endless.as_bytes()).is_err());
        assert!(parse(&"a: b\r\n".repeat(HEADERS + 1)).is_err());
    }

    #[test]
    fn a_range_is_read_only_if_it_can_be() {
        assert_eq!(range("bytes 2-4/10"), Some((2, 4, Some(10))));
        assert_eq!(range("bytes 2-4/*"), Some((2, 4, None)));
        for bad in [
            "bytes 4-2/10",
            "bytes 2-10/10",
            "bytes */10",
            "lines 2-4/10",
            "bytes 2-/10",
            "2-4/10",
        ] {
            assert_eq!(range(bad), None, "{bad}");
        }
    }
}
