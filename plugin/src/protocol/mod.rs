//! Provisioning profile 1, as pure functions: what a message from the platform asks for, what the
//! trigger and the replies say, what was accepted so far.
//!
//! | file | question |
//! |---|---|
//! | `trigger` | what does the first message say? |
//! | `request` | is this message a request to us, and from whom? |
//! | `operation` | what does it ask for, exactly? |
//! | `ledger` | was it answered already? |
//! | `reply` | what do replies and notifications look like? |
//! | `manifest` | what was accepted, in one digest? |
//! | `signature` | which bytes did the platform sign? |
//!
//! No socket, file, clock or randomness in here: times, ids and nonces are inputs. Nothing is
//! decided about order or trust either; `provisioner` does, and checks a request in this order:
//! ids (`request`), recorded reply (`ledger`), signature (`signature` and `trust`), existence and
//! content (`operation`).
//!
//! ESF's own provisioning messages are not public. `CONF-V1`, `KEYS-V1` and `DEPLOY-V2` are those
//! of Eclipse Kura; `PROV-V1` is this project's own.

pub mod ledger;
pub mod manifest;
pub mod names;
pub mod operation;
pub mod reply;
pub mod request;
pub mod signature;
#[cfg(test)]
mod testing;
pub mod trigger;

pub use ledger::{Ledger, Lookup};
pub use manifest::{Item, Manifest, Slot};
pub use operation::{Commit, Csr, Download, KeystoreCertificate, Operation, Reject};
pub use reply::{DownloadState, Outgoing, Replies};
pub use request::{Inbox, Incoming, Request};
pub use trigger::{Birth, Trigger};
