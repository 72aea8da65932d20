//! `gwc.keystore/1` over the gateway's keystores.
//!
//! The contract's keys of idempotency are not kept: every change of a keystore is absolute, so that
//! a repeated one has no second effect.

use std::io;
use std::sync::Arc;

use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::status;
use gateway_component_abi::value::Secret;

use super::services::KeystoreService;
use crate::keystore::{
    EntryInfo, KeyAlgorithm, KeystoreError, Keystores, Room, SignatureAlgorithm,
};

/// The keystores of the gateway, for a component.
#[derive(Debug)]
pub struct Keys {
    /// All of them.
    pub keystores: Arc<Keystores>,
}

impl KeystoreService for Keys {
    fn list(&self, keystore: &str) -> Result<Vec<EntryInfo>, CallError> {
        self.keystores.list(keystore).map_err(keystore_error)
    }

    fn put_certificate(
        &self,
        _key: &str,
        keystore: &str,
        alias: &str,
        pem: &str,
    ) -> Result<(), CallError> {
        self.keystores
            .put_certificate_in(Room::Component, keystore, alias, pem)
            .map_err(keystore_error)
    }

    fn remove(&self, _key: &str, keystore: &str, alias: &str) -> Result<(), CallError> {
        self.keystores
            .remove(keystore, alias)
            .map_err(keystore_error)
    }

    fn create_key(
        &self,
        _key: &str,
        keystore: &str,
        alias: &str,
        algorithm: &str,
        size: u32,
    ) -> Result<(), CallError> {
        let algorithm = KeyAlgorithm::new(algorithm, size).map_err(keystore_error)?;
        self.keystores
            .create_key_in(Room::Component, keystore, alias, algorithm)
            .map_err(keystore_error)
    }

    fn csr(
        &self,
        keystore: &str,
        alias: &str,
        subject: &str,
        signature_algorithm: &str,
    ) -> Result<String, CallError> {
        let algorithm = SignatureAlgorithm::new(signature_algorithm).map_err(keystore_error)?;
        self.keystores
            .csr(keystore, alias, subject, algorithm)
            .map_err(keystore_error)
    }

    fn put_chain(
        &self,
        _key: &str,
        keystore: &str,
        alias: &str,
        pem: &str,
    ) -> Result<(), CallError> {
        self.keystores
            .put_chain(keystore, alias, pem)
            .map_err(keystore_error)
    }

    fn private_key(&self, keystore: &str, alias: &str) -> Result<Secret, CallError> {
        self.keystores
            .private_key(keystore, alias)
            .map_err(keystore_error)
    }
}

fn keystore_error(error: KeystoreError) -> CallError {
    use KeystoreError as E;
    let (status, code) = match &error {
        E::NoKeystore { .. } | E::NoEntry { .. } | E::NoKey { .. } => {
            (status::E_NOT_FOUND, "keystore.unknown")
        }
        E::KeyInTheWay { .. } | E::Taken { .. } => (status::E_CONFLICT, "keystore.conflict"),
        E::BadAlias { .. }
        | E::BadPem { .. }
        | E::OtherKey { .. }
        | E::BadAlgorithm { .. }
        | E::BadSubject { .. } => (status::E_INVALID, "keystore.invalid"),
        E::TooMuch { .. } => (status::E_INVALID, "protocol.too-large"),
        E::Damaged { .. } => (status::E_IO, "storage.unwritable"),
        E::Storage { source, .. } => match source.kind() {
            io::ErrorKind::StorageFull => (status::E_NO_SPACE, "storage.full"),
            io::ErrorKind::PermissionDenied => (status::E_DENIED, "storage.unwritable"),
            _ => (status::E_IO, "storage.unwritable"),
        },
        E::Crypto { .. } | E::Library(_) => (status::E_INTERNAL, "host.crypto"),
    };
    CallError::new(status, code, crate::one_line(&error))
}
