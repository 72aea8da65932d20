//! What the state machine is told.

use std::time::Duration;

use super::conversation::ChainSummary;
use super::memory::Memory;
use crate::diagnosis::Fault;
use crate::settings::{Identity, Parsed};

/// The moment at which something happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Monotonic: for waiting. Since any fixed moment of this process.
    pub mono: Duration,
    /// Wall clock in ms since 1970: for people and validity, never for waiting.
    pub wall_ms: i64,
}

/// What the preflight found and prepared.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Who this gateway is.
    pub identity: Identity,
    /// 32 random bytes, new for every attempt.
    pub nonce: [u8; 32],
    /// A random UUID, used if a new transaction begins.
    pub transaction: String,
    /// 0 to 250: the random share of the next pause, per mille.
    pub jitter_per_mille: u32,
    /// Whether DMKeystore holds a trusted signer.
    pub has_signers: bool,
    /// Whether the host installs packages.
    pub installs_packages: bool,
}

/// The random share of a pause out of two random bytes: 0 to 250 per mille, each value as likely as
/// another to within one in 261.
pub fn jitter_per_mille(random: [u8; 2]) -> u32 {
    u32::from(u16::from_be_bytes(random)) % 251
}

/// What the journal said, after everything that it demanded was done.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// What survives.
    pub memory: Memory,
    /// A transaction is committed and must be completed.
    pub committed: bool,
}

/// A package archive that is here, durable, and the one that was announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// Where it lies, in the staging folder.
    pub path: String,
    /// Its SHA-256.
    pub sha256: [u8; 32],
    /// Its bytes.
    pub length: u64,
}

/// What happened on the link to the provision broker.
#[derive(Clone, Debug)]
pub enum SessionEvent {
    /// The next thing it waits for, in words.
    Waiting(&'static str),
    /// The first packet goes out: the attempt counts.
    Opening,
    /// Connected, subscribed, and the trigger is out.
    Ready,
    /// A message on the subscribed topics.
    Message {
        /// Its topic.
        topic: String,
        /// Its payload as received.
        payload: Vec<u8>,
        /// It was stored by the broker before.
        retained: bool,
    },
    /// Everything published so far is acknowledged.
    Flushed,
    /// The link is gone.
    Failed(Fault),
}

/// What a person or the host asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// End the pause.
    RetryNow,
    /// Abort, roll back, `enabled=false`.
    Cancel,
    /// `enabled=true`, `provisioned=false`.
    Reprovision,
}

/// Why an action makes no sense now: one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub String);

/// One input.
#[derive(Clone, Debug)]
pub enum Input {
    /// The parameters, at activate and at each update.
    Configured(Box<Parsed>),
    /// Result of [`super::Output::ReadBack`]: what the host holds now.
    ReadBack(Result<Box<Parsed>, Fault>),
    /// Result of [`super::Output::Recover`].
    Recovered(Result<Recovered, Fault>),
    /// Result of [`super::Output::Preflight`].
    Preflight(Result<Box<Ready>, Fault>),
    /// An effect that only reports trouble failed: the attempt cannot go on.
    Trouble(Fault),
    /// The link.
    Session(SessionEvent),
    /// Result of [`super::Output::Verify`].
    Verified(Result<(), Fault>),
    /// Result of [`super::Output::CheckChain`].
    ChainChecked(Result<ChainSummary, Fault>),
    /// Result of [`super::Output::Stage`].
    Staged(Result<(), Fault>),
    /// Result of [`super::Output::ReadConfigurations`] (the XML) or [`super::Output::Csr`] (PEM).
    Body(Result<Vec<u8>, Fault>),
    /// How far [`super::Output::Download`] of the number `n` is.
    Downloading {
        /// Which one.
        n: usize,
        /// Bytes so far.
        received: u64,
        /// Bytes of the whole, once known.
        size: Option<u64>,
    },
    /// Result of [`super::Output::Download`].
    Downloaded {
        /// Which one.
        n: usize,
        /// The archive.
        result: Result<Arrived, Fault>,
    },
    /// Result of [`super::Output::StagePackage`].
    PackageStaged {
        /// Which one.
        n: usize,
        /// Whether the host can install it.
        result: Result<(), Fault>,
    },
    /// Result of [`super::Output::Seal`].
    Sealed(Result<(), Fault>),
    /// Result of [`super::Output::ApplyNext`]: whether all is applied.
    Applied(Result<bool, Fault>),
    /// Result of [`super::Output::Prove`].
    Proved(Result<(), Fault>),
    /// Result of [`super::Output::Commit`].
    Committed(Result<(), Fault>),
    /// Result of [`super::Output::Complete`].
    Completed(Result<(), Fault>),
    /// Result of [`super::Output::Undo`].
    Undone(Result<(), Fault>),
    /// Result of [`super::Output::Finish`].
    Finished(Result<(), Fault>),
    /// Result of [`super::Output::Disable`].
    Disabled(Result<(), Fault>),
    /// Someone asks for something; see [`super::Provisioner::act`] for the answer.
    SystemChanged,
    /// The moment of [`super::Provisioner::timeout`] has come.
    Timeout,
}
