//! gwc.crypto/1, offered by the host: encryption at rest under the gateway's key.

use std::os::raw::c_void;

use abi_stable::StableAbi;

use crate::status::{GwcError, GwcStatus};
use crate::types::{GwcBytes, GwcSink};

/// The id of the extension.
pub const EXT_CRYPTO: &str = "gwc.crypto/1";

/// Encryption under the gateway's key. Owned by the host.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcCrypto {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Encrypts and authenticates. `[worker]`
    pub encrypt: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            clear: GwcBytes,
            out: GwcSink,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
    /// GWC_E_INVALID if it was not encrypted here, or was changed. `[worker]`
    pub decrypt: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            sealed: GwcBytes,
            out: GwcSink,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
}
