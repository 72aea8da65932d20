//! The provisioning flow from the platform's side, without its sockets, database and clock: what a
//! trigger says, what the requests look like, what comes next.
//!
//! Called by the engine, which does what this module says.

pub(crate) mod control;
pub(crate) mod conversation;
pub(crate) mod keys;
pub(crate) mod manifest;
pub(crate) mod message;
pub(crate) mod packages;
pub(crate) mod plan;
pub(crate) mod trigger;
