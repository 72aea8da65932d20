//! Instances.
pub mod services;
