//! Skeleton.
pub mod signed;
pub mod x509;

#[cfg(test)]
mod samples;
