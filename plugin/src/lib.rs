//! Skeleton.

pub mod diagnosis;
