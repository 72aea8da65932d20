//! `gwc.packages/1` over the gateway's packages.

use std::path::Path;
use std::sync::Arc;

use gateway_component_abi::safe::error::CallError;

use super::services::PackageService;
use crate::packages::{PackageError, Packages};

/// The packages of the gateway, for a component.
#[derive(Debug)]
pub struct Applications {
    /// All of them.
    pub packages: Arc<Packages>,
}

impl PackageService for Applications {
    fn list(&self) -> Result<Vec<(String, String)>, CallError> {
        let all = self.packages.list().into_iter();
        Ok(all.map(|info| (info.name, info.version)).collect())
    }

    fn inspect(&self, name: &str, version: &str, path: &str) -> Result<Vec<Vec<u8>>, CallError> {
        self.packages
            .inspect(name, version, Path::new(path))
            .map(|contents| contents.metatypes)
            .map_err(refused)
    }

    fn install(&self, key: &str, name: &str, version: &str, path: &str) -> Result<(), CallError> {
        self.packages
            .install(key, name, version, Path::new(path))
            .map_err(refused)
    }

    fn revert(&self, key: &str) -> Result<(), CallError> {
        self.packages.revert(key).map_err(refused)
    }

    fn settle(&self, key: &str) -> Result<(), CallError> {
        self.packages.settle(key).map_err(refused)
    }
}

fn refused(error: PackageError) -> CallError {
    error.to_call_error()
}
