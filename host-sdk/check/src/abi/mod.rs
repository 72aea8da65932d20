//! The unsafe part: the library as a host in another language sees it, a host for its instances,
//! and memory in which a step too far is seen. Only the trials call it.
//!
//! Nothing is checked on the way in: handing over what one should not is what trials are for. A
//! process that runs them is its own sandbox.

mod edge;
mod host;
mod library;
mod process;
mod surroundings;

pub(crate) use edge::Edge;
pub(crate) use host::{Conduct, Host};
pub(crate) use library::{blank, called, Called, Instance, Library};
pub(crate) use process::{end_at_once, end_with_parent, has_children, kill_group, wait_for_end};
pub(crate) use surroundings::{default_sigpipe, descriptors, resident, threads, Surroundings};
