//! The types that cross the boundary (`include/gwc/types.h`).

use std::os::raw::c_char;
use std::os::raw::c_void;

use abi_stable::StableAbi;

/// `GWC_ABI_MAJOR`.
pub const ABI_MAJOR: u32 = 1;
/// `GWC_ABI_MINOR`.
pub const ABI_MINOR: u32 = 0;
/// gwc_str
pub const TYPE_STRING: u32 = 1;
/// int64_t
pub const TYPE_LONG: u32 = 2;
/// double, IEEE 754
pub const TYPE_DOUBLE: u32 = 3;
/// float, IEEE 754
pub const TYPE_FLOAT: u32 = 4;
/// int32_t
pub const TYPE_INTEGER: u32 = 5;
/// int8_t
pub const TYPE_BYTE: u32 = 6;
/// uint32_t, a Unicode scalar value
pub const TYPE_CHAR: u32 = 7;
/// uint8_t, 0 or 1
pub const TYPE_BOOLEAN: u32 = 8;
/// int16_t
pub const TYPE_SHORT: u32 = 9;
/// gwc_str, in clear: never log it, never write it
pub const TYPE_PASSWORD: u32 = 10;

/// UTF-8 text. Borrowed for the call unless the sentence beside it says otherwise.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcStr {
    /// `ptr`.
    pub ptr: *const c_char,
    /// bytes
    pub len: u64,
}

/// Bytes. Borrowed for the call unless the sentence beside it says otherwise.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcBytes {
    /// `ptr`.
    pub ptr: *const u8,
    /// `len`.
    pub len: u64,
}

/// How a callee hands out a result of unknown length: it calls put, once, before it returns
/// GWC_OK, and never otherwise. data is borrowed for that call; who wants to keep it copies it.
/// So nobody ever frees the other side's memory.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcSink {
    /// The receiver's own pointer, handed back as the first argument.
    pub ctx: *mut c_void,
    /// `put`.
    pub put: Option<unsafe extern "C" fn(ctx: *mut c_void, data: GwcBytes)>,
}

/// One property. values points to count elements of the C type of its type.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcProperty {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// GWC_TYPE_...
    pub kind: u32,
    /// 0: a scalar, count is 1; 1: an array of count elements
    pub is_array: u32,
    /// `count`.
    pub count: u32,
    /// `name`.
    pub name: GwcStr,
    /// aligned for the element type; NULL only if count is 0
    pub values: *const c_void,
}

/// A list of properties. items are property_size bytes apart. A name occurs once.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcProperties {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// sizeof(gwc_property) of the side that wrote the list
    pub property_size: u32,
    /// `count`.
    pub count: u64,
    /// `items`.
    pub items: *const GwcProperty,
}
