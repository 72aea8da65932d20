//! What a call returns (`include/gwc/status.h`).

use std::os::raw::c_char;

use abi_stable::StableAbi;

/// `GWC_OK` (0) or an error number.
pub type GwcStatus = i32;

/// Success.
pub const OK: GwcStatus = 0;
/// NULL, text that is not UTF-8, a type that does not exist.
pub const E_INVALID_ARGUMENT: GwcStatus = 1;
/// Not in this state: activate twice, update after deactivate, or from where it cannot be done.
pub const E_STATE: GwcStatus = 2;
/// The other side lacks an extension or function.
pub const E_UNSUPPORTED: GwcStatus = 3;
/// There is no such pid, keystore, alias, property or package.
pub const E_NOT_FOUND: GwcStatus = 4;
/// A value does not hold; the error names the object.
pub const E_INVALID: GwcStatus = 5;
/// Somebody else changed it or holds it.
pub const E_CONFLICT: GwcStatus = 6;
/// Reading or writing failed.
pub const E_IO: GwcStatus = 7;
/// The disk is full.
pub const E_NO_SPACE: GwcStatus = 8;
/// The permission is lacking.
pub const E_DENIED: GwcStatus = 9;
/// A second call while the first runs; try again.
pub const E_BUSY: GwcStatus = 10;
/// A connection failed.
pub const E_NETWORK: GwcStatus = 11;
/// A bug on the callee's side.
pub const E_INTERNAL: GwcStatus = 12;
/// The instance is poisoned; only destroy is left.
pub const E_PANIC: GwcStatus = 13;
/// Size of [`GwcError::code`] in bytes, the final NUL included.
pub const ERROR_CODE_SIZE: usize = 64;
/// Size of [`GwcError::message`] in bytes, the final NUL included.
pub const ERROR_MESSAGE_SIZE: usize = 512;

/// Filled by the callee when it fails. The caller owns it, sets struct_size and may pass NULL
/// if it does not want to know. Both texts end with NUL, are cut at a character boundary where
/// they are too long, and never hold a secret.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcError {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// The status that the call returned.
    pub status: GwcStatus,
    /// Stable dotted code, e.g. `config.invalid`; ends with NUL, may be empty.
    pub code: [c_char; ERROR_CODE_SIZE],
    /// One line that names the object; ends with NUL.
    pub message: [c_char; ERROR_MESSAGE_SIZE],
}
