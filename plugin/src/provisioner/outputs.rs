//! What the state machine wants done.

use std::sync::Arc;
use std::time::Duration;

use super::memory::GaveUp;
use crate::diagnosis::Fault;
use crate::protocol::{Csr, Download, Outgoing, Request};
use crate::settings::{Identity, Settings};
use crate::transaction::Item;

/// What an attempt needs.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The parameters.
    pub settings: Settings,
    /// Frozen for the transaction.
    pub identity: Identity,
    /// The transaction.
    pub transaction: String,
    /// This attempt's nonce.
    pub nonce: [u8; 32],
    /// Only signers that are trusted already count.
    pub reprovisioning: bool,
}

/// One thing to do. Each names the input that answers it; without one, trouble is reported as
/// [`super::Input::Trouble`].
#[derive(Clone, Debug)]
pub enum Output {
    /// Follow the journal: [`super::Input::Recovered`].
    Recover,
    /// Read the own configuration from the host: [`super::Input::ReadBack`].
    ReadBack,
    /// Run the local checks: [`super::Input::Preflight`].
    Preflight,
    /// Open the link and send the trigger: [`super::Input::Session`].
    Connect(Box<Plan>),
    /// Write down that attempt `n` counts, and first, where it is new, the transaction.
    Count {
        /// 1 for the first.
        n: u32,
        /// Its UUID.
        transaction: String,
        /// Its identity, frozen from now on.
        identity: Identity,
        /// What it runs with.
        parameters: String,
    },
    /// Publish on the link, QoS 1.
    Publish(Outgoing),
    /// Verify the signature of the request at hand: [`super::Input::Verified`].
    Verify(Arc<Request>),
    /// Validate a received chain and, if it holds, take its leaf as signer of this session:
    /// [`super::Input::ChainChecked`].
    CheckChain {
        /// With the chain as its body, PEM.
        request: Arc<Request>,
    },
    /// Keep an item for the commit: [`super::Input::Staged`].
    Stage(Item),
    /// Download a package into the staging folder: [`super::Input::Downloading`], then
    /// [`super::Input::Downloaded`]. One at a time.
    Download {
        /// Its number in this attempt.
        n: usize,
        /// What.
        download: Box<Download>,
    },
    /// Have the host look into a package, and keep it for the commit:
    /// [`super::Input::PackageStaged`].
    StagePackage {
        /// Its number in this attempt.
        n: usize,
        /// Its name.
        name: String,
        /// Its version.
        version: String,
        /// The archive.
        path: String,
    },
    /// The host's configurations as XML: [`super::Input::Body`].
    ReadConfigurations {
        /// One component, or all.
        pid: Option<String>,
    },
    /// A certificate request for a key of the host: [`super::Input::Body`].
    Csr(Csr),
    /// Write the plan: [`super::Input::Sealed`].
    Seal {
        /// Digest of the manifest, lower hex, for the record.
        manifest: String,
    },
    /// Do the next operation of the plan: [`super::Input::Applied`].
    ApplyNext,
    /// Try the new account: [`super::Input::Proved`].
    Prove {
        /// At most this long.
        within: Duration,
    },
    /// Write the commit record: [`super::Input::Committed`].
    Commit,
    /// Do what follows from the commit: [`super::Input::Completed`].
    Complete,
    /// Take everything back that was staged or applied: [`super::Input::Undone`].
    Undo,
    /// End the link; politely if it is up.
    Disconnect,
    /// Connect the cloud connection, append the record, clean up: [`super::Input::Finished`].
    Finish,
    /// Write down that the attempts are used up, or, with `None`, that this is over.
    GiveUp(Option<Box<GaveUp>>),
    /// Write down that the transaction ends without success.
    Abandon,
    /// An attempt ended; for the provisioning record and the log.
    Report {
        /// What it ended with; `None` for success.
        fault: Option<Fault>,
    },
    /// Set `enabled=false` through the host: [`super::Input::Disabled`].
    Disable,
    /// Set `enabled=true`, `provisioned=false` through the host.
    Reenable,
}
