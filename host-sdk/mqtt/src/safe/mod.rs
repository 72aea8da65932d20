//! What the system offers to C only, with safe functions around it.

#[allow(unsafe_code)]
pub mod signals;
