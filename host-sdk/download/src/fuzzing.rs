//! The reader of a response without a server, for the fuzz targets in `fuzz/`.
//!
//! No part of the interface: nothing but those targets calls it, and it may change at any time.

use crate::head::Head;

/// What a response came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    /// Bytes of the head.
    pub head: usize,
    /// What the head says of the length of the content.
    pub announced: Option<u64>,
    /// Where it leads.
    pub location: Option<String>,
    /// First byte, last byte, size.
    pub range: Option<(u64, u64, Option<u64>)>,
    /// The length of the file, where the content is the end of it.
    pub end: Option<u64>,
    /// What would be sent back to ask for the same file.
    pub validator: Option<String>,
    /// The content, as far as it came.
    pub content: Vec<u8>,
    /// Whether it came to its end.
    pub done: bool,
}

/// The response in `stream`, whose body comes in pieces of `cut` bytes; `None` while its head is
/// not whole.
///
/// # Errors
/// Why it is refused.
pub fn response(stream: &[u8], cut: usize) -> Result<Option<Response>, String> {
    let Some((head, used)) = Head::parse(stream)? else {
        return Ok(None);
    };
    let mut body = head.body();
    let mut content = Vec::new();
    for piece in stream.get(used..).unwrap_or_default().chunks(cut.max(1)) {
        let mut rest = piece;
        while !rest.is_empty() && !body.is_done() {
            let (taken, bytes) = body.take(rest)?;
            content.extend_from_slice(bytes);
            rest = rest.get(taken..).unwrap_or_default();
        }
    }
    Ok(Some(Response {
        head: used,
        announced: head.announced(),
        end: head.range.and_then(|(first, ..)| head.rest(first, None)),
        location: head.location,
        range: head.range,
        validator: head.validator,
        content,
        done: body.is_done(),
    }))
}
