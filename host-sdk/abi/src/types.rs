//! The types that cross the boundary (`include/gwc/types.h`).

use std::os::raw::c_char;
use std::os::raw::c_void;

use abi_stable::StableAbi;

/// `GWC_ABI_MAJOR`: a library refuses a host of another major version.
pub const ABI_MAJOR: u32 = 1;
/// `GWC_ABI_MINOR`: grows when a struct or an extension is added.
pub const ABI_MINOR: u32 = 0;
/// Text; an element is a [`GwcStr`].
pub const TYPE_STRING: u32 = 1;
/// 64 bits, signed; an element is an `i64`.
pub const TYPE_LONG: u32 = 2;
/// IEEE 754, 64 bits; an element is an `f64`.
pub const TYPE_DOUBLE: u32 = 3;
/// IEEE 754, 32 bits; an element is an `f32`.
pub const TYPE_FLOAT: u32 = 4;
/// 32 bits, signed; an element is an `i32`.
pub const TYPE_INTEGER: u32 = 5;
/// 8 bits, signed; an element is an `i8`.
pub const TYPE_BYTE: u32 = 6;
/// A Unicode scalar value; an element is a `u32`.
pub const TYPE_CHAR: u32 = 7;
/// 0 or 1; an element is a `u8`.
pub const TYPE_BOOLEAN: u32 = 8;
/// 16 bits, signed; an element is an `i16`.
pub const TYPE_SHORT: u32 = 9;
/// A secret text; an element is a [`GwcStr`], in clear: never log it, never write it.
pub const TYPE_PASSWORD: u32 = 10;

/// UTF-8 text. Borrowed for the call unless the sentence beside it says otherwise.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcStr {
    /// The first byte; no NUL follows the last one. NULL only if `len` is 0.
    pub ptr: *const c_char,
    /// Length in bytes.
    pub len: u64,
}

/// Bytes. Borrowed for the call unless the sentence beside it says otherwise.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcBytes {
    /// The first byte. NULL only if `len` is 0.
    pub ptr: *const u8,
    /// Length in bytes.
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
    /// Receives the result; `data` is borrowed for the call. Called on the thread of the caller.
    pub put: Option<unsafe extern "C" fn(ctx: *mut c_void, data: GwcBytes)>,
}

/// One property. values points to count elements of the C type of its type.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcProperty {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// `type` in the header: one of `TYPE_...`.
    pub kind: u32,
    /// 0: a scalar, `count` is 1; 1: an array of `count` elements.
    pub is_array: u32,
    /// How many elements `values` points to.
    pub count: u32,
    /// The id of the property in its metatype. Occurs once in a list.
    pub name: GwcStr,
    /// The elements, aligned for their type; NULL only if `count` is 0.
    pub values: *const c_void,
}

/// A list of properties. items are property_size bytes apart. A name occurs once.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcProperties {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// Distance of the items in bytes: the size of [`GwcProperty`] as the writer compiled it.
    pub property_size: u32,
    /// How many items there are.
    pub count: u64,
    /// The items, `property_size` bytes apart; NULL only if `count` is 0.
    pub items: *const GwcProperty,
}
