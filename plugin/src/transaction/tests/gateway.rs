//! A host in memory, whose keystores are all that it keeps, and the disk beneath the journal.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use durable_file::Appender;
use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::status;
use gateway_component_abi::value::{Properties, Secret};

use crate::host::{Configuration, Connection, EntryKind, Host, HostResult, KeystoreEntry};
use crate::settings::Identity;
use crate::transaction::journal::{replay, Log, OpenLog, Summary};
use crate::transaction::{Engine, Item};

/// The keystore of all entries.
pub const KEYSTORE: &str = "SSLKeystore";
/// An entry of each kind that is there from the beginning.
pub const KEY: &str = "device";
pub const ROOT: &str = "root";
/// The alias of a certificate that comes with the transaction.
pub const ABSENT: &str = "absent";

/// An entry of somebody else.
pub const THEIRS: &str = "theirs";

type Entries = BTreeMap<String, (bool, String)>;
type Watch = Box<dyn FnMut(&str) + Send>;

/// The host.
pub struct Gateway {
    folder: tempfile::TempDir,
    /// By alias: whether it is a key, and its PEM.
    entries: Mutex<Entries>,
    /// What was changed, in order.
    pub calls: Mutex<Vec<String>>,
    /// Called before each change.
    pub watch: Mutex<Option<Watch>>,
    /// How it refuses whatever is to be set.
    pub refuses: Mutex<Option<CallError>>,
    /// What it says to the next package.
    pub package: Mutex<HostResult<Vec<Vec<u8>>>>,
}

impl Gateway {
    pub fn new() -> Arc<Gateway> {
        let old = |key: bool| (key, format!("old {key}"));
        Arc::new(Gateway {
            folder: tempfile::tempdir().unwrap(),
            entries: Mutex::new(Entries::from([
                (KEY.to_owned(), old(true)),
                (ROOT.to_owned(), old(false)),
            ])),
            calls: Mutex::default(),
            watch: Mutex::default(),
            refuses: Mutex::default(),
            package: Mutex::new(Ok(Vec::new())),
        })
    }

    pub fn engine(self: &Arc<Self>) -> Engine {
        Engine::open(self.clone(), "prov").unwrap()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap()
    }

    /// Somebody else changes an entry.
    pub fn replace(&self, alias: &str, key: bool, pem: &str) {
        self.entries()
            .insert(alias.to_owned(), (key, pem.to_owned()));
    }

    /// What the journal says to whoever reads it now.
    pub fn journal(&self) -> Summary {
        journal(self.folder.path())
    }

    fn change(&self, what: String) {
        if let Some(watch) = &mut *self.watch.lock().unwrap() {
            watch(&what);
        }
        self.calls.lock().unwrap().push(what);
    }

    fn set(&self, alias: &str, key: bool, pem: &str) -> HostResult<()> {
        self.change(format!("{alias}={pem}"));
        if let Some(error) = &*self.refuses.lock().unwrap() {
            return Err(error.clone());
        }
        let before = self.entries().get(alias).map(|(key, _)| *key);
        match (before, key) {
            (None, true) => Err(CallError::new(status::E_NOT_FOUND, "", "no such key")),
            (Some(false), true) => Err(CallError::new(status::E_NOT_FOUND, "", "it is no key")),
            (Some(true), false) => Err(CallError::new(status::E_CONFLICT, "", "in the way")),
            (Some(true), true) if self.entries()[alias].1 == THEIRS => {
                Err(CallError::new(status::E_INVALID, "", "of another key"))
            }
            _ => {
                self.entries()
                    .insert(alias.to_owned(), (key, pem.to_owned()));
                Ok(())
            }
        }
    }
}

fn journal(folder: &Path) -> Summary {
    let content = std::fs::read(folder.join("journal.jsonl")).unwrap();
    replay(&content).unwrap().0
}

/// An attempt with two certificates and a chain, up to the commit request.
pub fn staged(engine: &mut Engine, transaction: &str) {
    count(engine, 1, transaction);
    for alias in [ROOT, ABSENT] {
        engine
            .stage(Item::Certificate {
                keystore: KEYSTORE.into(),
                alias: alias.into(),
                pem: "new false".into(),
            })
            .unwrap();
    }
    engine
        .stage(Item::Chain {
            keystore: KEYSTORE.into(),
            alias: KEY.into(),
            pem: "new true".into(),
        })
        .unwrap();
}

/// The same, with everything applied.
pub fn applied(engine: &mut Engine, transaction: &str) {
    staged(engine, transaction);
    engine.seal("", false, "", &[]).unwrap();
    while !engine.apply_next().unwrap() {}
}

pub fn count(engine: &mut Engine, n: u32, transaction: &str) {
    let identity = Identity {
        client_id: "gw-1".into(),
        username: "gw-1".into(),
        mac: None,
        serial: None,
        model: None,
    };
    engine.count(n, transaction, &identity, "p", 5).unwrap();
}

/// The disk of the journal. While it fails, what is appended arrives all the same, as it does where
/// only the waiting for it fails; and nothing can be opened.
#[derive(Clone, Default)]
pub struct Disk(Arc<AtomicBool>);

struct Failing {
    disk: Disk,
    file: Appender,
}

impl Disk {
    /// Lies beneath the journal of `engine` from now on.
    pub fn under(engine: &mut Engine) -> Disk {
        let disk = Disk::default();
        let own = disk.clone();
        let open: OpenLog = Box::new(move |path, length| {
            own.works()?;
            Ok(Box::new(Failing {
                disk: own.clone(),
                file: Appender::open(path, length)?,
            }))
        });
        engine.journal.open = open;
        engine.journal.log = None;
        engine.journal.settle().unwrap();
        disk
    }

    pub fn fails(&self, fails: bool) {
        self.0.store(fails, Ordering::SeqCst);
    }

    fn works(&self) -> io::Result<()> {
        match self.0.load(Ordering::SeqCst) {
            true => Err(io::Error::from_raw_os_error(5)),
            false => Ok(()),
        }
    }
}

impl Log for Failing {
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        Appender::append(&mut self.file, lines)?;
        self.disk.works()
    }
}

impl Host for Gateway {
    fn missing(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn storage_folder(&self) -> HostResult<PathBuf> {
        Ok(self.folder.path().to_owned())
    }

    fn configurations(&self, _: &str, _: bool) -> HostResult<Vec<Configuration>> {
        Ok(Vec::new())
    }

    fn update_own(&self, _: &Properties) -> HostResult<()> {
        Ok(())
    }

    fn validate(&self, _: &[Configuration], _: &[&[u8]]) -> HostResult<()> {
        Ok(())
    }

    fn capture(&self, _: &[&str]) -> HostResult<Vec<u8>> {
        Ok(Vec::new())
    }

    fn apply(&self, _: &str, _: &[Configuration]) -> HostResult<()> {
        Ok(())
    }

    fn restore(&self, _: &str, _: &[u8]) -> HostResult<()> {
        Ok(())
    }

    fn keystore(&self, _: &str) -> HostResult<Vec<KeystoreEntry>> {
        let entries = self.entries();
        let entries = entries.iter().map(|(alias, (key, pem))| KeystoreEntry {
            kind: match key {
                true => EntryKind::PrivateKey,
                false => EntryKind::TrustedCertificate,
            },
            alias: alias.clone(),
            pem: pem.clone(),
        });
        Ok(entries.collect())
    }

    fn put_certificate(&self, _: &str, _: &str, alias: &str, pem: &str) -> HostResult<()> {
        self.set(alias, false, pem)
    }

    fn remove_entry(&self, _: &str, _: &str, alias: &str) -> HostResult<()> {
        self.change(format!("remove {alias}"));
        self.entries().remove(alias);
        Ok(())
    }

    fn create_key(&self, _: &str, _: &str, alias: &str, _: &str, _: u32) -> HostResult<()> {
        self.change(format!("create {alias}"));
        let new = || (true, String::new());
        self.entries().entry(alias.to_owned()).or_insert_with(new);
        Ok(())
    }

    fn csr(&self, _: &str, _: &str, _: &str, _: &str) -> HostResult<String> {
        Ok(String::new())
    }

    fn put_chain(&self, _: &str, _: &str, alias: &str, pem: &str) -> HostResult<()> {
        self.set(alias, true, pem)
    }

    fn private_key(&self, _: &str, _: &str) -> HostResult<Secret> {
        Ok(Secret::default())
    }

    fn system(&self, _: &str) -> HostResult<Option<String>> {
        Ok(None)
    }

    fn connection(&self) -> HostResult<Option<Connection>> {
        Ok(None)
    }

    fn disconnect(&self) -> HostResult<()> {
        Ok(())
    }

    fn connect(&self, _: &str) -> HostResult<()> {
        Ok(())
    }

    fn release(&self) -> HostResult<()> {
        Ok(())
    }

    fn encrypt(&self, _: &[u8], _: &mut dyn FnMut(&[u8])) -> HostResult<bool> {
        Ok(false)
    }

    fn decrypt(&self, sealed: &[u8]) -> HostResult<Vec<u8>> {
        Ok(sealed.to_vec())
    }

    fn installs_packages(&self) -> bool {
        true
    }

    fn install_package(&self, _: &str, name: &str, _: &str, _: &str) -> HostResult<()> {
        self.change(format!("install {name}"));
        Ok(())
    }

    fn inspect_package(&self, _: &str, _: &str, _: &str) -> HostResult<Vec<Vec<u8>>> {
        self.package.lock().unwrap().clone()
    }

    fn revert_package(&self, _: &str) -> HostResult<()> {
        Ok(())
    }

    fn settle_package(&self, _: &str) -> HostResult<()> {
        Ok(())
    }

    fn post(&self, _: &str, _: &str) -> HostResult<()> {
        Ok(())
    }
}
