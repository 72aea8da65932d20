//! Text and bytes.

use std::slice;

use super::Misuse;
use crate::types::{GwcBytes, GwcStr};

/// The longest text or byte run that is read from the other side: 64 MiB.
pub const MAX_LEN: u64 = 64 << 20;

impl GwcStr {
    /// Borrows `text`; the result must not outlive it.
    pub const fn borrow(text: &str) -> Self {
        GwcStr {
            ptr: text.as_ptr().cast(),
            len: text.len() as u64,
        }
    }

    /// Empty text.
    pub const EMPTY: GwcStr = GwcStr {
        ptr: std::ptr::null(),
        len: 0,
    };
}

impl GwcBytes {
    /// Borrows `bytes`; the result must not outlive it.
    pub const fn borrow(bytes: &[u8]) -> Self {
        GwcBytes {
            ptr: bytes.as_ptr(),
            len: bytes.len() as u64,
        }
    }
}

/// The bytes of the other side.
///
/// # Safety
/// `ptr` is null or points to `len` bytes that are readable and unchanged during `'a`.
pub unsafe fn bytes<'a>(bytes: GwcBytes) -> Result<&'a [u8], Misuse> {
    // SAFETY: passed on.
    unsafe { raw(bytes.ptr, bytes.len) }
}

/// The text of the other side.
///
/// # Safety
/// As [`bytes`].
pub unsafe fn text<'a>(text: GwcStr) -> Result<&'a str, Misuse> {
    // SAFETY: passed on.
    let raw = unsafe { raw(text.ptr.cast::<u8>(), text.len) }?;
    std::str::from_utf8(raw).map_err(|_| Misuse::new("text is not UTF-8"))
}

unsafe fn raw<'a>(ptr: *const u8, len: u64) -> Result<&'a [u8], Misuse> {
    if len == 0 {
        return Ok(&[]);
    }
    if ptr.is_null() {
        return Err(Misuse::new(format!("NULL with a length of {len}")));
    }
    if len > MAX_LEN {
        return Err(Misuse::new(format!("{len} bytes, at most {MAX_LEN}")));
    }
    // SAFETY: not null, bounded, and the caller vouches for the memory.
    Ok(unsafe { slice::from_raw_parts(ptr, len as usize) })
}
