//! Bringing one instance in line with its configuration and its plugin.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway_component_abi::value::Properties;

use super::services::Services;
use super::{ComponentInfo, ComponentState};
use crate::events::{Event, Hub};
use crate::loader::{ComponentError, Instance, Library};

/// A control call that takes longer is reported: everybody else waits for it.
const SLOW: Duration = Duration::from_millis(250);

/// What `component.h` gives `destroy`: a second, in which threads end that idled until then; and
/// something for a machine under load.
const SLOW_DESTROY: Duration = Duration::from_millis(1500);

/// An instance and how it came to be.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) factory_pid: String,
    pub(super) state: ComponentState,
    pub(super) error: Option<String>,
    pub(super) instance: Option<Arc<Instance>>,
    /// The library it is an instance of.
    pub(super) origin: Option<Origin>,
}

/// Tells two libraries apart, also two that were loaded from the same path one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    path: PathBuf,
    serial: usize,
}

impl Origin {
    pub(super) fn of(library: &Library) -> Origin {
        Origin {
            path: library.path().to_owned(),
            serial: library.identity(),
        }
    }
}

impl Entry {
    pub(super) fn new(factory_pid: &str) -> Entry {
        Entry {
            factory_pid: factory_pid.to_owned(),
            state: ComponentState::Unresolved,
            error: None,
            instance: None,
            origin: None,
        }
    }

    pub(super) fn info(&self, pid: &str) -> ComponentInfo {
        ComponentInfo {
            pid: pid.to_owned(),
            factory_pid: self.factory_pid.clone(),
            state: self.state,
            error: self.error.clone(),
        }
    }
}

/// Creates, watches and activates an instance.
pub(super) fn start(
    library: &Library,
    factory_pid: &str,
    pid: &str,
    services: Services,
    hub: &Hub,
    properties: &Properties,
) -> Result<Arc<Instance>, ComponentError> {
    let instance = timed(pid, "create", || library.create(factory_pid, pid, services))?;
    let (posts, name) = (hub.clone(), pid.to_owned());
    let watched = instance.watch(move |document| {
        posts.post(Event::Status {
            pid: name.clone(),
            document: document.to_owned(),
        });
    });
    match watched {
        Ok(()) | Err(ComponentError::Unsupported { .. }) => {}
        // It works without; who wants the status asks for it.
        Err(e) => log::warn!("{}", crate::one_line(&e)),
    }
    timed(pid, "activate", || instance.activate(properties))?;
    log::info!("{pid} is active");
    Ok(Arc::new(instance))
}

/// Hands over a changed configuration.
pub(super) fn update(instance: &Instance, properties: &Properties) -> Result<(), ComponentError> {
    timed(instance.pid(), "update", || instance.update(properties))
}

/// Deactivates an instance, and destroys it unless somebody is still asking it something: then that
/// call's end destroys it.
pub(super) fn stop(instance: Arc<Instance>) {
    let pid = instance.pid().to_owned();
    if let Err(e) = timed(&pid, "deactivate", || instance.deactivate()) {
        log::error!("{}", crate::one_line(&e));
    }
    match Arc::try_unwrap(instance) {
        Ok(instance) => {
            if let Err(e) = timed(&pid, "destroy", || instance.destroy()) {
                log::error!("{}", crate::one_line(&e));
            }
        }
        Err(shared) => drop(shared),
    }
    log::info!("{pid} is stopped");
}

fn timed<R>(pid: &str, call: &str, run: impl FnOnce() -> R) -> R {
    let start = Instant::now();
    let result = run();
    let took = start.elapsed();
    if is_slow(call, took) {
        log::warn!(
            "{pid}: {call} held up all components for {} ms",
            took.as_millis()
        );
    } else {
        log::debug!("{pid}: {call} took {} µs", took.as_micros());
    }
    result
}

/// Whether a call took longer than it may.
fn is_slow(call: &str, took: Duration) -> bool {
    let most = match call {
        "destroy" => SLOW_DESTROY,
        _ => SLOW,
    };
    took > most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destroy_may_take_the_second_that_the_contract_gives_it() {
        let took = Duration::from_millis(1100);
        assert!(!is_slow("destroy", took));
        for call in ["create", "activate", "update", "deactivate"] {
            assert!(is_slow(call, took), "{call}");
        }
        assert!(is_slow("destroy", 2 * took));
    }
}
