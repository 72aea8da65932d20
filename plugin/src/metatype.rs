//! Placeholder until the descriptor is there.

/// The factory pid.
pub const FACTORY_PID: &str = "gwc.provisioning.ProvisioningService";

/// The descriptor.
pub fn descriptor(_locale: &str) -> String {
    String::new()
}
