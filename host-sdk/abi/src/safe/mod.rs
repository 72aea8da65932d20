//! Foreign memory in, Rust values out, and back. The only unsafe code both sides share.
//!
//! Nothing here ever makes a reference to a foreign struct whose size it does not know:
//! [`table::read`] copies what both sides have into a zeroed local. Every length is bounded
//! before anything is allocated.

pub mod error;
pub mod properties;
pub mod sink;
pub mod table;
pub mod text;

/// A caller or callee that did not keep to the contract. Names what was wrong, never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misuse(pub String);

impl std::fmt::Display for Misuse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misuse {}

impl Misuse {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Misuse(what.into())
    }
}
