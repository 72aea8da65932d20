//! `gwc.packages/1` is not offered: this framework does not install applications yet. Its table
//! enters here, over a trait of its own beside the others in `component::services`.

use std::ffi::c_void;

/// Nothing: a component that needs packages says so in its status.
pub(super) fn table() -> Option<*const c_void> {
    None
}
