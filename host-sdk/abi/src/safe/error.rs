//! Errors on their way across.

use std::mem::{offset_of, size_of};
use std::os::raw::c_char;
use std::ptr;

use crate::status::{GwcError, GwcStatus, ERROR_CODE_SIZE, ERROR_MESSAGE_SIZE};

/// What a failed call says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallError {
    /// `GWC_E_...`.
    pub status: GwcStatus,
    /// Dotted code; may be empty.
    pub code: String,
    /// One line.
    pub message: String,
}

impl CallError {
    /// An error with its three parts.
    pub fn new(status: GwcStatus, code: impl Into<String>, message: impl Into<String>) -> Self {
        CallError {
            status,
            code: code.into(),
            message: message.into(),
        }
    }
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.code.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.code, self.message)
        }
    }
}

impl std::error::Error for CallError {}

/// An empty error for a call to fill.
pub fn blank() -> GwcError {
    GwcError {
        struct_size: size_of::<GwcError>() as u32,
        status: 0,
        code: [0; ERROR_CODE_SIZE],
        message: [0; ERROR_MESSAGE_SIZE],
    }
}

/// Fills the caller's error, within the size the caller says it has.
///
/// # Safety
/// `err` is null, or points to as many writable bytes as its `struct_size` says.
pub unsafe fn write(err: *mut GwcError, error: &CallError) {
    if err.is_null() || !(err as usize).is_multiple_of(std::mem::align_of::<u32>()) {
        return;
    }
    let mut ours = blank();
    ours.status = error.status;
    copy_text(&mut ours.code, &error.code);
    copy_text(&mut ours.message, &error.message);
    // SAFETY: not null and aligned; struct_size comes first. Only bytes within it are written,
    // from its end on; both objects are distinct.
    unsafe {
        let theirs = ptr::read(err.cast::<u32>()) as usize;
        let from = offset_of!(GwcError, status);
        let until = theirs.min(size_of::<GwcError>());
        // Not even the status fits: that is no gwc_error.
        if until < offset_of!(GwcError, code) {
            return;
        }
        ptr::copy_nonoverlapping(
            ptr::from_ref(&ours).cast::<u8>().add(from),
            err.cast::<u8>().add(from),
            until - from,
        );
        // A shorter buffer must still end its text.
        if until < size_of::<GwcError>() && until > offset_of!(GwcError, code) {
            *err.cast::<u8>().add(until - 1) = 0;
        }
    }
}

/// What a call that returned `status` said in `err`.
pub fn read(status: GwcStatus, err: &GwcError) -> CallError {
    CallError {
        status,
        code: read_text(&err.code),
        message: read_text(&err.message),
    }
}

fn copy_text(buffer: &mut [c_char], text: &str) {
    let mut end = text.len().min(buffer.len().saturating_sub(1));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    for (slot, byte) in buffer.iter_mut().zip(text.bytes().take(end)) {
        *slot = if byte == 0 {
            b' ' as c_char
        } else {
            byte as c_char
        };
    }
}

fn read_text(buffer: &[c_char]) -> String {
    let bytes: Vec<u8> = buffer
        .iter()
        .map(|c| *c as u8)
        .take_while(|b| *b != 0)
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
