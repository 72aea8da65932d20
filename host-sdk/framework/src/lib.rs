//! What a host of gateway components needs: it loads them, keeps their configuration, keys and
//! secrets, tells them about the machine, and runs the cloud connections. It knows nothing about
//! any one component; the sample host `gateway` and hosts of others call it.
//!
//! [`Framework`] is all of it in one value, over one data folder. The parts beneath it stand alone:
//!
//! | module | what it does |
//! |---|---|
//! | [`loader`] | opens a plugin by one of two doors and makes its functions safe to call |
//! | [`plugins`] | watches the plugin directory, decides which library makes which component |
//! | [`packages`] | archives of plugins, installed and taken back as a whole |
//! | [`component`] | instances: created from configuration, activated, updated, removed |
//! | [`configuration`] | Kura snapshots, merge, validation, undo |
//! | [`metatype`] | descriptors in the dialect of Kura's users |
//! | [`keystore`], [`crypto`] | certificates, keys, encryption at rest |
//! | [`system`] | facts about the gateway by their Kura names |
//! | [`cloud`] | cloud connections, made of the Kura stack |
//! | [`events`] | what happened, for consoles and programs |
//!
//! The one module with unsafe code is `abi`, private to the crate.

#[allow(unsafe_code)]
mod abi;
pub mod cloud;
pub mod component;
pub mod configuration;
pub mod crypto;
pub mod events;
pub mod framework;
pub mod keystore;
pub mod loader;
pub mod metatype;
pub mod packages;
pub mod plugins;
pub mod system;

pub use cloud::ConnectionInfo;
pub use component::services::ConnectionState;
pub use component::{Action, ComponentInfo, ComponentState, Stop};
pub use events::Event;
pub use framework::{Framework, Options, StartError};
pub use gateway_component_abi::safe::error::CallError;
pub use plugins::{PluginInfo, PluginState};

/// An error and its causes in one line.
pub(crate) fn one_line(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line.replace(['\n', '\r'], " ")
}
