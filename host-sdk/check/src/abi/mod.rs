//! The unsafe part: the library as a host in another language sees it, a host for its instances,
//! and memory in which a step too far is seen. Only the trials call it.
//!
//! Nothing is checked on the way in: handing over what one should not is what trials are for. A
//! process that runs them is its own sandbox.

mod edge;
mod host;
mod library;
mod surroundings;

pub(crate) use edge::Edge;
pub(crate) use host::{Conduct, Host};
pub(crate) use library::{blank, called, Called, Instance, Library};
pub(crate) use surroundings::{descriptors, threads, Surroundings};

/// Ends every process of the group that `leader` leads.
pub(crate) fn kill_group(leader: u32) {
    if let Ok(group) = i32::try_from(leader) {
        if group > 1 {
            // SAFETY: a question to the system; the group is that of a child of ours.
            unsafe { libc::kill(-group, libc::SIGKILL) };
        }
    }
}
