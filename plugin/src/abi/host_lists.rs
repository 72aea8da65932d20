//! Lists on their way to and from the host.

use std::marker::PhantomData;
use std::os::raw::c_void;
use std::ptr;

use gateway_component_abi::ext::cloud_connection::{
    GwcConnectionSink, GwcConnectionState, CONNECTION_DISCONNECTED,
};
use gateway_component_abi::ext::configuration::{
    GwcConfigurationItem, GwcConfigurationList, GwcConfigurationSink,
};
use gateway_component_abi::ext::keystore::{
    GwcKeystoreEntry, GwcKeystoreSink, ENTRY_CRL, ENTRY_PRIVATE_KEY, ENTRY_TRUSTED_CERTIFICATE,
};
use gateway_component_abi::safe::properties::{self, Borrowed};
use gateway_component_abi::safe::{table, text, Misuse};
use gateway_component_abi::types::{GwcBytes, GwcSink, GwcStr};

use crate::host::{Configuration, Connection, EntryKind, KeystoreEntry};

/// The most entries that are taken from a host's list.
const MAX_ENTRIES: usize = 10_000;
/// Name of the property that makes a configuration one of a factory.
const FACTORY_PID: &str = "service.factoryPid";

/// Configurations in the form of the contract.
pub struct BorrowedList<'a> {
    list: GwcConfigurationList,
    // Vectors: see `Borrowed`.
    _items: Vec<GwcConfigurationItem>,
    _properties: Vec<Borrowed<'a>>,
    _source: PhantomData<&'a [Configuration]>,
}

impl<'a> BorrowedList<'a> {
    /// The list of `configurations`.
    pub fn new(configurations: &'a [Configuration]) -> Self {
        let properties: Vec<Borrowed<'a>> = configurations
            .iter()
            .map(|configuration| Borrowed::new(&configuration.properties))
            .collect();
        let items: Vec<GwcConfigurationItem> = configurations
            .iter()
            .zip(properties.iter())
            .map(|(configuration, properties)| GwcConfigurationItem {
                struct_size: table::size::<GwcConfigurationItem>(),
                reserved: 0,
                pid: GwcStr::borrow(&configuration.pid),
                factory_pid: match configuration.properties.get(FACTORY_PID) {
                    Some(value) => value.as_str().map_or(GwcStr::EMPTY, GwcStr::borrow),
                    None => GwcStr::EMPTY,
                },
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
            _source: PhantomData,
        }
    }

    /// The list, valid as long as `self`.
    pub fn as_ptr(&self) -> *const GwcConfigurationList {
        ptr::from_ref(&self.list)
    }
}

/// Receives what a host puts, entry by entry. One bad entry spoils the whole.
pub struct ListCollector<T> {
    entries: Vec<T>,
    broken: bool,
}

/// For keystore entries.
pub type KeystoreCollector = ListCollector<KeystoreEntry>;
/// For the state of a cloud connection.
pub type ConnectionCollector = ListCollector<Connection>;

impl<T> ListCollector<T> {
    /// An empty one.
    pub fn new() -> Self {
        ListCollector {
            entries: Vec::new(),
            broken: false,
        }
    }

    /// What was put, or `None` if something was not readable.
    pub fn take(self) -> Option<Vec<T>> {
        (!self.broken).then_some(self.entries)
    }

    fn push(&mut self, entry: Result<T, Misuse>) {
        match entry {
            Ok(entry) if self.entries.len() < MAX_ENTRIES => self.entries.push(entry),
            _ => self.broken = true,
        }
    }

    /// # Safety
    /// `ctx` is null or the `ListCollector<T>` of the sink at hand.
    unsafe fn receive(ctx: *mut c_void, entry: impl FnOnce() -> Result<T, Misuse>) {
        // SAFETY: as the caller promises; one call uses it at a time.
        if let Some(collector) = unsafe { ctx.cast::<Self>().as_mut() } {
            collector.push(entry());
        }
    }
}

/// Hands what a call puts on while it is put, without a copy. Only the first put counts.
pub struct Passage<'a> {
    take: &'a mut dyn FnMut(&[u8]),
    /// Whether it took what was put, once something was.
    taken: Option<bool>,
}

impl<'a> Passage<'a> {
    /// To `take`.
    pub fn new(take: &'a mut dyn FnMut(&[u8])) -> Self {
        Passage { take, taken: None }
    }

    /// The sink for the call; it must not outlive `self`.
    pub fn sink(&mut self) -> GwcSink {
        GwcSink {
            ctx: ptr::from_mut(self).cast(),
            put: Some(pass),
        }
    }

    /// Whether something readable was put.
    pub fn was_taken(&self) -> bool {
        self.taken == Some(true)
    }
}

unsafe extern "C" fn pass(ctx: *mut c_void, data: GwcBytes) {
    // SAFETY: ctx is null or the Passage of `sink`, used by one call at a time; the callee vouches
    // for data during this call.
    let (passage, data) = unsafe { (ctx.cast::<Passage<'_>>().as_mut(), text::bytes(data)) };
    let Some(passage) = passage.filter(|passage| passage.taken.is_none()) else {
        return;
    };
    // A panic must not reach the host.
    let take = std::panic::AssertUnwindSafe(|| data.map(|data| (passage.take)(data)).is_ok());
    passage.taken = Some(std::panic::catch_unwind(take).unwrap_or(false));
}

impl KeystoreCollector {
    /// The sink for the call; it must not outlive `self`.
    pub fn keystore_sink(&mut self) -> GwcKeystoreSink {
        GwcKeystoreSink {
            ctx: ptr::from_mut(self).cast(),
            put: Some(put_keystore_entry),
        }
    }
}

unsafe extern "C" fn put_keystore_entry(ctx: *mut c_void, entry: *const GwcKeystoreEntry) {
    // SAFETY: ctx is our sink's; the entry is the host's, valid for the call.
    unsafe {
        KeystoreCollector::receive(ctx, || {
            let entry = table::read(entry)?;
            Ok(KeystoreEntry {
                kind: match entry.kind {
                    ENTRY_TRUSTED_CERTIFICATE => EntryKind::TrustedCertificate,
                    ENTRY_PRIVATE_KEY => EntryKind::PrivateKey,
                    ENTRY_CRL => EntryKind::Crl,
                    other => return Err(Misuse(format!("keystore entry of kind {other}"))),
                },
                alias: text::text(entry.alias)?.to_owned(),
                pem: text::text(entry.pem)?.to_owned(),
            })
        });
    }
}

impl ConnectionCollector {
    /// The sink for the call; it must not outlive `self`.
    pub fn connection_sink(&mut self) -> GwcConnectionSink {
        GwcConnectionSink {
            ctx: ptr::from_mut(self).cast(),
            put: Some(put_connection),
        }
    }
}

unsafe extern "C" fn put_connection(ctx: *mut c_void, state: *const GwcConnectionState) {
    // SAFETY: ctx is our sink's; the state is the host's, valid for the call.
    unsafe {
        ConnectionCollector::receive(ctx, || {
            let state = table::read(state)?;
            Ok(Connection {
                wanted: state.state != CONNECTION_DISCONNECTED,
                pid: text::text(state.pid)?.to_owned(),
                data_pid: text::text(state.data_pid)?.to_owned(),
                transport_pid: text::text(state.transport_pid)?.to_owned(),
            })
        });
    }
}

impl ListCollector<Vec<u8>> {
    /// The sink for the call, which may be put several times; it must not outlive `self`.
    pub fn bytes_sink(&mut self) -> GwcSink {
        GwcSink {
            ctx: ptr::from_mut(self).cast(),
            put: Some(put_bytes),
        }
    }
}

unsafe extern "C" fn put_bytes(ctx: *mut c_void, data: GwcBytes) {
    // SAFETY: ctx is our sink's; the data is the host's, valid for the call.
    unsafe { ListCollector::<Vec<u8>>::receive(ctx, || Ok(text::bytes(data)?.to_vec())) }
}

/// Receives a list of configurations.
pub struct ConfigurationCollector {
    list: Option<Vec<Configuration>>,
}

impl ConfigurationCollector {
    /// An empty one.
    pub fn new() -> Self {
        ConfigurationCollector { list: None }
    }

    /// The sink for the call; it must not outlive `self`.
    pub fn sink(&mut self) -> GwcConfigurationSink {
        GwcConfigurationSink {
            ctx: ptr::from_mut(self).cast(),
            put: Some(put_configurations),
        }
    }

    /// The list, or `None` if none, or no readable one, was put.
    pub fn take(self) -> Option<Vec<Configuration>> {
        self.list
    }
}

unsafe extern "C" fn put_configurations(ctx: *mut c_void, list: *const GwcConfigurationList) {
    // SAFETY: ctx is our sink's; the list is the host's, valid for the call.
    unsafe {
        if let Some(collector) = ctx.cast::<ConfigurationCollector>().as_mut() {
            collector.list = read_configurations(list).ok();
        }
    }
}

/// # Safety
/// `list` is null or a list of the contract, valid for the call.
unsafe fn read_configurations(
    list: *const GwcConfigurationList,
) -> Result<Vec<Configuration>, Misuse> {
    // SAFETY: as the caller promises.
    let list = unsafe { table::read(list) }?;
    let stride = list.item_size as usize;
    let count = usize::try_from(list.count).unwrap_or(usize::MAX);
    if count == 0 {
        return Ok(Vec::new());
    }
    if count > MAX_ENTRIES
        || list.items.is_null()
        || !table::STRIDES.contains(&stride)
        || !stride.is_multiple_of(std::mem::align_of::<GwcConfigurationItem>())
    {
        return Err(Misuse(
            "gwc_configuration_list: count, items or item_size".into(),
        ));
    }
    let mut configurations = Vec::with_capacity(count);
    for index in 0..count {
        // SAFETY: the host placed `count` items `stride` bytes apart.
        let item = unsafe {
            let item = list.items.cast::<u8>().add(index * stride);
            table::read(item.cast::<GwcConfigurationItem>())
        }?;
        if item.struct_size as usize > stride {
            return Err(Misuse("gwc_configuration_item: struct_size".into()));
        }
        // SAFETY: the item's texts and properties belong to the list.
        let (pid, factory_pid, mut properties) = unsafe {
            (
                text::text(item.pid)?.to_owned(),
                text::text(item.factory_pid)?,
                properties::read(item.properties)?,
            )
        };
        if !factory_pid.is_empty() {
            properties
                .entry(FACTORY_PID.to_owned())
                .or_insert_with(|| factory_pid.into());
        }
        configurations.push(Configuration { pid, properties });
    }
    Ok(configurations)
}
