//! gwc.keystore/1, offered by the host: its keystores, by their Kura names. SSLKeystore anchors
//! TLS and holds TLS client keys; DMKeystore holds the roots of received chains (CA
//! certificates) and the trusted signers of control messages (end-entity certificates). Private
//! keys need not leave the keystore. Every change is durable when the call returns, and
//! idempotent by its key.

use std::os::raw::c_void;

use abi_stable::StableAbi;

use crate::status::{GwcError, GwcStatus};
use crate::types::{GwcSink, GwcStr};

/// The id of the extension.
pub const EXT_KEYSTORE: &str = "gwc.keystore/1";
/// An entry whose `pem` holds one certificate, trusted as such.
pub const ENTRY_TRUSTED_CERTIFICATE: u32 = 1;
/// An entry with a private key, whose `pem` holds the chain, leaf first; may be empty.
pub const ENTRY_PRIVATE_KEY: u32 = 2;
/// An entry whose `pem` holds one certificate revocation list.
pub const ENTRY_CRL: u32 = 3;

/// One entry of a keystore, never its private key.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcKeystoreEntry {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// One of `ENTRY_...`.
    pub kind: u32,
    /// Its name within the keystore.
    pub alias: GwcStr,
    /// Certificates only, never a private key.
    pub pem: GwcStr,
}

/// As [`GwcSink`], for entries: put is called once per entry, in the order of the aliases.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcKeystoreSink {
    /// The receiver's own pointer, handed back as the first argument.
    pub ctx: *mut c_void,
    /// Receives one entry, which is borrowed for the call.
    pub put: Option<unsafe extern "C" fn(ctx: *mut c_void, entry: *const GwcKeystoreEntry)>,
}

/// The keystores. Owned by the host.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcKeystore {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// The entries of a keystore. GWC_E_NOT_FOUND if there is no such keystore. `[worker]`
    pub list: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            keystore: GwcStr,
            out: GwcKeystoreSink,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
    /// Sets a trusted certificate. `[worker]`
    pub put_certificate: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            key: GwcStr,
            keystore: GwcStr,
            alias: GwcStr,
            pem: GwcStr,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
    /// Removes an entry; one that is not there is GWC_OK. `[worker]`
    pub remove: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            key: GwcStr,
            keystore: GwcStr,
            alias: GwcStr,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
    /// Makes a key pair: algorithm "EC" with size 256, 384 or "RSA" with size 2048, 3072, 4096
    /// (bits). An alias that has a key already keeps it. `[worker]`
    pub create_key: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            key: GwcStr,
            keystore: GwcStr,
            alias: GwcStr,
            algorithm: GwcStr,
            size: u32,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
    /// A PKCS#10 request (PEM) for the key, signed by it. subject is an RFC 4514 name,
    /// signature_algorithm a Java name such as SHA256withECDSA or empty. `[worker]`
    pub csr: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            keystore: GwcStr,
            alias: GwcStr,
            subject: GwcStr,
            signature_algorithm: GwcStr,
            out: GwcSink,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
    /// Sets the chain (PEM, leaf first) of an existing key; an empty pem takes it away.
    /// GWC_E_INVALID if the leaf's public key is not the key's. `[worker]`
    pub put_chain: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            key: GwcStr,
            keystore: GwcStr,
            alias: GwcStr,
            pem: GwcStr,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
    /// The private key as PKCS#8 PEM, or a pkcs11: URI (RFC 7512). For the TLS client
    /// certificate of the proof; forget it after use. `[worker]`
    pub private_key: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            keystore: GwcStr,
            alias: GwcStr,
            out: GwcSink,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
}
