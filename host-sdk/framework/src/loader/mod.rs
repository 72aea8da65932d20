//! Opening a plugin: a shared library with components in it.
//!
//! [`Library::open`] looks at the file before the linker does (who may write it, whether it is a
//! whole library for this machine), opens it by its absolute path with `RTLD_NOW | RTLD_LOCAL`, and
//! enters by one of two doors: abi_stable's root module, which checks the layout, or the plain C
//! symbol `gwc_entry`. Behind both is the same table. From a library come its [`Module`], the
//! metatypes, and [`Instance`]s, with every function a safe one.
//!
//! Not here: which libraries to load (`plugins`), when to activate what (`component`). Nothing is
//! unsafe here either: what touches foreign memory is in `abi`.
//!
//! A library that is overwritten in place while it is loaded takes the process with it; so plugins
//! are replaced by renaming a new file over the old one, which `install` and package managers do.

mod access;
mod elf;
mod error;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use elf::look;
pub use error::{ComponentError, LoadError};

pub use crate::abi::instance::Instance;
use crate::abi::module::Table;
use crate::abi::object::Object;
use crate::component::services::Services;

/// How to enter a library.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Door {
    /// By the Rust door if there is one and the layout fits, else by the C door.
    #[default]
    Auto,
    /// By the C symbol `gwc_entry`.
    C,
    /// By abi_stable's root module.
    Rust,
}

impl Door {
    fn symbols(self) -> &'static str {
        match self {
            Door::Auto => "gwc_entry and no abi_stable root module",
            Door::C => "gwc_entry",
            Door::Rust => "abi_stable root module",
        }
    }
}

/// How to open a library.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenOptions {
    /// How to enter it.
    pub door: Door,
    /// Load it even if others may write the file or its folder.
    pub allow_insecure: bool,
}

/// A kind of component that a library can make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentKind {
    /// Such as `gwc.provisioning.ProvisioningService`.
    pub factory_pid: String,
    /// One line.
    pub description: String,
}

/// What a library says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Who made it.
    pub vendor: String,
    /// When, RFC 3339 in UTC.
    pub build_date: String,
    /// Major and minor version of the contract that it speaks.
    pub abi: (u32, u32),
    /// What it can make; never empty, each factory pid once.
    pub components: Vec<ComponentKind>,
}

/// An open library. Cheap to clone; closed once it and all its instances are gone. (The system may
/// keep it mapped: see "UNLOADING" in `gwc.h`. To replace a library, open the new one beside it.)
#[derive(Clone)]
pub struct Library {
    path: PathBuf,
    door: Door,
    table: Arc<Table>,
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Library")
            .field("path", &self.path)
            .field("door", &self.door)
            .field("module", self.module())
            .finish()
    }
}

impl Library {
    /// Opens the library at `path`, which must be absolute. Errors: every one of [`LoadError`].
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Library, LoadError> {
        Self::open_as(path, path, options)
    }

    /// As [`open`](Self::open), but lets the linker see the file under the name `alias`, a link to
    /// it: the linker takes a name it has seen for the library it has loaded.
    pub(crate) fn open_as(
        path: &Path,
        alias: &Path,
        options: &OpenOptions,
    ) -> Result<Library, LoadError> {
        if !path.is_absolute() {
            return Err(LoadError::NotAbsolute(path.to_owned()));
        }
        elf::check(path)?;
        if !options.allow_insecure {
            access::check(path)?;
        }
        let (object, module, door) = Object::open(alias, options.door)?;
        let table = Table::read(object, module).map_err(|e| LoadError::Malformed {
            path: path.to_owned(),
            what: e.to_string(),
        })?;
        Ok(Library {
            path: path.to_owned(),
            door,
            table: Arc::new(table),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Differs between two open libraries, also where one replaced the other at the same path.
    pub(crate) fn identity(&self) -> usize {
        Arc::as_ptr(&self.table) as usize
    }

    /// The door by which it was entered; never [`Door::Auto`].
    pub fn door(&self) -> Door {
        self.door
    }

    /// What it says of itself.
    pub fn module(&self) -> &Module {
        self.table.module()
    }

    /// Whether it makes components of this factory pid.
    pub fn offers(&self, factory_pid: &str) -> bool {
        self.module()
            .components
            .iter()
            .any(|kind| kind.factory_pid == factory_pid)
    }

    /// The metatype descriptor (XML) of a factory pid, with the texts of `locale`: "it", "en_US",
    /// or empty for the default.
    pub fn metatype(&self, factory_pid: &str, locale: &str) -> Result<String, ComponentError> {
        self.table.metatype(factory_pid, locale)
    }

    /// Makes an instance named `pid` (its `kura.service.pid`) that sees `services`.
    pub fn create(
        &self,
        factory_pid: &str,
        pid: &str,
        services: Services,
    ) -> Result<Instance, ComponentError> {
        Instance::create(&self.table, factory_pid, pid, services)
    }
}
