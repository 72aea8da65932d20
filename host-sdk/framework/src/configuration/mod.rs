//! The configuration of every component, durable, in Kura's snapshots.
//!
//! One `snapshot_{ms}.xml` per change; the ten newest are kept, id 0 (the seed) always; ids only
//! ever grow, whatever the clock says. A file is written whole or not at all. Kura encrypts the
//! whole file under a key that is the same on every gateway; here the document stays readable,
//! and each Password in it is encrypted under the gateway's own key ([`crate::crypto`]). Both
//! forms are read. In memory, too, passwords are held encrypted and opened when asked for.
//!
//! A snapshot that cannot be read is passed over for the one before it, and reported
//! ([`ConfigurationService::findings`]); if none can be read, opening fails: a gateway never
//! starts with no configuration where it had one. Values have to be of the type that the
//! metatype names; whether they are within bounds is for the component to judge, as with Kura,
//! and for [`ConfigurationService::validate`] where somebody wants to know before.
//!
//! The framework, the console and the component's host tables call it, from any thread. One
//! process at a time owns a folder.

mod document;
mod erase;
mod error;
mod keys;
mod merge;
mod notify;
mod placeholder;
mod remote;
mod reserve;
mod room;
mod service;
mod snapshots;
mod state;
#[cfg(test)]
pub(crate) mod tests;
mod transaction;
mod undo;

use gateway_component_abi::value::Properties;

pub use document::{rewritten, DocumentError};
pub use error::ConfigurationError;
pub use notify::{Change, ChangeKind, Listener};
pub use placeholder::{resolve_placeholders, PLACEHOLDERS};
pub use reserve::Holder;
pub use room::{TooMuch, MAX_KEPT};
pub use service::ConfigurationService;
pub use snapshots::{Finding, KEPT};

/// Property that names the factory of an instance.
pub const SERVICE_FACTORY_PID: &str = "service.factoryPid";
/// Property that holds the pid by which Kura knows a component.
pub const KURA_SERVICE_PID: &str = "kura.service.pid";
/// Property in which OSGi keeps its own, generated, pid.
pub const SERVICE_PID: &str = "service.pid";

/// The configuration of one component, passwords in clear.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Configuration {
    /// The pid (`kura.service.pid`).
    pub pid: String,
    /// The factory pid; nothing for a singleton, or where the properties say it.
    pub factory_pid: Option<String>,
    /// The properties, or some of them.
    pub properties: Properties,
}

/// A change of one component's configuration: supplied over running over defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Update {
    /// The pid.
    pub pid: String,
    /// What is to change; properties not named stay.
    pub properties: Properties,
    /// What is to go. A property with a default falls back to it.
    pub remove: Vec<String>,
}

impl Update {
    /// A change that removes nothing.
    pub fn new(pid: impl Into<String>, properties: Properties) -> Update {
        Update {
            pid: pid.into(),
            properties,
            remove: Vec::new(),
        }
    }
}
