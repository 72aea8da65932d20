//! `gwc.crypto/1`.

use std::ffi::c_void;

use gateway_component_abi::ext::crypto::{GwcCrypto, EXT_CRYPTO};
use gateway_component_abi::safe::table;
use gateway_component_abi::status::{GwcError, GwcStatus};
use gateway_component_abi::types::{GwcBytes, GwcSink};

use crate::abi::context::{bytes, offered, put, serve};

pub(super) static TABLE: GwcCrypto = GwcCrypto {
    struct_size: table::size::<GwcCrypto>(),
    reserved: 0,
    encrypt: Some(encrypt),
    decrypt: Some(decrypt),
};

unsafe extern "C" fn encrypt(
    ctx: *mut c_void,
    clear: GwcBytes,
    out: GwcSink,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: ctx, clear, out and err as the contract says.
    unsafe {
        serve(ctx, err, "gwc.crypto/1 encrypt", |context| {
            let crypto = offered(&context.services.crypto, EXT_CRYPTO)?;
            put(out, &crypto.encrypt(bytes(clear, "clear")?)?)
        })
    }
}

unsafe extern "C" fn decrypt(
    ctx: *mut c_void,
    sealed: GwcBytes,
    out: GwcSink,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: as in encrypt.
    unsafe {
        serve(ctx, err, "gwc.crypto/1 decrypt", |context| {
            let crypto = offered(&context.services.crypto, EXT_CRYPTO)?;
            put(out, &crypto.decrypt(bytes(sealed, "sealed")?)?)
        })
    }
}
