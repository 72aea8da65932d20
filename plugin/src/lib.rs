//! Skeleton.

pub mod diagnosis;
pub mod trust;
