//! The answer of a package server, and the addresses of packages: `file_download`.
//!
//! The first byte says in pieces of which size the content arrives.

use file_download::fuzzing::response;
use file_download::Address;

use crate::Seed;

pub(crate) fn run(data: &[u8]) {
    let Some((cut, stream)) = data.split_first() else {
        return;
    };
    let seen = response(stream, usize::from(*cut));
    // How TCP cuts the stream changes nothing.
    assert_eq!(seen, response(stream, usize::MAX));
    if let Ok(Some(seen)) = seen {
        assert!(seen.head <= stream.len());
        assert!(seen.content.len() <= stream.len() - seen.head);
        if let Some(length) = seen.announced {
            assert!(seen.content.len() as u64 <= length);
            assert_eq!(seen.done, seen.content.len() as u64 == length);
        }
        if let Some((first, last, size)) = seen.range {
            assert!(first <= last && size.is_none_or(|size| last < size));
            if let Some(end) = seen.end {
                assert!(first < end && end - 1 == last);
                assert!(size.is_none_or(|size| size == end));
                let length = |announced| announced == end - first;
                assert!(seen.announced.is_none_or(length));
            }
        } else {
            assert_eq!(seen.end, None);
        }
        if let Some(validator) = &seen.validator {
            // It is sent back within a line of a request.
            assert!(validator.bytes().all(|b| b.is_ascii_graphic() || b == b' '));
        }
        if let Some(location) = seen.location {
            address(&location);
        }
    }
    if let Ok(text) = std::str::from_utf8(stream) {
        address(text);
    }
}

fn address(text: &str) {
    if let Ok(address) = text.parse::<Address>() {
        assert!(!address.host().is_empty() && address.port() != 0);
        // It enters a request, and a log.
        assert!(address.to_string().bytes().all(|b| b.is_ascii_graphic()));
    }
}

pub(crate) fn seeds() -> Vec<Seed> {
    let of = |cut: u8, text: &str| [&[cut], text.as_bytes()].concat();
    vec![
        (
            "length",
            of(3, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nETag: \"v1\"\r\n\r\ncontent"),
        ),
        (
            "chunked",
            of(2, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nabcd\r\n0\r\nA: b\r\n\r\n"),
        ),
        (
            "range",
            of(5, "HTTP/1.1 206 Partial\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 3\r\nLast-Modified: Tue, 15 Nov 1994 12:45:26 GMT\r\n\r\nabc"),
        ),
        (
            "rest",
            of(5, "HTTP/1.1 206 Partial\r\nContent-Range: bytes 7-9/10\r\nContent-Length: 3\r\n\r\nabc"),
        ),
        (
            "rest-without-end",
            of(5, "HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-18446744073709551615/*\r\n\r\nabc"),
        ),
        (
            "length-without-end",
            of(5, "HTTP/1.1 206 Partial\r\nContent-Range: bytes 18446744073709551615-18446744073709551615/*\r\nContent-Length: 18446744073709551615\r\n\r\nabc"),
        ),
        (
            "redirect",
            of(1, "HTTP/1.1 302 Found\r\nLocation: https://h:8443/x?y\r\nContent-Length: 0\r\n\r\n"),
        ),
        ("open", of(9, "HTTP/1.0 200 OK\r\n\r\nuntil it ends")),
        ("address", of(0, "https://[2001:db8::1]:8443/a/b?c=d")),
    ]
}
