//! `gwc.cloud-connection/1`.

use std::ffi::c_void;

use gateway_component_abi::ext::cloud_connection::{
    GwcCloudConnection, GwcConnectionSink, GwcConnectionState, CONNECTION_CONNECTED,
    CONNECTION_CONNECTING, CONNECTION_DISCONNECTED, EXT_CLOUD_CONNECTION,
};
use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::safe::table;
use gateway_component_abi::status::{GwcError, GwcStatus};
use gateway_component_abi::types::GwcStr;

use crate::abi::context::{argument, misuse, offered, serve, Context};
use crate::component::services::{CloudConnectionService, ConnectionState};

pub(super) static TABLE: GwcCloudConnection = GwcCloudConnection {
    struct_size: table::size::<GwcCloudConnection>(),
    reserved: 0,
    describe: Some(describe),
    disconnect: Some(disconnect),
    connect: Some(connect),
    // For transports that are not MQTT only.
    probe: None,
    release: Some(release),
};

fn service(context: &Context) -> Result<&dyn CloudConnectionService, CallError> {
    offered(&context.services.cloud_connection, EXT_CLOUD_CONNECTION)
}

unsafe extern "C" fn describe(
    ctx: *mut c_void,
    out: GwcConnectionSink,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: ctx, out and err as the contract says.
    unsafe {
        serve(ctx, err, "gwc.cloud-connection/1 describe", |context| {
            let view = service(context)?.describe()?;
            let state = GwcConnectionState {
                struct_size: table::size::<GwcConnectionState>(),
                state: match view.state {
                    ConnectionState::Disconnected => CONNECTION_DISCONNECTED,
                    ConnectionState::Connecting => CONNECTION_CONNECTING,
                    ConnectionState::Connected => CONNECTION_CONNECTED,
                },
                pid: GwcStr::borrow(&view.pid),
                data_pid: GwcStr::borrow(&view.data_pid),
                transport_pid: GwcStr::borrow(&view.transport_pid),
                last_error: GwcStr::borrow(&view.last_error),
            };
            let put = out.put.ok_or_else(|| misuse("out.put is NULL"))?;
            put(out.ctx, &state);
            Ok(())
        })
    }
}

unsafe extern "C" fn disconnect(ctx: *mut c_void, err: *mut GwcError) -> GwcStatus {
    // SAFETY: ctx and err as the contract says.
    unsafe {
        serve(ctx, err, "gwc.cloud-connection/1 disconnect", |context| {
            service(context)?.disconnect()
        })
    }
}

unsafe extern "C" fn connect(
    ctx: *mut c_void,
    transaction: GwcStr,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: ctx, transaction and err as the contract says.
    unsafe {
        serve(ctx, err, "gwc.cloud-connection/1 connect", |context| {
            service(context)?.connect(argument(transaction, "transaction")?)
        })
    }
}

unsafe extern "C" fn release(ctx: *mut c_void, err: *mut GwcError) -> GwcStatus {
    // SAFETY: ctx and err as the contract says.
    unsafe {
        serve(ctx, err, "gwc.cloud-connection/1 release", |context| {
            service(context)?.release()
        })
    }
}
