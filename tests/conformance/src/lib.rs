//! Skeleton.
pub mod signed;
pub mod x509;
