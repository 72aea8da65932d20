//! The extensions, one module per header of `include/gwc/ext`.

pub mod action;
pub mod cloud_connection;
pub mod configuration;
pub mod control_verifier;
pub mod crypto;
pub mod events;
pub mod identity;
pub mod keystore;
pub mod log;
pub mod packages;
pub mod preflight;
pub mod status;
pub mod storage;
pub mod system;
