//! What must be true of a gateway after what was done to it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use ::gateway::record::{self, Content};
use e2e::site::PID;
use e2e::Site;
use gateway_component_abi::value::Secret;
use gateway_host_sdk::crypto::Crypto;
use kura_formats::configurations::{self, XmlLimits};
use provision_platform::platform::Platform;
use provision_platform::store::JobState;

use crate::bench::{Gateway, Kept, PASSWORD};
use crate::gateway::Ended;
use crate::points::in_parallel;

/// Everything that a transaction may change, by name.
pub type World = BTreeMap<String, Vec<u8>>;

/// What was not as it must be.
#[derive(Default)]
pub struct Failures(Mutex<Vec<String>>);

impl Failures {
    /// Keeps a failure.
    pub fn note(&self, point: &impl Display, result: Result<(), String>) {
        if let Err(what) = result {
            let text = format!("{point}: {what}");
            println!("FAILED: {text}");
            self.0.lock().unwrap().push(text);
        }
    }

    /// Fails the test if there are any.
    pub fn none(self) {
        let all = self.0.into_inner().unwrap();
        assert!(
            all.is_empty(),
            "{} failures:\n{}",
            all.len(),
            all.join("\n")
        );
    }
}

fn must(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    holds.then_some(()).ok_or_else(what)
}

/// The gateway ended successfully, the platform completed one job once, and nothing is left over.
pub fn exactly_once(platform: &Platform, gateway: &Gateway, ended: &Ended) -> Result<(), String> {
    let said = || format!("outcome {}\n{}", ended.outcome, ended.said);
    must(ended.code() == Some(0), || {
        format!("exit code {:?}; {}", ended.code(), said())
    })?;
    let outcome = &ended.outcome;
    must(
        outcome["provisioned"] == true
            && outcome["enabled"] == false
            && outcome["connected"] == true
            && outcome["account"] == "acme",
        said,
    )?;
    platform
        .wait_for(
            gateway.request,
            JobState::Completed,
            Duration::from_secs(20),
        )
        .map_err(|e| e.to_string())?;
    let store = platform.store();
    let jobs = store.jobs(gateway.request).map_err(|e| e.to_string())?;
    let mut completed = 0;
    for job in &jobs {
        let states = store.states(job.id).map_err(|e| e.to_string())?;
        completed += states.iter().filter(|s| **s == JobState::Completed).count();
    }
    drop(store);
    must(completed == 1, || {
        format!("{completed} completions in the jobs {jobs:?}")
    })?;
    once_in_the_record(gateway)?;
    no_claim_secret(&gateway.site)?;
    tidy(&gateway.site.data())?;
    free(&gateway.site.data())
}

/// One line more of the provisioning record says that it went well, and which chain was received.
fn once_in_the_record(gateway: &Gateway) -> Result<(), String> {
    let folder = component_folder(&gateway.site)?;
    let record = Content::of(&folder).map_err(|(path, e)| format!("{}: {e}", path.display()))?;
    let entries = record::read(&record).map_err(|e| e.to_string())?.entries;
    let successes = entries
        .iter()
        .filter(|line| line["outcome"] == "ok" && line["chain"] != serde_json::json!([]))
        .count();
    must(successes == gateway.before + 1, || {
        format!(
            "{successes} successes, {} before, in the record: {:#?}",
            gateway.before,
            entries.iter().rev().take(5).collect::<Vec<_>>(),
        )
    })
}

/// No snapshot, decrypted, holds a claim secret any more.
fn no_claim_secret(site: &Site) -> Result<(), String> {
    let crypto = Crypto::open(&site.data()).map_err(|e| e.to_string())?;
    let folder = site.data().join("snapshots");
    for entry in fs::read_dir(folder).map_err(|e| e.to_string())? {
        let path = entry.map_err(|e| e.to_string())?.path();
        if path.extension().is_none_or(|extension| extension != "xml") {
            continue;
        }
        let xml = fs::read(&path).map_err(|e| e.to_string())?;
        // As they stand there: base64 of the text that the gateway's key made.
        let all = configurations::read(&xml, &XmlLimits::default(), &mut |sealed| {
            let text = configurations::remote_open(sealed)?;
            crypto
                .decrypt_text(text.expose())
                .map_err(|e| e.to_string())
        });
        for one in all.map_err(|e| format!("{}: {e}", path.display()))? {
            for (name, value) in &one.properties {
                let secret = value.as_secret().map(Secret::expose);
                must(secret != Some(PASSWORD), || {
                    format!(
                        "{}: {} {name} holds the claim secret",
                        path.display(),
                        one.pid
                    )
                })?;
            }
        }
    }
    Ok(())
}

/// Where the component keeps its files.
pub fn component_folder(site: &Site) -> Result<std::path::PathBuf, String> {
    let components = site.data().join("components");
    fs::read_dir(&components)
        .map_err(|e| e.to_string())?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.join("journal.jsonl").is_file())
        .ok_or_else(|| format!("no journal below {}", components.display()))
}

/// Whether the journal says that there is no way back. A torn last line does not count.
pub fn has_committed(gateway: &Gateway) -> bool {
    let journal = component_folder(&gateway.site)
        .and_then(|folder| {
            fs::read_to_string(folder.join("journal.jsonl")).map_err(|e| e.to_string())
        })
        .unwrap_or_default();
    journal
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n') && line.contains("\"committed\""))
        .count()
        > gateway.before
}

/// No temporary file, and nothing staged.
fn tidy(folder: &Path) -> Result<(), String> {
    for entry in fs::read_dir(folder).map_err(|e| e.to_string())? {
        let path = entry.map_err(|e| e.to_string())?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        must(
            !name.ends_with(".tmp") && !name.ends_with(".new") && !name.ends_with(".plan"),
            || format!("{} is left over", path.display()),
        )?;
        if path.is_dir() {
            tidy(&path)?;
        }
    }
    Ok(())
}

/// No configuration is reserved for a provisioning that is over. The file may have been lost, or torn
/// where it says that.
fn free(data: &Path) -> Result<(), String> {
    let path = data.join("snapshots/reserved.json");
    let held = fs::read(&path).unwrap_or_default();
    let held: serde_json::Value = serde_json::from_slice(&held).unwrap_or_default();
    must(held.as_array().is_none_or(Vec::is_empty), || {
        format!("still reserved: {held}")
    })
}

/// Starts each gateway where its platform is gone: it must be as one to which nothing happened.
pub fn all_as_before(kept: Vec<Kept>, member: bool, failures: &Failures) {
    // Not those of one place at a time: in an account they all have the same name.
    in_parallel(kept, |Kept { mut fresh, all }| {
        let before = world(&mut fresh, member).unwrap();
        assert!(before.len() > 5, "{:?}", before.keys());
        for (point, mut site) in all {
            failures.note(&point, as_before(&mut site, member, &before));
        }
    });
}

/// Starts the gateway where there is no platform and lets it fail; then what it has must be what
/// a gateway has to which nothing has happened.
fn as_before(site: &mut Site, member: bool, before: &World) -> Result<(), String> {
    let now = world(site, member)?;
    let names: std::collections::BTreeSet<_> = now.keys().chain(before.keys()).collect();
    let differing: Vec<_> = names
        .into_iter()
        .filter(|name| now.get(*name) != before.get(*name))
        .map(|name| {
            let text = |world: &World| {
                let content = world.get(name);
                content.map(|c| {
                    String::from_utf8_lossy(c.get(..c.len().min(2000)).unwrap_or_default())
                        .into_owned()
                })
            };
            format!("{name}: {:?}, before {:?}", text(&now), text(before))
        })
        .collect();
    must(differing.is_empty(), || {
        format!("not as before: {}", differing.join("\n"))
    })
}

/// What a gateway has once an attempt without a platform has failed. A member of an account is
/// connected to it then.
fn world(site: &mut Site, member: bool) -> Result<World, String> {
    site.start().map_err(|e| e.to_string())?;
    let status = site
        .wait(
            "an attempt that failed",
            Duration::from_secs(30),
            |status| status["state"] == "waiting" && status["error"]["class"] == "wait",
        )
        .map_err(|e| e.to_string());
    let connected = match member {
        true => site.wait_connected(Duration::from_secs(30)),
        false => Ok(()),
    };
    let world = site.world().map_err(|e| e.to_string());
    let provisioned = site.property(PID, "provisioned");
    site.stop();
    status?;
    connected.map_err(|e| e.to_string())?;
    must(
        provisioned.map_err(|e| e.to_string())? != Some(true.into()),
        || "it takes itself for provisioned".to_owned(),
    )?;
    tidy(&site.data())?;
    free(&site.data())?;
    world
}

/// An error of the disk is not kept quiet: a code in the status, or a line in the log.
pub fn told(ended: &Ended) -> Result<(), String> {
    const WORDS: [&str; 6] = [
        "storage.full",
        "storage.unwritable",
        "apply.failed",
        "No space left on device",
        "Input/output error",
        "Read-only file system",
    ];
    must(WORDS.iter().any(|word| ended.said.contains(word)), || {
        format!("nothing tells of the error:\n{}", ended.said)
    })
}
