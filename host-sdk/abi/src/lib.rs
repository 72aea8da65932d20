//! The contract between a gateway framework and its components, in Rust.
//!
//! The authority is `include/gwc/*.h`, written by hand; [`types`], [`status`], [`host`],
//! [`component`], [`entry`] and [`ext`] mirror it, name by name, and a test compares every
//! size and offset. The same types derive abi_stable's `StableAbi`, so that a Rust host that
//! loads through [`root::GwcRoot`] gets a full layout check; a C host uses the symbol
//! `gwc_entry`. Both hand out the same [`entry::GwcModule`].
//!
//! [`value`] holds the properties as Rust values, and [`safe`] is the one place that turns
//! foreign memory into such values and back; components and hosts both stand on it. There is
//! no logic here: who calls what and when is the business of the two sides.

pub mod component;
pub mod entry;
pub mod ext;
pub mod host;
pub mod root;
#[allow(unsafe_code)]
pub mod safe;
pub mod status;
pub mod types;
pub mod value;
