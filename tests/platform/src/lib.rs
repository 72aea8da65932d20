//! The cloud side of a provisioning, for demonstrations, tests and rehearsals.

pub mod broker;
pub mod clock;
pub mod link;
pub mod pki;
pub mod secret;
pub mod store;

/// Lower hexadecimal without separators.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing into a String does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
