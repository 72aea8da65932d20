//! A gateway for one whole-system test: the real framework, the real library, real files.
//!
//! [`Site`] is a gateway in a temporary folder with one credential and its trusted roots; it is
//! started, watched through its status document, restarted, and gone when dropped. The other side
//! is [`provision_platform::harness::TestPlatform`]. [`capture`] keeps every log line of the
//! process; [`process`] runs the program `gateway` over the same folder instead, and [`rest`] talks to it
//! as a person does; an [`operator`] talks to it over its account; [`preload`] builds what is loaded
//! into it to watch it. No test is in here.

pub mod canaries;
pub mod capture;
pub mod operator;
pub mod preload;
pub mod process;
pub mod rest;
pub mod site;

pub use site::{Site, SiteError};
