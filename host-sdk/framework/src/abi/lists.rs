//! Lists of configurations on their way across (`gwc_configuration_list`).

use std::collections::BTreeSet;

use gateway_component_abi::ext::configuration::{GwcConfigurationItem, GwcConfigurationList};
use gateway_component_abi::safe::{properties, table, text, Misuse};
use gateway_component_abi::types::{GwcBytes, GwcStr};

use crate::component::services::ConfigurationItem;

/// A list in the form of the contract, borrowing from the items.
pub(crate) struct BorrowedList<'a> {
    list: GwcConfigurationList,
    // Vectors: see `properties::Borrowed`.
    _items: Vec<GwcConfigurationItem>,
    _properties: Vec<properties::Borrowed<'a>>,
}

impl<'a> BorrowedList<'a> {
    pub(crate) fn new(source: &'a [ConfigurationItem]) -> Self {
        let properties: Vec<properties::Borrowed<'a>> = source
            .iter()
            .map(|item| properties::Borrowed::new(&item.properties))
            .collect();
        // Complete before pointers into it are taken: its heap does not move any more.
        let items: Vec<GwcConfigurationItem> = source
            .iter()
            .zip(properties.iter())
            .map(|(item, properties)| GwcConfigurationItem {
                struct_size: table::size::<GwcConfigurationItem>(),
                reserved: 0,
                pid: GwcStr::borrow(&item.pid),
                factory_pid: GwcStr::borrow(&item.factory_pid),
                properties: properties.as_ptr(),
            })
            .collect();
        BorrowedList {
            list: GwcConfigurationList {
                struct_size: table::size::<GwcConfigurationList>(),
                item_size: table::size::<GwcConfigurationItem>(),
                count: items.len() as u64,
                items: items.as_ptr(),
            },
            _items: items,
            _properties: properties,
        }
    }

    pub(crate) fn as_ptr(&self) -> *const GwcConfigurationList {
        std::ptr::from_ref(&self.list)
    }
}

/// Reads a foreign list.
///
/// # Safety
/// `list` is NULL or a `gwc_configuration_list` of the contract, valid for the call.
pub(crate) unsafe fn read(
    list: *const GwcConfigurationList,
) -> Result<Vec<ConfigurationItem>, Misuse> {
    // SAFETY: passed on.
    let list = unsafe { table::read(list) }?;
    let (mut items, mut seen) = (Vec::new(), BTreeSet::new());
    check_count(list.count)?;
    if list.count == 0 {
        return Ok(items);
    }
    let stride = list.item_size as usize;
    if list.items.is_null()
        || !table::STRIDES.contains(&stride)
        || !stride.is_multiple_of(align_of::<GwcConfigurationItem>())
    {
        return Err(Misuse(
            "gwc_configuration_list: items or item_size is wrong".to_owned(),
        ));
    }
    for index in 0..list.count as usize {
        // SAFETY: the writer placed count items, stride bytes apart.
        let item = unsafe {
            table::read(
                list.items
                    .cast::<u8>()
                    .add(index * stride)
                    .cast::<GwcConfigurationItem>(),
            )
        }?;
        if item.struct_size as usize > stride {
            return Err(Misuse(
                "gwc_configuration_item: struct_size exceeds item_size".to_owned(),
            ));
        }
        // SAFETY: pid, factory_pid and properties belong to the item, valid for the call.
        let (pid, factory_pid, properties) = unsafe {
            (
                text::text(item.pid)?,
                text::text(item.factory_pid)?,
                properties::read(item.properties),
            )
        };
        if pid.is_empty() || !seen.insert(pid) {
            return Err(Misuse(format!("pid {pid:?} is empty or occurs twice")));
        }
        items.push(ConfigurationItem {
            pid: pid.to_owned(),
            factory_pid: factory_pid.to_owned(),
            properties: properties.map_err(|e| Misuse(format!("{pid}: {e}")))?,
        });
    }
    Ok(items)
}

/// Reads a foreign array of texts.
///
/// # Safety
/// `array` is NULL or points to `count` texts, valid for `'a`.
pub(crate) unsafe fn texts<'a>(array: *const GwcStr, count: u64) -> Result<Vec<&'a str>, Misuse> {
    // SAFETY: passed on.
    unsafe { elements(array, count) }?
        .iter()
        // SAFETY: passed on.
        .map(|raw| unsafe { text::text(*raw) })
        .collect()
}

/// Reads a foreign array of byte runs.
///
/// # Safety
/// As [`texts`].
pub(crate) unsafe fn runs<'a>(array: *const GwcBytes, count: u64) -> Result<Vec<&'a [u8]>, Misuse> {
    // SAFETY: passed on.
    unsafe { elements(array, count) }?
        .iter()
        // SAFETY: passed on.
        .map(|raw| unsafe { text::bytes(*raw) })
        .collect()
}

unsafe fn elements<'a, T>(array: *const T, count: u64) -> Result<&'a [T], Misuse> {
    check_count(count)?;
    if count == 0 {
        return Ok(&[]);
    }
    if array.is_null() || !array.is_aligned() {
        return Err(Misuse("the array is NULL or not aligned".to_owned()));
    }
    // SAFETY: not NULL, aligned, bounded; the caller vouches for the elements.
    Ok(unsafe { std::slice::from_raw_parts(array, count as usize) })
}

fn check_count(count: u64) -> Result<(), Misuse> {
    if count > properties::MAX_COUNT {
        return Err(Misuse(format!(
            "{count} elements, at most {}",
            properties::MAX_COUNT
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_list_survives_the_crossing() {
        let item = |pid: &str, n: i32| ConfigurationItem {
            pid: pid.to_owned(),
            factory_pid: String::new(),
            properties: [("n".to_owned(), n.into())].into(),
        };
        let items = vec![item("a", 1), item("b", 2)];
        let borrowed = BorrowedList::new(&items);
        // SAFETY: borrowed lives.
        assert_eq!(unsafe { read(borrowed.as_ptr()) }.unwrap(), items);
    }

    #[test]
    fn a_pid_that_occurs_twice_or_a_short_item_is_refused() {
        let item = ConfigurationItem {
            pid: "a".to_owned(),
            factory_pid: String::new(),
            properties: Default::default(),
        };
        let twice = vec![item.clone(), item];
        let borrowed = BorrowedList::new(&twice);
        // SAFETY: borrowed lives.
        let error = unsafe { read(borrowed.as_ptr()) }.unwrap_err();
        assert!(error.0.contains("\"a\""), "{error}");
        let mut short = borrowed.list;
        short.item_size = 4;
        // SAFETY: as above.
        assert!(unsafe { read(&short) }.is_err());
    }
}
