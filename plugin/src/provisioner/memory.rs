//! What survives an attempt, and, through the journal, a restart.

use serde::{Deserialize, Serialize};

use crate::diagnosis::Fault;
use crate::settings::Identity;

/// That the attempts of a transaction were used up, for as long as its parameters stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GaveUp {
    /// The transaction's UUID.
    pub transaction: String,
    /// Fingerprint of the parameters it ran with.
    pub parameters: String,
    /// Its attempts.
    pub attempts: u32,
    /// When, wall clock, ms since 1970.
    pub at_ms: i64,
    /// What the last attempt ended with, and when; `None` if a restart cut it off.
    pub fault: Option<(Fault, i64)>,
}

/// The open transaction and the past.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// The open transaction's UUID.
    pub transaction: Option<String>,
    /// Its frozen identity.
    pub identity: Option<Identity>,
    /// Fingerprint of the parameters it runs with; `None` if it could not be kept.
    pub parameters: Option<String>,
    /// Its attempts so far; after success those of the last one.
    pub attempts: u32,
    /// Whether a transaction was ever finished here.
    pub provisioned_before: bool,
    /// The last transaction was given up, and nobody has started another one since.
    pub gave_up: Option<Box<GaveUp>>,
}

impl Memory {
    /// Forgets the open transaction.
    pub fn abandon(&mut self) {
        self.transaction = None;
        self.identity = None;
        self.parameters = None;
        self.attempts = 0;
    }

    /// The open transaction succeeded.
    pub fn succeed(&mut self) {
        self.transaction = None;
        self.identity = None;
        self.parameters = None;
        self.provisioned_before = true;
    }
}
