//! The `esf:configurations` XML: Kura's snapshots, and the bodies of CONF-V1.
//!
//! [`read()`] and [`write()`] turn it into [`Configuration`]s and back. How a password is sealed in it
//! differs by place, so the caller hands that in: [`remote_open`] and [`remote_seal`] are CONF-V1
//! over MQTT, a host has its own for its files. Metatype definitions that Kura puts into some of
//! these documents are skipped; whether a value suits its metatype is not looked at here. Callers:
//! the hosts' configuration service, the component for what it receives, the platform.

mod error;
mod limits;
mod name;
mod read;
mod scalar;
mod sealing;
mod write;
mod xml;

pub use error::ConfigurationsError;
pub use limits::{
    weight, weight_kept, XmlLimits, MAX_WEIGHT, PER_CONFIGURATION, PER_ESCAPE, PER_KEPT,
    PER_KEPT_PASSWORD, PER_PASSWORD, PER_SECRET_BYTE, PER_VALUE,
};
pub use read::read;
pub use sealing::{remote_open, remote_seal, Sealed};
pub use write::{write, write_borrowed};

use gateway_component_abi::value::{Properties, Value};

/// The namespace of every element; Kura's own reader wants the prefix `esf` for it.
pub const ESF_NAMESPACE: &str = "http://eurotech.com/esf/2.0";

/// Property that names the factory of an instance.
pub const SERVICE_FACTORY_PID: &str = "service.factoryPid";

/// The properties of one component.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// Kura's pid of the component (`kura.service.pid`).
    pub pid: String,
    /// All of them, `service.factoryPid` and the like included.
    pub properties: Properties,
}

impl Configuration {
    /// The factory this component is an instance of, if it is one.
    pub fn factory_pid(&self) -> Option<&str> {
        self.properties
            .get(SERVICE_FACTORY_PID)
            .and_then(Value::as_str)
    }
}
