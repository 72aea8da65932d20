//! A platform for one test: in a temporary folder, on free ports, gone when dropped.
//!
//! Several may run side by side in one process.

use crate::pki::{Pki, PkiError};
use crate::platform::{Platform, PlatformError, Settings};
use crate::store::NewRequest;
use std::ops::Deref;
use tempfile::TempDir;

/// Why a test platform could not be started.
#[derive(Debug, thiserror::Error)]
pub enum HarnessError {
    /// No folder.
    #[error("no temporary folder")]
    Folder(#[from] std::io::Error),
    /// No certificates.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// No platform.
    #[error(transparent)]
    Platform(#[from] PlatformError),
}

/// A running platform with its own folder. Dereferences to [`Platform`].
#[derive(Debug)]
pub struct TestPlatform {
    // Dropped first: the brokers end before their folder goes.
    platform: Platform,
    _folder: TempDir,
}

impl TestPlatform {
    /// Starts a flawless platform with new certificates.
    pub fn start() -> Result<TestPlatform, HarnessError> {
        TestPlatform::start_with(Pki::create()?, |settings| settings)
    }

    /// Starts one with these certificates and whatever `change` makes of the settings.
    pub fn start_with(
        pki: Pki,
        change: impl FnOnce(Settings) -> Settings,
    ) -> Result<TestPlatform, HarnessError> {
        let folder = tempfile::tempdir()?;
        let settings = change(Settings::new(&folder.path().join("platform"), pki));
        let platform = Platform::start(settings)?;
        Ok(TestPlatform {
            platform,
            _folder: folder,
        })
    }

    /// Ends it at once, and starts it again from its database, on the same ports. Scripts that it
    /// was given meanwhile are forgotten.
    pub fn restart(self) -> Result<TestPlatform, HarnessError> {
        let TestPlatform { platform, _folder } = self;
        let settings = platform.settings().clone();
        let brokers = [platform.provision_broker(), platform.target_broker()];
        let _held = brokers.map(|broker| broker.held_ports());
        drop(platform);
        let platform = Platform::start(settings)?;
        Ok(TestPlatform { platform, _folder })
    }

    /// Its certificates.
    pub fn pki(&self) -> &Pki {
        &self.settings().pki
    }

    /// Makes a request without limits: user name `user-{client_id}`, target account `acme`.
    pub fn request(&self, client_id: &str, password: &str) -> Result<i64, PlatformError> {
        let username = format!("user-{client_id}");
        let account = crate::platform::TARGET_ACCOUNT;
        self.create_request(&NewRequest::new(client_id, &username, password, account))
    }
}

impl Deref for TestPlatform {
    type Target = Platform;

    fn deref(&self) -> &Platform {
        &self.platform
    }
}
