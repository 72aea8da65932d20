//! What the tests of the contract stand on: where the library is, how to open it, and a host
//! whose tables can be broken one by one.
//!
//! Everything here drives the real `libprovisioning_service.so`; nothing of the component is
//! linked in. Who calls it: the tests of this crate, its binary `trial`, and the whole-system
//! tests (for [`plugin_library`]). It is test code throughout: it panics where a test would.
//!
//! | module | what |
//! |---|---|
//! | [`place`] | where the library and the repository are |
//! | [`plugin`] | the library through its C door, with the raw functions still in reach |
//! | [`host`] | a host that offers every extension, each table open to sabotage |
//! | [`process`] | threads, descriptors and memory of this process |
//! | [`compiler`] | the system's C and C++ compiler |
//! | [`declarations`] | what headers and mirror declare |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod compiler;
pub mod declarations;
#[allow(unsafe_code)]
pub mod host;
pub mod place;
#[allow(unsafe_code)]
pub mod plugin;
pub mod process;

pub use place::{plugin_library, repository};
