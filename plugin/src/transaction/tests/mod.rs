//! The transaction over a gateway in memory, a real folder, and a disk that fails when told to.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod attempts;
pub(crate) mod gateway;
mod packages;
mod recover;
mod undo;
