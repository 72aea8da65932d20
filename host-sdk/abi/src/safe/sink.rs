//! Results of unknown length.

use std::os::raw::c_void;
use std::ptr;

use super::text;
use crate::types::{GwcBytes, GwcSink};

/// Receives what a call puts. Only the first put counts; one that is too long is an overflow.
#[derive(Debug, Default)]
pub struct Collector {
    data: Option<Vec<u8>>,
    broken: bool,
}

impl Collector {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The sink to hand to the call; it must not outlive `self`.
    pub fn sink(&mut self) -> GwcSink {
        GwcSink {
            ctx: ptr::from_mut(self).cast(),
            put: Some(put),
        }
    }

    /// What was put, or `None` if nothing, or nothing readable, was.
    pub fn take(self) -> Option<Vec<u8>> {
        if self.broken {
            return None;
        }
        self.data
    }
}

unsafe extern "C" fn put(ctx: *mut c_void, data: GwcBytes) {
    if ctx.is_null() {
        return;
    }
    // SAFETY: ctx is the Collector of `sink`, used by one call at a time; the callee vouches
    // for data during this call.
    let (collector, data) = unsafe { (&mut *ctx.cast::<Collector>(), text::bytes(data)) };
    match data {
        Ok(data) if collector.data.is_none() => collector.data = Some(data.to_vec()),
        Ok(_) => {}
        Err(_) => collector.broken = true,
    }
}

/// Puts `data` into a foreign sink. False if the sink has no put.
///
/// # Safety
/// The sink's `ctx` is what its `put` expects.
pub unsafe fn put_into(sink: GwcSink, data: &[u8]) -> bool {
    let Some(put) = sink.put else { return false };
    // SAFETY: the caller vouches for the sink; data lives for the call.
    unsafe { put(sink.ctx, GwcBytes::borrow(data)) };
    true
}
