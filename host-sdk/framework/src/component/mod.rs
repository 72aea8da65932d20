//! Component instances: one for each configuration whose factory pid a plugin makes.
//!
//! As in OSGi, one thread, the [`Supervisor`]'s, delivers everything that happens to configurations
//! and plugins, one after the other: it creates and activates, updates, deactivates and destroys. A
//! component that holds it up is measured and named in the log. An instance whose library is not
//! there is kept as `Unresolved` and comes to life when the library does.
//!
//! What instances may ask of the host is in [`services`] (the traits) and [`offer`] (the
//! framework's implementations).

pub mod applications;
mod delivery;
pub mod keys;
pub mod offer;
pub mod services;
mod stop;
mod supervisor;
pub mod trials;

use serde::Serialize;

pub use crate::abi::offers::Action;
pub use stop::Stop;
pub use supervisor::{Adopter, Environment, Finder, Supervisor};

/// What an instance is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ComponentState {
    /// No plugin makes this kind of component.
    Unresolved,
    /// Active.
    Active,
    /// It could not be created or activated, or refused an update; `error` says why.
    Failed,
}

impl ComponentState {
    /// `unresolved`, `active` or `failed`.
    pub fn as_str(self) -> &'static str {
        match self {
            ComponentState::Unresolved => "unresolved",
            ComponentState::Active => "active",
            ComponentState::Failed => "failed",
        }
    }
}

impl std::fmt::Display for ComponentState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An instance for people to see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ComponentInfo {
    /// `kura.service.pid`.
    pub pid: String,
    /// `service.factoryPid`.
    pub factory_pid: String,
    /// What it is doing.
    pub state: ComponentState,
    /// Why not more.
    pub error: Option<String>,
}
