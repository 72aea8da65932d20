/// `GWC_EXT_STATUS`.
pub const EXT_STATUS: &str = "gwc.status/1";

/// `gwc_component_status`.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcComponentStatus {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// The status document: JSON with a "version", never a secret. Works in every state. [any-
    /// thread]
    pub get: Option<unsafe extern "C" fn(this: *mut GwcComponent, out: GwcSink, err: *mut GwcError) -> GwcStatus>,
    /// Calls changed with the document after every change, at most ten times a second, the last
    /// change never lost; from the worker, so changed must not block and must not call back
    /// into self. changed NULL ends it; after that call has returned changed is not called
    /// again. [control]
    pub watch: Option<unsafe extern "C" fn(this: *mut GwcComponent, changed: Option<unsafe extern "C" fn(ctx: *mut c_void, document: GwcBytes)>, ctx: *mut c_void, err: *mut GwcError) -> GwcStatus>,
}

