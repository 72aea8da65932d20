//! Skeleton.

pub mod trust;
