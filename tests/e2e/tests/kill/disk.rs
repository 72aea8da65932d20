//! A model of a disk that may lose its power at any moment.
//!
//! It promises as little as POSIX does. What was written to a file is on the disk once the *file*
//! was synced; until then any part of it may be: nothing, all, all up to a sector of 512 bytes, or
//! the new length with zeros in it. A name that was made, replaced or removed is so on the disk
//! once the *folder* was synced; until then each of these changes may be there without the others.
//!
//! [`Disk::after_a_loss_of_power`] gives the trees that may be found when the power comes back,
//! bounded: of the changes of names none, all, each one alone and all but each one; of unsynced
//! files all lost or all there, and each torn in each way.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use crate::trace::{Call, Operation};

const SECTOR: usize = 512;

/// What is in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Content {
    /// These bytes.
    Bytes(Arc<Vec<u8>>),
    /// The library of the plugin, large and never changed.
    Library,
}

/// A tree of files (and folders: `None`), by path relative to the gateway's folder.
pub type Tree = BTreeMap<String, Option<Content>>;

/// The disk.
#[derive(Clone, Debug)]
pub struct Disk {
    nodes: Vec<Node>,
    /// Numbers the changes of names.
    serial: usize,
}

#[derive(Clone, Debug)]
enum Node {
    Folder {
        /// On the disk.
        safe: BTreeMap<String, usize>,
        /// Since the folder was synced.
        changes: Vec<Change>,
    },
    File {
        /// On the disk.
        safe: Content,
        /// Since the file was synced.
        writes: Vec<Write>,
    },
}

#[derive(Clone, Debug)]
struct Change {
    serial: usize,
    /// The name that goes.
    gone: Option<String>,
    /// The name that comes, and what it is of.
    come: Option<(String, usize)>,
}

#[derive(Clone, Debug)]
enum Write {
    Data { offset: usize, data: Vec<u8> },
    Length(usize),
}

/// What became of the unsynced writes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Lost,
    Whole,
    /// The last one only up to there.
    Torn(usize),
    /// The length only.
    Zeros,
}

const ROOT: usize = 0;

impl Disk {
    /// A disk on which everything in the folder is safe.
    pub fn of(folder: &Path) -> Disk {
        let mut disk = Disk {
            nodes: vec![Node::Folder {
                safe: BTreeMap::new(),
                changes: Vec::new(),
            }],
            serial: 0,
        };
        disk.load(ROOT, folder);
        disk
    }

    fn load(&mut self, into: usize, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let node = if path.is_dir() {
                let node = self.add(Node::Folder {
                    safe: BTreeMap::new(),
                    changes: Vec::new(),
                });
                self.load(node, &path);
                node
            } else {
                self.add(Node::File {
                    safe: content(&path),
                    writes: Vec::new(),
                })
            };
            if let Node::Folder { safe, .. } = &mut self.nodes[into] {
                safe.insert(name, node);
            }
        }
    }

    fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// The tree as the running process sees it.
    pub fn now(&self) -> Tree {
        self.tree(&|_| true, &|_| Fate::Whole)
    }

    /// Does one operation.
    pub fn apply(&mut self, operation: &Operation) {
        let path = operation.path.as_str();
        match &operation.call {
            Call::Open { truncate } => {
                let node = self.find(path).unwrap_or_else(|| {
                    let empty = Content::Bytes(Arc::default());
                    let node = self.add(Node::File {
                        safe: empty,
                        writes: Vec::new(),
                    });
                    self.change(path, None, Some(node));
                    node
                });
                if *truncate {
                    self.write(node, Write::Length(0));
                }
            }
            Call::Write { offset, data } => {
                let (offset, data) = (*offset, data.clone());
                // A file without a name is nobody's after a restart.
                if let Some(node) = self.find(path) {
                    self.write(node, Write::Data { offset, data });
                }
            }
            Call::Length(length) => {
                if let Some(node) = self.find(path) {
                    self.write(node, Write::Length(*length));
                }
            }
            Call::Sync => {
                if let Some(node) = self.find(path) {
                    self.sync(node);
                }
            }
            Call::Rename { from } => {
                let node = self.find(from).unwrap();
                if parent(from) == parent(path) {
                    self.change(path, Some(from), Some(node));
                } else {
                    self.change(path, None, Some(node));
                    self.change(from, Some(from), None);
                }
            }
            Call::Link { from } => {
                let node = self.find(from).unwrap();
                self.change(path, None, Some(node));
            }
            Call::Remove => self.change(path, Some(path), None),
            Call::Folder => {
                let node = self.add(Node::Folder {
                    safe: BTreeMap::new(),
                    changes: Vec::new(),
                });
                self.change(path, None, Some(node));
            }
        }
    }

    fn find(&self, path: &str) -> Option<usize> {
        let parts = path.split('/').filter(|part| !part.is_empty());
        let mut node = ROOT;
        for part in parts {
            let Node::Folder { safe, changes } = &self.nodes[node] else {
                return None;
            };
            node = *entries(safe, changes, &|_| true).get(part)?;
        }
        Some(node)
    }

    fn change(&mut self, path: &str, gone: Option<&str>, come: Option<usize>) {
        let folder = self.find(parent(path)).expect("the folder of a file");
        self.serial += 1;
        let serial = self.serial;
        if let Node::Folder { changes, .. } = &mut self.nodes[folder] {
            changes.push(Change {
                serial,
                gone: gone.map(|path| name(path).to_owned()),
                come: come.map(|node| (name(path).to_owned(), node)),
            });
        }
    }

    fn write(&mut self, node: usize, write: Write) {
        if let Node::File { writes, .. } = &mut self.nodes[node] {
            writes.push(write);
        }
    }

    fn sync(&mut self, node: usize) {
        match &mut self.nodes[node] {
            Node::Folder { safe, changes } => {
                *safe = entries(safe, changes, &|_| true);
                changes.clear();
            }
            Node::File { safe, writes } => {
                *safe = written(safe, writes, Fate::Whole);
                writes.clear();
            }
        }
    }

    /// The trees that may be found after a loss of power now.
    pub fn after_a_loss_of_power(&self) -> BTreeSet<Tree> {
        let mut names = Vec::new();
        let mut files = Vec::new();
        for (at, node) in self.nodes.iter().enumerate() {
            match node {
                Node::Folder { changes, .. } => names.extend(changes.iter().map(|c| c.serial)),
                Node::File { writes, .. } if !writes.is_empty() => files.push(at),
                Node::File { .. } => {}
            }
        }
        let mut found = BTreeSet::new();
        for lost in [Fate::Lost, Fate::Whole] {
            found.insert(self.tree(&|_| false, &|_| lost));
            found.insert(self.tree(&|_| true, &|_| lost));
            for one in &names {
                found.insert(self.tree(&|serial| serial == *one, &|_| lost));
                found.insert(self.tree(&|serial| serial != *one, &|_| lost));
            }
        }
        for file in files {
            for fate in self.fates(file) {
                let of = |node| if node == file { fate } else { Fate::Whole };
                found.insert(self.tree(&|_| true, &of));
                found.insert(self.tree(&|_| false, &of));
            }
        }
        found
    }

    /// How a file may be torn.
    fn fates(&self, file: usize) -> Vec<Fate> {
        let Node::File { writes, .. } = &self.nodes[file] else {
            return Vec::new();
        };
        let mut fates = vec![Fate::Zeros];
        if let Some(Write::Data { offset, data }) = writes.last() {
            let first = SECTOR - offset % SECTOR;
            let sectors = (first..data.len()).step_by(SECTOR);
            fates.extend(sectors.map(Fate::Torn));
            // Not every disk has sectors of that size.
            fates.extend([1, data.len() / 2, data.len().saturating_sub(1)].map(Fate::Torn));
        }
        fates
    }

    fn tree(&self, has: &dyn Fn(usize) -> bool, fate: &dyn Fn(usize) -> Fate) -> Tree {
        let mut tree = Tree::new();
        self.walk(ROOT, "", has, fate, &mut tree);
        tree
    }

    fn walk(
        &self,
        node: usize,
        path: &str,
        has: &dyn Fn(usize) -> bool,
        fate: &dyn Fn(usize) -> Fate,
        into: &mut Tree,
    ) {
        let Node::Folder { safe, changes } = &self.nodes[node] else {
            return;
        };
        for (name, child) in entries(safe, changes, has) {
            let path = match path {
                "" => name,
                path => format!("{path}/{name}"),
            };
            match &self.nodes[child] {
                Node::Folder { .. } => {
                    into.insert(path.clone(), None);
                    self.walk(child, &path, has, fate, into);
                }
                Node::File { safe, writes } => {
                    into.insert(path, Some(written(safe, writes, fate(child))));
                }
            }
        }
    }
}

fn entries(
    safe: &BTreeMap<String, usize>,
    changes: &[Change],
    has: &dyn Fn(usize) -> bool,
) -> BTreeMap<String, usize> {
    let mut entries = safe.clone();
    for change in changes.iter().filter(|change| has(change.serial)) {
        if let Some(gone) = &change.gone {
            entries.remove(gone);
        }
        if let Some((name, node)) = &change.come {
            entries.insert(name.clone(), *node);
        }
    }
    entries
}

fn written(safe: &Content, writes: &[Write], fate: Fate) -> Content {
    let Content::Bytes(safe) = safe else {
        assert!(writes.is_empty(), "a library is changed in place");
        return Content::Library;
    };
    if writes.is_empty() || fate == Fate::Lost {
        return Content::Bytes(safe.clone());
    }
    let mut bytes = Vec::clone(safe);
    let kept = bytes.len();
    for (at, write) in writes.iter().enumerate() {
        match write {
            Write::Length(length) => bytes.resize(*length, 0),
            Write::Data { offset, data } => {
                let end = match fate {
                    Fate::Torn(end) if at + 1 == writes.len() => end.min(data.len()),
                    _ => data.len(),
                };
                if bytes.len() < offset + end {
                    bytes.resize(offset + end, 0);
                }
                bytes[*offset..offset + end].copy_from_slice(&data[..end]);
            }
        }
    }
    if fate == Fate::Zeros {
        let from = kept.min(bytes.len());
        bytes[from..].fill(0);
    }
    Content::Bytes(Arc::new(bytes))
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

fn content(path: &Path) -> Content {
    match path.ends_with("libprovisioning_service.so") {
        true => Content::Library,
        false => Content::Bytes(Arc::new(fs::read(path).unwrap())),
    }
}

/// Puts a tree into a folder, in the place of what is there. The library is linked.
pub fn put(tree: &Tree, folder: &Path, library: &Path) -> io::Result<()> {
    fs::remove_dir_all(folder)?;
    fs::DirBuilder::new().mode(0o700).create(folder)?;
    for (path, content) in tree {
        let path = folder.join(path);
        match content {
            None => fs::DirBuilder::new().mode(0o700).create(path)?,
            Some(Content::Library) => fs::hard_link(library, path)?,
            Some(Content::Bytes(bytes)) => {
                let mut file = fs::OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(path)?;
                io::Write::write_all(&mut file, bytes)?;
            }
        }
    }
    Ok(())
}

#[test]
fn a_replaced_file_is_old_or_new_and_without_its_sync_anything() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a"), "old").unwrap();
    let run = |synced: bool| {
        let mut disk = Disk::of(dir.path());
        let mut seen = BTreeSet::new();
        let mut operations = vec![
            (Call::Open { truncate: false }, ".a.tmp"),
            (
                Call::Write {
                    offset: 0,
                    data: vec![b'n'; 1200],
                },
                ".a.tmp",
            ),
            (
                Call::Rename {
                    from: ".a.tmp".into(),
                },
                "a",
            ),
        ];
        if synced {
            operations.insert(2, (Call::Sync, ".a.tmp"));
            operations.push((Call::Sync, ""));
        }
        for (call, path) in operations {
            disk.apply(&Operation {
                call,
                path: path.to_owned(),
            });
            for tree in disk.after_a_loss_of_power() {
                match &tree["a"] {
                    Some(Content::Bytes(bytes)) => seen.insert(bytes.len()),
                    other => panic!("{other:?}"),
                };
            }
        }
        assert_eq!(disk.now().keys().collect::<Vec<_>>(), ["a"]);
        seen
    };
    assert_eq!(run(true), BTreeSet::from([3, 1200]));
    let unsynced = BTreeSet::from([0, 1, 3, 512, 600, 1024, 1199, 1200]);
    assert_eq!(run(false), unsynced);
}
