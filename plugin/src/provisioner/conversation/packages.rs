//! Packages within a conversation: downloads one after the other, and what has to wait for them.
//!
//! A download is answered at once, and told about in notifications until it is staged or has failed.
//! It holds its place in the manifest from the request on. A configuration that arrives meanwhile
//! may be for a component that is still under way: it waits, in its place, and is looked at with
//! the metatypes of everything that has come. Nothing is downloaded in here.

use std::collections::VecDeque;

use serde::Serialize;

use super::{publish, too_large, unexpected, AtHand, Conversation, Decision, PLACE};
use crate::diagnosis::{Code, Fault};
use crate::protocol::{self, Download, DownloadState, Slot};
use crate::provisioner::inputs::Arrived;
use crate::provisioner::outputs::Output;
use crate::provisioner::steps::Step;
use crate::transaction::Item;

/// Packages of one attempt.
const PACKAGES: usize = 9;
/// Downloads that are begun in one attempt, failed ones included.
const DOWNLOADS: usize = 64;
/// Configurations that wait for a download.
const HELD: usize = 16;

/// How a package stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PackageState {
    /// Asked for; another one is being downloaded.
    Queued,
    /// On its way.
    Downloading,
    /// Here, and looked into by the host.
    Staged,
    /// It will not come.
    Failed,
}

/// One package, as a person sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PackageLine {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// How it stands.
    pub state: PackageState,
    /// Bytes so far.
    pub received: u64,
    /// Bytes of the whole, once known.
    pub size: Option<u64>,
}

/// The packages of one attempt.
#[derive(Default)]
pub(super) struct Packages {
    entries: Vec<Entry>,
    held: VecDeque<Held>,
}

struct Entry {
    download: Download,
    requester: String,
    slot: Slot,
    state: PackageState,
    received: u64,
    size: Option<u64>,
    arrived: Option<Arrived>,
    /// So many tenths, or mebibytes where the size is not known, were told.
    told: u64,
}

struct Held {
    at_hand: AtHand,
    item: Item,
}

impl Entry {
    fn is_open(&self) -> bool {
        matches!(self.state, PackageState::Queued | PackageState::Downloading)
    }

    fn title(&self) -> String {
        format!("{} {}", self.download.name, self.download.version)
    }
}

impl Packages {
    /// Whether something is still to come.
    pub(super) fn is_busy(&self) -> bool {
        self.entries.iter().any(Entry::is_open)
    }

    /// What waits, of [`super::KEPT`].
    pub(super) fn weight(&self) -> usize {
        let each = |held: &Held| held.at_hand.weight + PLACE;
        self.held.iter().map(each).sum()
    }

    fn running(&mut self, n: usize) -> Option<&mut Entry> {
        self.entries
            .get_mut(n)
            .filter(|entry| entry.state == PackageState::Downloading)
    }

    /// The deadline came in the middle of a download.
    pub(super) fn overdue(&self) -> Option<Fault> {
        let entry = self.entries.iter().find(|entry| entry.is_open())?;
        let of = entry.size.map_or_else(
            || "an unknown number of".to_owned(),
            |size| size.to_string(),
        );
        Some(Fault::new(
            Code::PackageUnavailable,
            format!(
                "package {} had not come when the time of the attempt ran out: {} of {of} bytes",
                entry.title(),
                entry.received
            ),
        ))
    }

    fn lines(&self) -> Vec<PackageLine> {
        self.entries
            .iter()
            .map(|entry| PackageLine {
                name: entry.download.name.clone(),
                version: entry.download.version.clone(),
                state: entry.state,
                received: entry.received,
                size: entry.size,
            })
            .collect()
    }

    /// `heater 1.0: 1.2 of 3.4 MB, 1 of 2 packages`.
    fn detail(&self) -> String {
        let wanted = self
            .entries
            .iter()
            .filter(|entry| entry.state != PackageState::Failed)
            .count();
        let staged = self
            .entries
            .iter()
            .filter(|entry| entry.state == PackageState::Staged)
            .count();
        let here = format!("{staged} of {wanted} received");
        let running = self
            .entries
            .iter()
            .find(|entry| entry.state == PackageState::Downloading);
        match running {
            None => here,
            Some(entry) => {
                let of = entry.size.map(|size| format!(" of {}", megabytes(size)));
                format!(
                    "{here}; {}: {}{} MB",
                    entry.title(),
                    megabytes(entry.received),
                    of.unwrap_or_default()
                )
            }
        }
    }
}

/// With one digit, as a person reads it.
fn megabytes(bytes: u64) -> String {
    let tenths = bytes.saturating_add(50_000) / 100_000;
    format!("{}.{}", tenths / 10, tenths % 10)
}

impl Conversation {
    pub(super) fn take_download(&mut self, download: Download) -> Vec<Decision> {
        if !self.installs_packages {
            let lacks = Fault::new(Code::HostUnsupported, "the host offers no gwc.packages/1");
            let fault = Fault::new(
                Code::PackageFailed,
                format!(
                    "package {} {}: this gateway installs no packages",
                    download.name, download.version
                ),
            );
            return self.refuse(fault.because_of(&lacks), true);
        }
        let failed = |entry: &&Entry| entry.state != PackageState::Failed;
        let wanted = self.packages.entries.iter().filter(failed).count();
        if wanted >= PACKAGES || self.packages.entries.len() >= DOWNLOADS {
            return self.refuse(
                unexpected(&format!(
                    "at most {PACKAGES} packages are taken in one provisioning"
                )),
                true,
            );
        }
        let mut others = self.packages.entries.iter().filter(failed);
        if others.any(|entry| entry.download.name == download.name) {
            return self.refuse(
                unexpected(&format!("package {} was asked for already", download.name)),
                true,
            );
        }
        let Some(at_hand) = &self.at_hand else {
            return Vec::new();
        };
        let (requester, wall_ms) = (at_hand.request.ids.requester.clone(), at_hand.wall_ms);
        let slot = self.manifest.reserve(protocol::Item::Download {
            name: download.name.clone(),
            version: download.version.clone(),
        });
        self.packages.entries.push(Entry {
            download,
            requester,
            slot,
            state: PackageState::Queued,
            received: 0,
            size: None,
            arrived: None,
            told: 0,
        });
        let mut decisions = self.accept(None);
        decisions.extend(self.go_on(wall_ms));
        decisions
    }

    /// A configuration while a download is under way.
    pub(super) fn hold(&mut self, item: Item, entry: &protocol::Item) -> Vec<Decision> {
        if !self.has_room() {
            return self.refuse(too_large(), true);
        }
        if self.packages.held.len() >= HELD {
            let fault = Fault::new(
                Code::ProtocolTooLarge,
                "too many configurations wait for the packages under way",
            );
            return self.refuse(fault, true);
        }
        let Some(mut at_hand) = self.at_hand.take() else {
            return Vec::new();
        };
        at_hand.slot = Some(self.manifest.reserve(entry.clone()));
        self.packages.held.push_back(Held { at_hand, item });
        Vec::new()
    }

    /// The next download, or what waited for the last one.
    fn go_on(&mut self, wall_ms: i64) -> Vec<Decision> {
        let mut decisions = Vec::new();
        let entries = &mut self.packages.entries;
        let running = |entry: &Entry| entry.state == PackageState::Downloading;
        if !entries.iter().any(running) {
            let next = entries
                .iter_mut()
                .enumerate()
                .find(|(_, entry)| entry.state == PackageState::Queued);
            if let Some((n, entry)) = next {
                entry.state = PackageState::Downloading;
                let download = Box::new(entry.download.clone());
                decisions.extend(self.notify(n, None, wall_ms));
                decisions.push(Decision::Do(Output::Download { n, download }));
            }
        }
        decisions.extend(self.told());
        decisions.extend(self.release());
        decisions
    }

    /// What waited for the packages, one after the other.
    pub(super) fn release(&mut self) -> Vec<Decision> {
        if self.packages.is_busy() || self.at_hand.is_some() {
            return Vec::new();
        }
        let Some(held) = self.packages.held.pop_front() else {
            return Vec::new();
        };
        self.at_hand = Some(held.at_hand);
        self.configurations += 1;
        vec![Decision::Do(Output::Stage(held.item))]
    }

    /// More of the download `n` is here.
    pub fn progressed(
        &mut self,
        n: usize,
        received: u64,
        size: Option<u64>,
        wall_ms: i64,
    ) -> Vec<Decision> {
        let Some(entry) = self.packages.running(n) else {
            return Vec::new();
        };
        (entry.received, entry.size) = (received, size);
        let reached = match size {
            Some(size) => received.saturating_mul(10) / size.max(1),
            None => received >> 20,
        };
        // All of it is told once it is looked into.
        let tell = reached > entry.told && size != Some(received);
        entry.told = entry.told.max(reached);
        let mut decisions = Vec::new();
        if tell {
            decisions.extend(self.notify(n, None, wall_ms));
        }
        decisions.extend(self.told());
        decisions
    }

    /// The download `n` is over.
    pub fn downloaded(
        &mut self,
        n: usize,
        result: Result<Arrived, Fault>,
        wall_ms: i64,
    ) -> Vec<Decision> {
        let Some(entry) = self.packages.running(n) else {
            return Vec::new();
        };
        match result {
            Ok(arrived) => {
                (entry.received, entry.size) = (arrived.length, Some(arrived.length));
                let stage = Output::StagePackage {
                    n,
                    name: entry.download.name.clone(),
                    version: entry.download.version.clone(),
                    path: arrived.path.clone(),
                };
                entry.arrived = Some(arrived);
                vec![Decision::Do(stage)]
            }
            Err(fault) => self.over(n, Err(fault), wall_ms),
        }
    }

    /// The host has looked into the package `n`.
    pub fn package_staged(
        &mut self,
        n: usize,
        result: Result<(), Fault>,
        wall_ms: i64,
    ) -> Vec<Decision> {
        self.over(n, result, wall_ms)
    }

    fn over(&mut self, n: usize, result: Result<(), Fault>, wall_ms: i64) -> Vec<Decision> {
        let Some(entry) = self.packages.running(n) else {
            return Vec::new();
        };
        let state = match (result, &entry.arrived) {
            (Ok(()), Some(arrived)) => {
                entry.state = PackageState::Staged;
                self.manifest
                    .fill(entry.slot, arrived.sha256, arrived.length);
                DownloadState::Completed {
                    size: arrived.length,
                }
            }
            (Ok(()), None) => return Vec::new(),
            (Err(fault), _) => {
                entry.state = PackageState::Failed;
                self.manifest.withdraw(entry.slot);
                log::debug!("package {}: {fault}", entry.title());
                self.last_refusal = Some(fault.clone());
                DownloadState::Failed(fault)
            }
        };
        let mut decisions: Vec<Decision> =
            self.notify(n, Some(state), wall_ms).into_iter().collect();
        decisions.extend(self.go_on(wall_ms));
        decisions
    }

    /// What the requester of `n` is told; `None` is how far it has come.
    fn notify(&self, n: usize, state: Option<DownloadState>, wall_ms: i64) -> Option<Decision> {
        let entry = self.packages.entries.get(n)?;
        let state = state.unwrap_or_else(|| {
            let size = entry.size.unwrap_or(0);
            let percent = entry.received.saturating_mul(100) / size.max(1);
            DownloadState::InProgress {
                size,
                progress: match size {
                    0 => 0,
                    _ => u8::try_from(percent.min(99)).unwrap_or(99),
                },
            }
        });
        let download = &entry.download;
        self.replies
            .download(&entry.requester, download, &state, wall_ms)
            .ok()
            .map(publish)
    }

    /// What a person sees.
    fn told(&self) -> [Decision; 2] {
        [
            Decision::Step(Step::Packages, self.packages.detail()),
            Decision::Packages(self.packages.lines()),
        ]
    }
}
