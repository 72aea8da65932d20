//! Why a library is not loaded, and how a loaded component misbehaved.

use std::io;
use std::path::{Path, PathBuf};

use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::status;
use gateway_component_abi::types::ABI_MAJOR;

use super::Door;

/// Why a file does not become a plugin.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Nothing is there.
    #[error("{} does not exist", .0.display())]
    NotFound(PathBuf),
    /// The search path of the linker is not for plugins.
    #[error("{} is not an absolute path", .0.display())]
    NotAbsolute(PathBuf),
    /// The file or a folder above it cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Somebody else could put code into this process.
    #[error("{} is not trusted: {reason}", path.display())]
    Insecure {
        /// The file or the folder that others may change.
        path: PathBuf,
        /// Who may.
        reason: String,
    },
    /// Not an ELF shared library for this machine, or a part of one.
    #[error("{} is no shared library for this machine: {reason}", path.display())]
    NoLibrary {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The linker refused it: a library or symbol that it needs is missing.
    #[error("{} cannot be linked: {reason}", path.display())]
    Dependency {
        /// The file.
        path: PathBuf,
        /// The linker's words.
        reason: String,
    },
    /// A library, but not one of ours.
    #[error("{} is no plugin: it exports no {}", path.display(), door.symbols())]
    NoPlugin {
        /// The file.
        path: PathBuf,
        /// The door that was looked for.
        door: Door,
    },
    /// It speaks another major version of the contract.
    #[error("{} speaks version {} of the contract, this host speaks {ABI_MAJOR}",
        path.display(), spoken(theirs))]
    WrongMajor {
        /// The file.
        path: PathBuf,
        /// The versions it answered to; empty if none could be found out.
        theirs: Vec<u32>,
    },
    /// abi_stable's check of its layout failed.
    #[error("{} has another layout than this host: {reason}", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// The first difference.
        reason: String,
    },
    /// Its module table breaks the contract.
    #[error("{} has a malformed module table: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

fn spoken(theirs: &[u32]) -> String {
    if theirs.is_empty() {
        return "(unknown)".to_owned();
    }
    let list: Vec<String> = theirs.iter().map(u32::to_string).collect();
    list.join(", ")
}

impl LoadError {
    /// The linker's words without the path, which the message names already.
    pub(crate) fn linker_text(error: &libloading::Error, path: &Path) -> String {
        let text = match error {
            libloading::Error::DlOpen { desc } => format!("{desc:?}"),
            other => other.to_string(),
        };
        let text = text.trim_matches('"');
        let prefix = format!("{}: ", path.display());
        Self::first_line(text.strip_prefix(prefix.as_str()).unwrap_or(text))
    }

    /// The first line that says something.
    pub(crate) fn first_line(text: &str) -> String {
        text.lines()
            .map(str::trim)
            .find(|line| !line.is_empty())
            .unwrap_or("no reason given")
            .to_owned()
    }
}

/// How a call of a component failed. Names the component.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComponentError {
    /// The component said no.
    #[error("{component}: {function}")]
    Refused {
        /// Factory pid or pid.
        component: String,
        /// The function of the contract.
        function: &'static str,
        /// What it said.
        #[source]
        source: CallError,
    },
    /// The component did not keep to the contract.
    #[error("{component} broke the contract in {function}: {what}")]
    Broken {
        /// Factory pid or pid.
        component: String,
        /// The function of the contract.
        function: &'static str,
        /// What was wrong.
        what: String,
    },
    /// The component does not offer this.
    #[error("{component} does not offer {extension}")]
    Unsupported {
        /// Factory pid or pid.
        component: String,
        /// Extension, or extension and function.
        extension: &'static str,
    },
}

impl ComponentError {
    /// Whether the component has a defect and does nothing any more: it can only be destroyed.
    pub fn is_panic(&self) -> bool {
        matches!(self, ComponentError::Refused { source, .. } if source.status == status::E_PANIC)
    }

    /// In the form in which hosts and consoles pass errors on.
    pub fn to_call_error(&self) -> CallError {
        match self {
            ComponentError::Refused { source, .. } => source.clone(),
            ComponentError::Broken { .. } => {
                CallError::new(status::E_INTERNAL, "component.broken", self.to_string())
            }
            ComponentError::Unsupported { .. } => CallError::new(
                status::E_UNSUPPORTED,
                "component.unsupported",
                self.to_string(),
            ),
        }
    }
}
