//! What survives an attempt, and, through the journal, a restart.

use crate::settings::Identity;

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
