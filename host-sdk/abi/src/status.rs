//! What a call returns (`include/gwc/status.h`).

use std::os::raw::c_char;

use abi_stable::StableAbi;

/// `GWC_OK` (0) or an error number.
pub type GwcStatus = i32;

/// `GWC_OK`.
pub const OK: GwcStatus = 0;
/// NULL, text that is not UTF-8, a type that does not exist
pub const E_INVALID_ARGUMENT: GwcStatus = 1;
/// not in this state: activate twice, update after deactivate
pub const E_STATE: GwcStatus = 2;
/// the other side lacks an extension or function
pub const E_UNSUPPORTED: GwcStatus = 3;
/// no such pid, keystore, alias, property, package
pub const E_NOT_FOUND: GwcStatus = 4;
/// a value does not hold; err names the object
pub const E_INVALID: GwcStatus = 5;
/// somebody else changed or holds it
pub const E_CONFLICT: GwcStatus = 6;
/// reading or writing failed
pub const E_IO: GwcStatus = 7;
/// the disk is full
pub const E_NO_SPACE: GwcStatus = 8;
/// permission
pub const E_DENIED: GwcStatus = 9;
/// a second call while the first runs; try again
pub const E_BUSY: GwcStatus = 10;
/// a connection failed
pub const E_NETWORK: GwcStatus = 11;
/// a bug on the callee's side
pub const E_INTERNAL: GwcStatus = 12;
/// the instance is poisoned; only destroy is left
pub const E_PANIC: GwcStatus = 13;
/// `GWC_ERROR_CODE_SIZE`.
pub const ERROR_CODE_SIZE: usize = 64;
/// `GWC_ERROR_MESSAGE_SIZE`.
pub const ERROR_MESSAGE_SIZE: usize = 512;

/// Filled by the callee when it fails. The caller owns it, sets struct_size and may pass NULL
/// if it does not want to know. Both texts end with NUL, are cut at a character boundary where
/// they are too long, and never hold a secret.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcError {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// `status`.
    pub status: GwcStatus,
    /// stable dotted code, e.g. config.invalid
    pub code: [c_char; ERROR_CODE_SIZE],
    /// one line that names the object
    pub message: [c_char; ERROR_MESSAGE_SIZE],
}
