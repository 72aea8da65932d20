//! The answer to a request, right or wrong.

use super::head::{self, Head, Span};
use super::{lock, Offer, Offered, Seen, Shared, MEMORY};
use crate::behaviour::PackageFault;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Bytes read and sent at once.
const CHUNK: usize = 64 * 1024;
/// Between two bytes of a server that drips.
const DROP: Duration = Duration::from_secs(1);

/// Answers the one request of a connection.
pub(super) fn answer(stream: &mut (impl Read + Write), shared: &Shared) -> std::io::Result<()> {
    let Some(head) = head::read(stream)? else {
        return Ok(());
    };
    let mut seen = Seen {
        path: head.path.clone(),
        from: None,
        status: 0,
        sent: 0,
    };
    let offered = lock(&shared.offers).get(&head.path).cloned();
    let result = match &offered {
        Some(offered) => of_offer(stream, &head, offered, &mut seen),
        None => bare(stream, 404, "Not Found", "", &mut seen),
    };
    log::info!(
        "packages: {} {} from {}: {}, {} bytes",
        head.method,
        // The token in the path is what lets somebody in.
        head.path.rsplit('/').take(2).collect::<Vec<_>>().join(" "),
        seen.from.unwrap_or(0),
        seen.status,
        seen.sent
    );
    let stalled = matches!(
        offered.as_ref().map(|o| &o.offer.fault),
        Some(PackageFault::Stall { .. })
    );
    note(shared, seen);
    if stalled {
        // Until the client gives up, or the server ends.
        std::io::copy(stream, &mut std::io::sink())?;
    }
    result
}

fn note(shared: &Shared, seen: Seen) {
    let mut all = lock(&shared.seen);
    if all.len() >= MEMORY {
        all.pop_front();
    }
    all.push_back(seen);
    shared.news.notify_all();
}

fn bare(
    stream: &mut impl Write,
    status: u16,
    reason: &str,
    header: &str,
    seen: &mut Seen,
) -> std::io::Result<()> {
    seen.status = status;
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\n{header}Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.flush()
}

fn of_offer(
    stream: &mut impl Write,
    head: &Head,
    offered: &Offered,
    seen: &mut Seen,
) -> std::io::Result<()> {
    let offer = &offered.offer;
    if !matches!(head.method.as_str(), "GET" | "HEAD") {
        return bare(
            stream,
            405,
            "Method Not Allowed",
            "Allow: GET, HEAD\r\n",
            seen,
        );
    }
    if !is_let_in(head, offer) {
        let header = "WWW-Authenticate: Basic realm=\"packages\"\r\n";
        return bare(stream, 401, "Unauthorized", header, seen);
    }
    match &offer.fault {
        PackageFault::NotFound => return bare(stream, 404, "Not Found", "", seen),
        PackageFault::Unavailable => {
            return bare(stream, 503, "Service Unavailable", "", seen);
        }
        PackageFault::Redirect(to) => {
            let header = format!("Location: {to}\r\n");
            return bare(stream, 302, "Found", &header, seen);
        }
        PackageFault::RedirectLoop => {
            let header = format!("Location: {}\r\n", head.path);
            return bare(stream, 302, "Found", &header, seen);
        }
        PackageFault::Endless => return endless(stream, seen),
        _ => {}
    }
    let first = offered.fetched.fetch_add(1, Ordering::SeqCst) == 0;
    file(stream, head, offer, first, seen)
}

fn is_let_in(head: &Head, offer: &Offer) -> bool {
    if offer.fault == PackageFault::UntoldCredentials {
        return false;
    }
    match (&offer.credentials, &head.credentials) {
        (None, _) => true,
        (Some((name, password)), Some((given, secret))) => {
            name == given && password.matches(secret)
        }
        (Some(_), None) => false,
    }
}

fn endless(stream: &mut impl Write, seen: &mut Seen) -> std::io::Result<()> {
    seen.status = 200;
    stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
    let zeros = vec![0; CHUNK];
    loop {
        stream.write_all(&zeros)?;
        seen.sent += CHUNK as u64;
    }
}

fn drip(stream: &mut impl Write, source: impl Read, seen: &mut Seen) -> std::io::Result<()> {
    for byte in BufReader::new(source).bytes() {
        stream.write_all(&[byte?])?;
        stream.flush()?;
        seen.sent += 1;
        // How slow it is, not what is waited for: the next byte finds a closed connection.
        std::thread::sleep(DROP);
    }
    Ok(())
}

/// What is wrong with the body of an answer.
struct Body {
    /// Bytes that are sent at most.
    most: u64,
    /// Added to the length that is announced.
    lie: i64,
    /// Every byte is another one.
    altered: bool,
    etag: String,
    ignores_range: bool,
}

impl Body {
    fn of(offer: &Offer, first: bool) -> Body {
        let mut body = Body {
            most: u64::MAX,
            lie: 0,
            altered: false,
            etag: format!("\"{}\"", offer.sha256),
            ignores_range: false,
        };
        let signed = |by: u64| i64::try_from(by).unwrap_or(i64::MAX);
        match offer.fault {
            PackageFault::Stall { after } => body.most = after,
            PackageFault::LengthTooLong { by } => body.lie = signed(by),
            PackageFault::LengthTooShort { by } => body.lie = -signed(by),
            PackageFault::CutEach { at } => body.most = at,
            PackageFault::CutOnce { at } if first => body.most = at,
            PackageFault::ChangedAfterCut { at } if first => body.most = at,
            PackageFault::ChangedAfterCut { .. } => {
                body.altered = true;
                body.etag = "\"another\"".to_owned();
            }
            PackageFault::IgnoresRange { at } => {
                body.ignores_range = true;
                if first {
                    body.most = at;
                }
            }
            PackageFault::OtherContent => body.altered = true,
            _ => {}
        }
        body
    }
}

fn file(
    stream: &mut impl Write,
    head: &Head,
    offer: &Offer,
    first: bool,
    seen: &mut Seen,
) -> std::io::Result<()> {
    let body = Body::of(offer, first);
    let unchanged = head.if_range.as_ref().is_none_or(|tag| *tag == body.etag);
    let span = match &head.range {
        Some(range) if unchanged && !body.ignores_range => head::span(range, offer.size),
        _ => Span::Whole,
    };
    let (from, to) = match span {
        Span::Whole => (0, offer.size),
        Span::Part(from, to) => (from, to),
        Span::Unsatisfiable => {
            let header = format!("Content-Range: bytes */{}\r\n", offer.size);
            return bare(stream, 416, "Range Not Satisfiable", &header, seen);
        }
    };
    let (status, reason, range) = match span {
        Span::Part(..) => {
            seen.from = Some(from);
            let last = to.saturating_sub(1);
            let header = format!("Content-Range: bytes {from}-{last}/{}\r\n", offer.size);
            (206, "Partial Content", header)
        }
        _ => (200, "OK", String::new()),
    };
    seen.status = status;
    let mut source = File::open(&offer.file)?;
    source.seek(SeekFrom::Start(from))?;
    let length = (to - from).saturating_add_signed(body.lie);
    let text = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: application/octet-stream\r\n\
         Accept-Ranges: bytes\r\nETag: {}\r\n{range}Content-Length: {length}\r\n\
         Connection: close\r\n\r\n",
        body.etag
    );
    stream.write_all(text.as_bytes())?;
    if head.method == "HEAD" {
        return stream.flush();
    }
    if offer.fault == PackageFault::Drip {
        return drip(stream, source, seen);
    }
    let mut source = source.take((to - from).min(body.most));
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = source.read(&mut chunk)?;
        let Some(bytes) = chunk.get_mut(..count).filter(|b| !b.is_empty()) else {
            break;
        };
        if body.altered {
            bytes.iter_mut().for_each(|byte| *byte = !*byte);
        }
        stream.write_all(bytes)?;
        seen.sent += count as u64;
    }
    stream.flush()
}
