//! gwc.cloud-connection/1, offered by the host: the cloud connection that the calling instance
//! belongs to.

use std::os::raw::c_void;

use abi_stable::StableAbi;

use crate::ext::configuration::GwcConfigurationList;
use crate::status::{GwcError, GwcStatus};
use crate::types::GwcStr;

/// `GWC_EXT_CLOUD_CONNECTION`.
pub const EXT_CLOUD_CONNECTION: &str = "gwc.cloud-connection/1";
/// `GWC_CONNECTION_DISCONNECTED`.
pub const CONNECTION_DISCONNECTED: u32 = 0;
/// `GWC_CONNECTION_CONNECTING`.
pub const CONNECTION_CONNECTING: u32 = 1;
/// `GWC_CONNECTION_CONNECTED`.
pub const CONNECTION_CONNECTED: u32 = 2;

/// `gwc_connection_state`.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcConnectionState {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// GWC_CONNECTION_...
    pub state: u32,
    /// of the CloudService, e.g. org.eclipse.kura.cloud.CloudService-2
    pub pid: GwcStr,
    /// of the DataService
    pub data_pid: GwcStr,
    /// of the MqttDataTransport
    pub transport_pid: GwcStr,
    /// one line, empty if none
    pub last_error: GwcStr,
}

/// `gwc_connection_sink`.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcConnectionSink {
    /// The receiver's own pointer, handed back as the first argument.
    pub ctx: *mut c_void,
    /// `put`.
    pub put: Option<unsafe extern "C" fn(ctx: *mut c_void, state: *const GwcConnectionState)>,
}

/// `gwc_cloud_connection`.
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
    /// Disconnects and keeps disconnected until connect. `[worker]`
    pub disconnect: Option<unsafe extern "C" fn(ctx: *mut c_void, err: *mut GwcError) -> GwcStatus>,
    /// Lets the connection connect with its present configuration; returns without waiting for
    /// it. transaction, where not empty, becomes the metric prov.transaction.id of the next
    /// BIRTH. `[worker]`
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
}
