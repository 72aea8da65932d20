//! Control messages: what the cloud account sends to `$EDC/{account}/{client-id}/#`.
//!
//! A request goes this way, and no step is left out:
//!
//! | file | step |
//! |---|---|
//! | [`mod@desk`] | the connection's thread puts the message into a bounded queue; a thread of its own takes it |
//! | [`request`] | is it a request to this gateway, with the ids that an answer needs? |
//! | [`ledger`] | a repeated one gets the recorded reply, and has no second effect |
//! | [`verify`] | the component that provisions this connection says who signed it (`gwc.control-verifier/1`) |
//! | [`clerk`] | hands it to the application |
//! | [`conf`], [`deploy`], [`keys`] | `CONF-V1`, `DEPLOY-V2`, `KEYS-V1`: what is asked for |
//! | [`reply`], [`refusal`] | the answer on the wire |
//! | [`tally`] | how many had which end, for people to see |
//!
//! It fails closed: a request that nobody vouches for is refused with 403, and counted by the reason;
//! where no component is there that could, that is everybody. `CMD-V1` does not exist here, whoever
//! signs. Not here: the session, which is the `actor`'s, and what the applications change, which is
//! the framework's.

mod clerk;
mod conf;
mod deploy;
mod desk;
mod keys;
mod ledger;
mod refusal;
mod reply;
mod request;
mod tally;
mod verify;

pub(super) use desk::Desk;
pub(super) use reply::Outgoing;
pub use tally::ControlReport;

use std::sync::Arc;

use kura_formats::topic::Topics;

use super::Surroundings;

/// The applications that answer, as a BIRTH names them.
pub(super) const APPLICATIONS: [&str; 3] = [conf::APP, deploy::APP, keys::APP];

/// Whose topics a session serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) topics: Topics,
    pub(super) account: String,
    pub(super) client_id: String,
}

/// That connection is no more: neither is what it had downloaded.
pub(super) fn forget(surroundings: &Surroundings, connection: &str) -> std::io::Result<()> {
    match &surroundings.deployment {
        Some(deployment) => deploy::forget(deployment, connection),
        None => Ok(()),
    }
}

/// The desk of the connection of that CloudService. `served` is told of each message once, `notify`
/// publishes what follows later.
pub(super) fn open_desk(
    surroundings: Arc<Surroundings>,
    connection: &str,
    served: desk::Served,
    notify: deploy::Notify,
) -> Desk {
    let clerk = clerk::Clerk::new(surroundings, connection, notify);
    Desk::new(clerk.tally(), Box::new(clerk), served)
}
