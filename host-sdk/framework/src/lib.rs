//! Skeleton.
#[allow(unsafe_code)]
mod abi;
pub mod component;
pub mod loader;
