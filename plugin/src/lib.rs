//! Skeleton.

pub mod diagnosis;
pub mod metatype;
pub mod protocol;
pub mod settings;
pub mod trust;
