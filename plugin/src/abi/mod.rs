//! The boundary: C tables outside, Rust values inside. The only unsafe code of the component.
//!
//! | file | what |
//! |---|---|
//! | `entry` | the two doors, `gwc_entry` and abi_stable's root module, and the module table |
//! | `instance` | the functions of an instance, each through the guard |
//! | `guard` | null, lifecycle, panic: every entry goes through it |
//! | `extensions` | what the component offers beyond its lifecycle |
//! | `host` | the host's tables as [`crate::host::Host`] |
//! | `logger` | the `log` crate's lines into the host's log |
//!
//! No decision is taken here.

mod entry;
mod extensions;
mod guard;
mod host;
mod host_lists;
mod instance;
mod logger;

pub use entry::gwc_entry;
