//! gwc.configuration/1, offered by the host: its configuration service. Every change is durable
//! when the call returns. Changes that carry a key are idempotent: the same key again has no
//! second effect, and is GWC_OK.

use std::os::raw::c_void;

use abi_stable::StableAbi;

use crate::status::{GwcError, GwcStatus};
use crate::types::{GwcBytes, GwcProperties, GwcSink, GwcStr};

/// The id of the extension.
pub const EXT_CONFIGURATION: &str = "gwc.configuration/1";
/// A flag of `get`: Password values in clear; else they are empty.
pub const CONFIGURATION_SECRETS: u32 = 1;

/// The configuration of one component.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcConfigurationItem {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// The `kura.service.pid`.
    pub pid: GwcStr,
    /// The `service.factoryPid`; empty for a singleton.
    pub factory_pid: GwcStr,
    /// The properties. Borrowed as the item is.
    pub properties: *const GwcProperties,
}

/// Configurations of several components; a pid occurs once.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcConfigurationList {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// Distance of the items, in bytes.
    pub item_size: u32,
    /// How many items there are.
    pub count: u64,
    /// The items, `item_size` bytes apart; NULL only if `count` is 0.
    pub items: *const GwcConfigurationItem,
}

/// As gwc_sink, for a list: put is called once, and only on success.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcConfigurationSink {
    /// The receiver's own pointer, handed back as the first argument.
    pub ctx: *mut c_void,
    /// Receives the list, which is borrowed for the call.
    pub put: Option<unsafe extern "C" fn(ctx: *mut c_void, list: *const GwcConfigurationList)>,
}

/// The configuration service. Owned by the host.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcConfiguration {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// The configuration of pid, or of every component where pid is empty. GWC_E_NOT_FOUND if
    /// there is none. `[worker]`
    pub get: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            pid: GwcStr,
            flags: u32,
            out: GwcConfigurationSink,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
    /// Merges properties into the calling instance's own configuration. The host answers by an
    /// update of the instance, later. A Password that is set to empty is erased from older
    /// configurations that the host keeps, too. `[worker]`
    pub update_own: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            properties: *const GwcProperties,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
    /// Checks list against the metatypes the host knows, without changing anything. metatypes
    /// are count descriptors (XML) that staged packages will bring. out, where its put is not
    /// NULL, receives what the configurations would be: defaults, then running, then list.
    /// GWC_E_INVALID names the first pid and property that does not fit. `[worker]`
    pub validate: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            list: *const GwcConfigurationList,
            metatypes: *const GwcBytes,
            count: u64,
            out: GwcConfigurationSink,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
    /// What restore needs to bring the components named by pids back to what they are now,
    /// absent ones included. Opaque; secrets in it are encrypted. The host may refuse others to
    /// change these components, until the caller restores them, updates its own configuration,
    /// captures again (count 0: nothing); or until there is no instance of its pid any more. It may
    /// do so over a restart and for the next instance of the same pid: one that finds nothing to
    /// restore when it is activated captures nothing. `GWC_E_CONFLICT` while another component
    /// keeps one of them so. `[worker]`
    pub capture: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            pids: *const GwcStr,
            count: u64,
            out: GwcSink,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
    /// Merges list into the configurations, creating factory components that do not exist, all
    /// in one snapshot. `[worker]`
    pub apply: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            key: GwcStr,
            list: *const GwcConfigurationList,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
    /// Brings back what capture saw. `[worker]`
    pub restore: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            key: GwcStr,
            undo: GwcBytes,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
}
