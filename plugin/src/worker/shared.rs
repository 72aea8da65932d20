//! What the worker shares with the threads of the host.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mqtt_session::{Anchor, Failure};

use super::control::Control;
use crate::component::Watcher;
use crate::status;
use crate::trust::Verifier;

/// Shared by an instance and its worker.
pub struct Shared {
    pid: String,
    document: Mutex<String>,
    watcher: Mutex<Option<Watcher>>,
    verifier: Arc<Mutex<Verifier>>,
    control: Control,
    /// Whether messages outside a session may be accepted.
    provisioned: AtomicBool,
    stopping: AtomicBool,
    poisoned: AtomicBool,
    /// Keeps paho's threads for the life of the instance.
    anchor: Mutex<Option<Anchor>>,
}

impl Shared {
    /// Of the instance `pid`.
    pub fn new(pid: &str) -> Self {
        let verifier = Arc::new(Mutex::new(Verifier::new()));
        Shared {
            pid: pid.to_owned(),
            document: Mutex::new(status::inactive(pid)),
            watcher: Mutex::new(None),
            control: Control::new(verifier.clone()),
            verifier,
            provisioned: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            poisoned: AtomicBool::new(false),
            anchor: Mutex::new(None),
        }
    }

    /// The instance's pid.
    pub fn pid(&self) -> &str {
        &self.pid
    }

    /// The status document.
    pub fn document(&self) -> String {
        lock(&self.document).clone()
    }

    /// Replaces it, without telling the watcher.
    pub fn set_document(&self, document: String) {
        if !self.poisoned() {
            *lock(&self.document) = document;
        }
    }

    /// Tells the watcher. A watcher that ends its watch waits until this is over.
    pub fn notify(&self) {
        let document = self.document();
        if let Some(watcher) = &*lock(&self.watcher) {
            watcher(&document);
        }
    }

    /// Sets or ends the watch.
    pub fn watch(&self, watcher: Option<Watcher>) {
        *lock(&self.watcher) = watcher;
    }

    /// The verifier of signed messages.
    pub fn verifier(&self) -> Arc<Mutex<Verifier>> {
        self.verifier.clone()
    }

    /// Whether messages outside a session may be accepted at all.
    pub fn set_provisioned(&self, provisioned: bool) {
        self.provisioned.store(provisioned, Ordering::Release);
    }

    /// Whether they may.
    pub fn provisioned(&self) -> bool {
        self.provisioned.load(Ordering::Acquire)
    }

    /// The control messages after the provisioning.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// The one idle paho client of the instance.
    pub fn anchor(&self) -> Result<Anchor, Failure> {
        let mut slot = lock(&self.anchor);
        match &*slot {
            Some(anchor) => Ok(anchor.clone()),
            None => {
                let anchor = Anchor::new()?;
                *slot = Some(anchor.clone());
                Ok(anchor)
            }
        }
    }

    /// The worker is to end as soon as it can.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Whether it is.
    pub fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// The worker has ended; the next one may begin. Whom it may trust is for the next one to find:
    /// it may fail at that, and much may have changed since.
    pub fn rest(&self) {
        self.set_provisioned(false);
        lock(&self.verifier).trust(&[], &[]);
        self.stopping.store(false, Ordering::Release);
        self.set_document(status::inactive(&self.pid));
    }

    /// A panic: from now on the status says so.
    pub fn poison(&self) {
        self.set_document(status::panicked(&self.pid));
        self.poisoned.store(true, Ordering::Release);
    }

    /// Whether there was one.
    pub fn poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }
}

/// A lock whose holder panicked still guards plain data.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::fixtures::{Ca, Leaf};

    #[test]
    fn nobody_is_trusted_from_one_activation_to_the_next() {
        let shared = Shared::new("pid");
        let signer = Ca::root("Root").issue("Signer", Leaf::default());
        lock(&shared.verifier).trust(std::slice::from_ref(&signer.certificate), &[]);
        assert_eq!(lock(&shared.verifier).trusted_fingerprints().len(), 1);
        shared.set_provisioned(true);
        shared.rest();
        assert!(!shared.provisioned());
        assert!(lock(&shared.verifier).trusted_fingerprints().is_empty());
    }
}
