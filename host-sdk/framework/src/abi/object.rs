//! A shared library in the process, and its two doors.

use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::path::Path;

use abi_stable::library::{AbiHeaderRef, RootModule};
use gateway_component_abi::entry::{GwcEntryFn, GwcModule};
use gateway_component_abi::root::GwcRoot_Ref;
use gateway_component_abi::types::ABI_MAJOR;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use crate::loader::{Door, LoadError};

const C_SYMBOL: &[u8] = b"gwc_entry\0";

/// An open library. Closed when dropped, unless it was entered by the Rust door: abi_stable keeps
/// references into every library whose layout it has checked, so that such a library stays for the
/// life of the process.
#[derive(Debug)]
pub(crate) struct Object {
    library: ManuallyDrop<Library>,
    keep: bool,
}

impl Drop for Object {
    fn drop(&mut self) {
        if !self.keep {
            // SAFETY: dropped once, here; every instance and table of the library is gone, as all
            // of them hold the Object alive.
            unsafe { ManuallyDrop::drop(&mut self.library) }
        }
    }
}

impl Object {
    /// Opens `path` (absolute, checked by the caller) with all symbols resolved and none of them
    /// visible to others, goes through the door, and returns the module that is behind it.
    pub(crate) fn open(
        path: &Path,
        door: Door,
    ) -> Result<(Object, *const GwcModule, Door), LoadError> {
        // SAFETY: runs the constructors of the library. The host trusts the files in its plugin
        // directory as its own code (loader::access refuses those that others may write), and the
        // contract forbids constructors with side effects.
        let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(|e| {
            LoadError::Dependency {
                path: path.to_owned(),
                reason: LoadError::linker_text(&e, path),
            }
        })?;
        let mut object = Object {
            library: ManuallyDrop::new(library),
            keep: false,
        };
        let rust = match door {
            Door::C => None,
            Door::Auto | Door::Rust => object.rust_symbol(),
        };
        let c = match door {
            Door::Rust => None,
            Door::Auto | Door::C => object.c_symbol(),
        };
        let (module, entered) = match (rust, c) {
            (None, None) => {
                return Err(LoadError::NoPlugin {
                    path: path.to_owned(),
                    door,
                })
            }
            (None, Some(entry)) => (object.enter_c(path, entry)?, Door::C),
            (Some(header), None) => (object.enter_rust(path, header)?, Door::Rust),
            (Some(header), Some(entry)) => match object.enter_rust(path, header) {
                Ok(module) => (module, Door::Rust),
                // A library of a later minor version has grown tables, which the Rust door refuses
                // and the C door is made for.
                Err(e) => {
                    log::debug!("{e}; trying the C door");
                    (object.enter_c(path, entry)?, Door::C)
                }
            },
        };
        Ok((object, module, entered))
    }

    fn c_symbol(&self) -> Option<GwcEntryFn> {
        // SAFETY: the symbol, where it exists, is a function of this type by the contract; it is
        // copied out and used only while the library is open.
        unsafe { self.library.get::<GwcEntryFn>(C_SYMBOL) }
            .ok()
            .map(|symbol| *symbol)
    }

    fn rust_symbol(&self) -> Option<AbiHeaderRef> {
        let name = abi_stable::library::ROOT_MODULE_LOADER_NAME_WITH_NUL;
        // SAFETY: abi_stable exports a pointer to its header under this name; a NULL one is
        // refused before it becomes a reference.
        unsafe {
            let symbol = self.library.get::<*const c_void>(name.as_bytes()).ok()?;
            if (*symbol).is_null() {
                return None;
            }
            self.library
                .get::<AbiHeaderRef>(name.as_bytes())
                .ok()
                .map(|symbol| *symbol)
        }
    }

    fn enter_c(&self, path: &Path, entry: GwcEntryFn) -> Result<*const GwcModule, LoadError> {
        // SAFETY: a function of the contract, of an open library.
        let module = unsafe { entry(ABI_MAJOR) };
        if module.is_null() {
            return Err(LoadError::WrongMajor {
                path: path.to_owned(),
                theirs: self.spoken(entry),
            });
        }
        Ok(module)
    }

    /// The major versions, of the first few, that the library does speak.
    fn spoken(&self, entry: GwcEntryFn) -> Vec<u32> {
        (0..=ABI_MAJOR + 8)
            .filter(|major| *major != ABI_MAJOR)
            // SAFETY: as in enter_c; the answer is only compared with NULL.
            .filter(|major| unsafe { !entry(*major).is_null() })
            .collect()
    }

    fn enter_rust(
        &mut self,
        path: &Path,
        header: AbiHeaderRef,
    ) -> Result<*const GwcModule, LoadError> {
        // From here on abi_stable may hold references into the library.
        self.keep = true;
        let layout = |e: abi_stable::library::LibraryError| LoadError::Layout {
            path: path.to_owned(),
            reason: LoadError::first_line(&e.to_string()),
        };
        let header = header.upgrade().map_err(layout)?;
        let root = header.check_layout::<GwcRoot_Ref>().map_err(layout)?;
        log::debug!(
            "{}: the layout of {} fits",
            path.display(),
            GwcRoot_Ref::NAME
        );
        let module = (root.entry())(ABI_MAJOR);
        if module.is_null() {
            return Err(LoadError::WrongMajor {
                path: path.to_owned(),
                theirs: Vec::new(),
            });
        }
        Ok(module)
    }
}
