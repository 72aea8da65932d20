//! The second door: abi_stable's root module, for Rust hosts.
//!
//! A host reads the header with `abi_stable::library::lib_header_from_path`, checks the layout,
//! and calls [`GwcRoot_Ref::entry`]. `RootModule::load_from` is not for it: it keeps one module
//! of a kind per process, and a host may load several.

// abi_stable names the reference to a prefix type so.
#![allow(non_camel_case_types)]

use abi_stable::library::RootModule;
use abi_stable::sabi_types::VersionStrings;
use abi_stable::{package_version_strings, StableAbi};

use crate::entry::GwcModule;

/// What a library exports for Rust hosts.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = GwcRoot_Ref, prefix_fields = GwcRoot_Prefix)))]
#[sabi(missing_field(panic))]
pub struct GwcRoot {
    /// As the C symbol `gwc_entry`: the module, or null for another major version.
    #[sabi(last_prefix_field)]
    pub entry: extern "C" fn(host_abi_major: u32) -> *const GwcModule,
}

impl RootModule for GwcRoot_Ref {
    abi_stable::declare_root_module_statics! {GwcRoot_Ref}

    const BASE_NAME: &'static str = "gwc_component";
    const NAME: &'static str = "gwc_component";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}
