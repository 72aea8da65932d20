//! The plugin directory: which libraries are in it, and which of them makes which component.
//!
//! [`watch`] reports files as they arrive, change and go, whole files only; [`Registry`] opens them
//! and decides, where two offer the same factory pid, that the newer version makes it. What happens
//! to instances when that changes is the business of [`crate::component`], which calls here from its
//! one control thread.

mod descriptor;
mod registry;
mod version;
pub mod watch;

use std::path::PathBuf;

use serde::Serialize;

pub use registry::Registry;

/// What became of a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PluginState {
    /// Loaded, and it makes at least one kind of component.
    Active,
    /// Loaded, but newer libraries make all its kinds.
    Superseded,
    /// Not loaded; `error` says why.
    Failed,
    /// The file is gone. Only in events.
    Removed,
}

impl PluginState {
    /// `active`, `superseded`, `failed` or `removed`.
    pub fn as_str(self) -> &'static str {
        match self {
            PluginState::Active => "active",
            PluginState::Superseded => "superseded",
            PluginState::Failed => "failed",
            PluginState::Removed => "removed",
        }
    }
}

impl std::fmt::Display for PluginState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A plugin for people to see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PluginInfo {
    /// The file.
    pub path: PathBuf,
    /// Empty where it could not be loaded, as are the next three.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Who made it.
    pub vendor: String,
    /// When, RFC 3339 in UTC.
    pub build_date: String,
    /// What became of it.
    pub state: PluginState,
    /// Why it was not loaded, or what is odd about it.
    pub error: Option<String>,
    /// The factory pids it offers.
    pub components: Vec<String>,
}
