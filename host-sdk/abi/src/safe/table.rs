//! Copying a foreign struct of unknown size.

use std::mem::{size_of, MaybeUninit};
use std::ptr;

use super::Misuse;

/// A struct of the contract that begins with `struct_size: u32`.
///
/// # Safety
/// The type is `repr(C)`, its first field is `struct_size: u32`, and all-zero bytes are a valid
/// value of it.
pub unsafe trait Table: Copy {
    /// The name in the headers, for messages.
    const NAME: &'static str;
}

/// The smallest struct_size that is believed: the size field itself and one more word.
const SMALLEST: usize = 8;

/// How far apart, in bytes, elements of a list may be: more than any record will ever grow to, and
/// little enough that the last of a list can be reached on a machine of 32 bits.
pub const STRIDES: std::ops::RangeInclusive<usize> = SMALLEST..=1 << 16;

/// Copies a foreign table into a zeroed local, as far as both sides know it. A field that lies
/// within `struct_size` in part only is not known.
///
/// # Safety
/// `table` is null, or points to at least as many readable bytes as its own `struct_size` says.
pub unsafe fn read<T: Table>(table: *const T) -> Result<T, Misuse> {
    if table.is_null() {
        return Err(Misuse::new(format!("{} is NULL", T::NAME)));
    }
    if !(table as usize).is_multiple_of(std::mem::align_of::<u32>()) {
        return Err(Misuse::new(format!("{} is not aligned", T::NAME)));
    }
    // SAFETY: not null; the caller vouches for struct_size, which comes first.
    let theirs = unsafe { ptr::read(table.cast::<u32>()) } as usize;
    if theirs < SMALLEST {
        return Err(Misuse::new(format!(
            "{}: struct_size {theirs} is too small",
            T::NAME
        )));
    }
    // Sizes are multiples of the alignment. Of one that is none the rest would be half a pointer,
    // which is worse than none.
    let whole = theirs - theirs % std::mem::align_of::<T>();
    let mut local = MaybeUninit::<T>::zeroed();
    // SAFETY: min(theirs, ours) bytes are readable there and writable here, and both are
    // different objects; zeroes are valid for what remains (trait contract).
    unsafe {
        ptr::copy_nonoverlapping(
            table.cast::<u8>(),
            local.as_mut_ptr().cast::<u8>(),
            whole.min(size_of::<T>()),
        );
        Ok(local.assume_init())
    }
}

/// `size_of::<T>()` as the contract writes it.
pub const fn size<T: Table>() -> u32 {
    size_of::<T>() as u32
}

macro_rules! tables {
    ($($type:path => $name:literal),* $(,)?) => {$(
        // SAFETY: repr(C), begins with struct_size, and holds integers, raw pointers and
        // optional function pointers only, for which zero is valid.
        unsafe impl Table for $type {
            const NAME: &'static str = $name;
        }
    )*};
}

tables! {
    crate::types::GwcProperty => "gwc_property",
    crate::types::GwcProperties => "gwc_properties",
    crate::status::GwcError => "gwc_error",
    crate::host::GwcHost => "gwc_host",
    crate::component::GwcComponentOps => "gwc_component_ops",
    crate::entry::GwcComponentInfo => "gwc_component_info",
    crate::entry::GwcModule => "gwc_module",
    crate::ext::log::GwcLog => "gwc_log",
    crate::ext::storage::GwcStorage => "gwc_storage",
    crate::ext::configuration::GwcConfigurationItem => "gwc_configuration_item",
    crate::ext::configuration::GwcConfigurationList => "gwc_configuration_list",
    crate::ext::configuration::GwcConfiguration => "gwc_configuration",
    crate::ext::keystore::GwcKeystoreEntry => "gwc_keystore_entry",
    crate::ext::keystore::GwcKeystore => "gwc_keystore",
    crate::ext::system::GwcSystem => "gwc_system",
    crate::ext::packages::GwcPackage => "gwc_package",
    crate::ext::packages::GwcPackages => "gwc_packages",
    crate::ext::cloud_connection::GwcConnectionState => "gwc_connection_state",
    crate::ext::cloud_connection::GwcCloudConnection => "gwc_cloud_connection",
    crate::ext::crypto::GwcCrypto => "gwc_crypto",
    crate::ext::events::GwcEvents => "gwc_events",
    crate::ext::status::GwcComponentStatus => "gwc_component_status",
    crate::ext::identity::GwcIdentity => "gwc_identity",
    crate::ext::preflight::GwcPreflight => "gwc_preflight",
    crate::ext::action::GwcAction => "gwc_action",
    crate::ext::control_verifier::GwcControlVerifier => "gwc_control_verifier",
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::types::{GwcProperties, GwcProperty};

    #[test]
    fn a_size_that_ends_within_a_pointer_gives_no_half_of_it() {
        let item = MaybeUninit::<GwcProperty>::zeroed();
        let full = size::<GwcProperties>();
        for cut in 1..8 {
            let list = GwcProperties {
                struct_size: full - cut,
                property_size: size::<GwcProperty>(),
                count: 1,
                items: item.as_ptr(),
            };
            // SAFETY: list is longer than it says.
            let seen = unsafe { read(&raw const list) }.unwrap();
            assert!(seen.items.is_null(), "{cut} bytes short");
            assert_eq!((seen.struct_size, seen.count), (full - cut, 1));
        }
    }
}
