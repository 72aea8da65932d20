//! What Eclipse Kura puts on the wire and on disk, as pure functions: the KuraPayload
//! ([`payload`]), the control topics ([`topic`]), who speaks ([`client_id`]), requests and replies
//! ([`request`]), packages ([`deploy`]) and the configuration XML ([`configurations`], [`snapshot_ids`]),
//! with the strictness that any XML of Kura's is read with ([`markup`]).
//!
//! It opens no socket and no file, knows no clock and no key: a timestamp is a parameter, and
//! what seals or opens a password is handed in by the caller. The component, the hosts and the
//! platform all call it, so that one reading of Kura's formats serves every side.

pub mod client_id;
pub mod configurations;
pub mod deploy;
pub mod markup;
pub mod payload;
pub mod request;
pub mod snapshot_ids;
pub mod topic;
