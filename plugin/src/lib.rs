//! Skeleton.

pub mod diagnosis;
pub mod settings;
pub mod trust;
