//! paho-mqtt, kept on a short leash.
//!
//! paho connects to our own loopback port only (`link::local`), so its network code meets nothing
//! it can stumble over. What is left to keep are its rules of life and death:
//!
//! * the last reference to a client must not go while its connect is pending ([`connect`]);
//! * the last client of the process must not go while others come ([`Anchor`]).
//!
//! All callbacks of paho run on its threads under its global mutex: ours put a value into a queue
//! and return.

mod anchor;
mod connect;

pub use anchor::Anchor;
pub(crate) use connect::Paho;
