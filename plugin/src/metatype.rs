//! The metatype descriptor, embedded.

/// The factory of this component.
pub const FACTORY_PID: &str = "gwc.provisioning.ProvisioningService";

/// The descriptor.
pub fn descriptor(_locale: &str) -> String {
    String::new()
}
