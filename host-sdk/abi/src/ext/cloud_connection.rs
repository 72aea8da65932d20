//! gwc.cloud-connection/1, offered by the host: the cloud connection that the calling instance
//! belongs to.

use std::os::raw::c_void;

use abi_stable::StableAbi;

use crate::ext::configuration::GwcConfigurationList;
use crate::status::{GwcError, GwcStatus};
use crate::types::GwcStr;

/// The id of the extension.
pub const EXT_CLOUD_CONNECTION: &str = "gwc.cloud-connection/1";
/// Not connected, and not trying to be.
pub const CONNECTION_DISCONNECTED: u32 = 0;
/// Not connected yet, or not any more; it goes on trying.
pub const CONNECTION_CONNECTING: u32 = 1;
/// Connected.
pub const CONNECTION_CONNECTED: u32 = 2;

/// A cloud connection as it is now.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcConnectionState {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// One of `CONNECTION_...`.
    pub state: u32,
    /// Pid of the CloudService, e.g. `org.eclipse.kura.cloud.CloudService-2`.
    pub pid: GwcStr,
    /// Pid of the DataService.
    pub data_pid: GwcStr,
    /// Pid of the MqttDataTransport.
    pub transport_pid: GwcStr,
    /// Why it is not connected, in one line; empty if there is no error.
    pub last_error: GwcStr,
}

/// As [`GwcSink`](crate::types::GwcSink), for a state: put is called once, and only on success.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcConnectionSink {
    /// The receiver's own pointer, handed back as the first argument.
    pub ctx: *mut c_void,
    /// Receives the state, which is borrowed for the call.
    pub put: Option<unsafe extern "C" fn(ctx: *mut c_void, state: *const GwcConnectionState)>,
}

/// The cloud connection of the calling instance. Owned by the host.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcCloudConnection {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// The connection as it is now. `[worker]`
    pub describe: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            out: GwcConnectionSink,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
    /// Disconnects and keeps disconnected, also over restarts of the host, until connect or
    /// release. `[worker]`
    pub disconnect: Option<unsafe extern "C" fn(ctx: *mut c_void, err: *mut GwcError) -> GwcStatus>,
    /// Lets the connection connect with its present configuration; returns without waiting for
    /// it. transaction, where not empty, becomes the metric prov.transaction.id of the next
    /// BIRTH, and is kept over restarts until the broker has taken over such a BIRTH. `[worker]`
    pub connect: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            transaction: GwcStr,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
    /// Proves that the connection would work with list, within deadline_ms. Only for transports
    /// that are not MQTT; NULL otherwise. `[worker]`
    pub probe: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            list: *const GwcConfigurationList,
            deadline_ms: u32,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
    /// Ends what disconnect began, without an order to connect: what the connection was told
    /// before, or its own configuration, counts again. `[worker]`
    pub release: Option<unsafe extern "C" fn(ctx: *mut c_void, err: *mut GwcError) -> GwcStatus>,
}
