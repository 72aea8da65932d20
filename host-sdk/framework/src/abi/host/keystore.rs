//! `gwc.keystore/1`.

use std::ffi::c_void;

use gateway_component_abi::ext::keystore::{
    GwcKeystore, GwcKeystoreEntry, GwcKeystoreSink, ENTRY_CRL, ENTRY_PRIVATE_KEY,
    ENTRY_TRUSTED_CERTIFICATE, EXT_KEYSTORE,
};
use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::safe::table;
use gateway_component_abi::status::{GwcError, GwcStatus};
use gateway_component_abi::types::{GwcSink, GwcStr};

use crate::abi::context::{argument, misuse, offered, put, serve, Context};
use crate::component::services::KeystoreService;
use crate::keystore::EntryKind;

pub(super) static TABLE: GwcKeystore = GwcKeystore {
    struct_size: table::size::<GwcKeystore>(),
    reserved: 0,
    list: Some(list),
    put_certificate: Some(put_certificate),
    remove: Some(remove),
    create_key: Some(create_key),
    csr: Some(csr),
    put_chain: Some(put_chain),
    private_key: Some(private_key),
};

fn service(context: &Context) -> Result<&dyn KeystoreService, CallError> {
    offered(&context.services.keystore, EXT_KEYSTORE)
}

unsafe extern "C" fn list(
    ctx: *mut c_void,
    keystore: GwcStr,
    out: GwcKeystoreSink,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: all arguments as the contract says.
    unsafe {
        serve(ctx, err, "gwc.keystore/1 list", |context| {
            let put = out.put.ok_or_else(|| misuse("out.put is NULL"))?;
            for entry in service(context)?.list(argument(keystore, "keystore")?)? {
                let entry = GwcKeystoreEntry {
                    struct_size: table::size::<GwcKeystoreEntry>(),
                    kind: match entry.kind {
                        EntryKind::TrustedCertificate => ENTRY_TRUSTED_CERTIFICATE,
                        EntryKind::PrivateKey => ENTRY_PRIVATE_KEY,
                        EntryKind::Crl => ENTRY_CRL,
                    },
                    alias: GwcStr::borrow(&entry.alias),
                    pem: GwcStr::borrow(&entry.pem),
                };
                put(out.ctx, &entry);
            }
            Ok(())
        })
    }
}

unsafe extern "C" fn put_certificate(
    ctx: *mut c_void,
    key: GwcStr,
    keystore: GwcStr,
    alias: GwcStr,
    pem: GwcStr,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: all arguments as the contract says.
    unsafe {
        serve(ctx, err, "gwc.keystore/1 put_certificate", |context| {
            service(context)?.put_certificate(
                argument(key, "key")?,
                argument(keystore, "keystore")?,
                argument(alias, "alias")?,
                argument(pem, "pem")?,
            )
        })
    }
}

unsafe extern "C" fn remove(
    ctx: *mut c_void,
    key: GwcStr,
    keystore: GwcStr,
    alias: GwcStr,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: all arguments as the contract says.
    unsafe {
        serve(ctx, err, "gwc.keystore/1 remove", |context| {
            service(context)?.remove(
                argument(key, "key")?,
                argument(keystore, "keystore")?,
                argument(alias, "alias")?,
            )
        })
    }
}

unsafe extern "C" fn create_key(
    ctx: *mut c_void,
    key: GwcStr,
    keystore: GwcStr,
    alias: GwcStr,
    algorithm: GwcStr,
    size: u32,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: all arguments as the contract says.
    unsafe {
        serve(ctx, err, "gwc.keystore/1 create_key", |context| {
            service(context)?.create_key(
                argument(key, "key")?,
                argument(keystore, "keystore")?,
                argument(alias, "alias")?,
                argument(algorithm, "algorithm")?,
                size,
            )
        })
    }
}

unsafe extern "C" fn csr(
    ctx: *mut c_void,
    keystore: GwcStr,
    alias: GwcStr,
    subject: GwcStr,
    signature_algorithm: GwcStr,
    out: GwcSink,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: all arguments as the contract says.
    unsafe {
        serve(ctx, err, "gwc.keystore/1 csr", |context| {
            let pem = service(context)?.csr(
                argument(keystore, "keystore")?,
                argument(alias, "alias")?,
                argument(subject, "subject")?,
                argument(signature_algorithm, "signature_algorithm")?,
            )?;
            put(out, pem.as_bytes())
        })
    }
}

unsafe extern "C" fn put_chain(
    ctx: *mut c_void,
    key: GwcStr,
    keystore: GwcStr,
    alias: GwcStr,
    pem: GwcStr,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: all arguments as the contract says.
    unsafe {
        serve(ctx, err, "gwc.keystore/1 put_chain", |context| {
            service(context)?.put_chain(
                argument(key, "key")?,
                argument(keystore, "keystore")?,
                argument(alias, "alias")?,
                argument(pem, "pem")?,
            )
        })
    }
}

unsafe extern "C" fn private_key(
    ctx: *mut c_void,
    keystore: GwcStr,
    alias: GwcStr,
    out: GwcSink,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: all arguments as the contract says.
    unsafe {
        serve(ctx, err, "gwc.keystore/1 private_key", |context| {
            let pem = service(context)?
                .private_key(argument(keystore, "keystore")?, argument(alias, "alias")?)?;
            put(out, pem.expose().as_bytes())
        })
    }
}
