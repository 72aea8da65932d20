//! The tables of functions that a component may call, one module for each extension. Every function
//! goes through the guard and into the trait of its service; there is no other logic.

mod cloud_connection;
mod configuration;
mod crypto;
mod events;
mod keystore;
mod log;
mod packages;
mod storage;
mod system;

use std::ffi::c_void;
use std::ptr;

use gateway_component_abi::ext;

use crate::component::services::Services;

/// The table of an extension, if it is offered.
pub(super) fn table(services: &Services, id: &str) -> Option<*const c_void> {
    fn offer<T, S: ?Sized>(
        table: &'static T,
        service: &Option<std::sync::Arc<S>>,
    ) -> Option<*const c_void> {
        service.as_ref().map(|_| ptr::from_ref(table).cast())
    }
    match id {
        ext::log::EXT_LOG => offer(&log::TABLE, &services.log),
        ext::storage::EXT_STORAGE => offer(&storage::TABLE, &services.storage),
        ext::configuration::EXT_CONFIGURATION => {
            offer(&configuration::TABLE, &services.configuration)
        }
        ext::keystore::EXT_KEYSTORE => offer(&keystore::TABLE, &services.keystore),
        ext::system::EXT_SYSTEM => offer(&system::TABLE, &services.system),
        ext::cloud_connection::EXT_CLOUD_CONNECTION => {
            offer(&cloud_connection::TABLE, &services.cloud_connection)
        }
        ext::crypto::EXT_CRYPTO => offer(&crypto::TABLE, &services.crypto),
        ext::events::EXT_EVENTS => offer(&events::TABLE, &services.events),
        ext::packages::EXT_PACKAGES => offer(&packages::TABLE, &services.packages),
        _ => None,
    }
}
