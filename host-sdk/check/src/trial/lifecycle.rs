//! Instances from their beginning to their end.

use std::path::Path;
use std::time::{Duration, Instant};

use super::{defaults, each, holds, must, BOUND};
use crate::abi::{
    default_sigpipe, descriptors, resident, threads, Conduct, Host, Instance, Library, Surroundings,
};
use crate::stopwatch::Stopwatch;

/// How often something is done that could be done any number of times.
const TIMES: usize = 10;
/// How much resident memory may grow in three times as many lives, in KiB.
const GROWTH: usize = 4096;

pub(super) fn an_instance_lives_with_its_defaults(path: &Path) -> Result<(), String> {
    each(path, Conduct::Honest, |library, pid, defaults, host| {
        let table = host.table();
        let instance = create(library, pid, &table)?;
        must("activate", instance.activate(defaults))?;
        must("update", instance.update(defaults))?;
        must(
            "update without properties",
            instance.update(&Default::default()),
        )?;
        must("deactivate", instance.deactivate())?;
        must("destroy", instance.destroy())
    })
}

pub(super) fn an_instance_can_be_activated_again(path: &Path) -> Result<(), String> {
    each(path, Conduct::Honest, |library, pid, defaults, host| {
        let table = host.table();
        let instance = create(library, pid, &table)?;
        for n in 1..=TIMES {
            must(&format!("activate, time {n},"), instance.activate(defaults))?;
            must(&format!("deactivate, time {n},"), instance.deactivate())?;
        }
        must("activate", instance.activate(defaults))?;
        must("destroy of an active instance", instance.destroy())
    })
}

pub(super) fn a_life_changes_nothing_in_the_process(path: &Path) -> Result<(), String> {
    default_sigpipe();
    each(path, Conduct::Honest, |library, pid, defaults, host| {
        let before = Surroundings::now().of_all();
        let unchanged = |when: &str| match Surroundings::now().of_all().difference(&before) {
            None => Ok(()),
            Some(what) => Err(format!("{when} it had changed {what} of the process")),
        };
        let table = host.table();
        let instance = create(library, pid, &table)?;
        must("activate", instance.activate(defaults))?;
        settle(host, host.calls());
        unchanged("while it was active")?;
        must("deactivate", instance.deactivate())?;
        must("destroy", instance.destroy())?;
        unchanged("after destroy")
    })
}

pub(super) fn lives_leave_no_memory_behind(path: &Path) -> Result<(), String> {
    each(path, Conduct::Honest, |library, pid, defaults, host| {
        let table = host.table();
        let live = || {
            let instance = create(library, pid, &table)?;
            must("activate", instance.activate(defaults))?;
            must("update", instance.update(defaults))?;
            must("deactivate", instance.deactivate())?;
            must("destroy", instance.destroy())
        };
        // Caches fill, and the allocator finds its size.
        (0..TIMES).try_for_each(|_| live())?;
        let before = resident();
        (0..3 * TIMES).try_for_each(|_| live())?;
        let grown = resident().saturating_sub(before);
        holds(grown < GROWTH, || {
            format!("{} lives left {grown} KiB of memory behind", 3 * TIMES)
        })
    })
}

pub(super) fn a_host_without_extensions_does_no_harm(path: &Path) -> Result<(), String> {
    each(path, Conduct::Empty, |library, pid, defaults, host| {
        let table = host.table();
        // It may refuse to live so; if it does not, it has to end as any other.
        let Ok(instance) = library.create(pid, &raw const table) else {
            return Ok(());
        };
        if instance.activate(defaults).is_ok() {
            must("deactivate", instance.deactivate())?;
        }
        must("destroy", instance.destroy())
    })
}

pub(super) fn garbage_from_the_host_is_survived(path: &Path) -> Result<(), String> {
    each(path, Conduct::Garbage, |library, pid, defaults, host| {
        let table = host.table();
        let Ok(instance) = library.create(pid, &raw const table) else {
            return Ok(());
        };
        for _ in 0..3 {
            if instance.activate(defaults).is_err() {
                break;
            }
            must("update", instance.update(defaults))?;
            let before = host.calls();
            settle(host, before);
            must("deactivate", instance.deactivate())?;
        }
        must("destroy", instance.destroy())
    })
}

/// Gives the instance a moment to ask the host something: until it asks no more.
fn settle(host: &Host, before: usize) {
    let until = Instant::now() + Duration::from_millis(500);
    let mut seen = before;
    while Instant::now() < until {
        // Nothing tells when an unknown component has come as far as it will.
        std::thread::sleep(Duration::from_millis(50));
        let now = host.calls();
        if now == seen && now != before {
            return;
        }
        seen = now;
    }
}

pub(super) fn deactivate_is_in_time(path: &Path) -> Result<(), String> {
    each(path, Conduct::Honest, |library, pid, defaults, host| {
        let table = host.table();
        let instance = create(library, pid, &table)?;
        for n in 1..=3 {
            must("activate", instance.activate(defaults))?;
            if n > 1 {
                settle(host, host.calls());
            }
            let watch = Stopwatch::start();
            must("deactivate", instance.deactivate())?;
            let took = watch.stop();
            holds(took <= BOUND, || {
                format!("deactivate took {} ms, at most 250", took.as_millis())
            })?;
        }
        must("destroy", instance.destroy())
    })
}

pub(super) fn no_thread_and_no_call_outlives_the_instance(path: &Path) -> Result<(), String> {
    let library = Library::open(path)?;
    for pid in &library.pids {
        let before = threads();
        let properties = defaults(&library, pid)?;
        let host = Host::new(Conduct::Honest, pid, &properties)?;
        let table = host.table();
        let instance = create(&library, pid, &table)?;
        must("activate", instance.activate(&properties))?;
        settle(&host, host.calls());
        must("deactivate", instance.deactivate())?;
        let calls = host.calls();
        std::thread::sleep(Duration::from_millis(100));
        let late = host.calls() - calls;
        holds(late == 0, || {
            format!("{pid}: the host was called {late} times after deactivate had returned")
        })?;
        must("destroy", instance.destroy())?;
        let left = threads().saturating_sub(before);
        holds(left == 0, || {
            format!("{pid}: {left} threads are left after destroy")
        })?;
    }
    Ok(())
}

pub(super) fn loading_again_and_again_leaves_nothing_behind(path: &Path) -> Result<(), String> {
    let mut first = None;
    for n in 0..TIMES {
        let library = Library::open(path)?;
        for pid in &library.pids {
            let properties = defaults(&library, pid)?;
            let host = Host::new(Conduct::Honest, pid, &properties)?;
            let table = host.table();
            let instance = create(&library, pid, &table)?;
            must("activate", instance.activate(&properties))?;
            must("deactivate", instance.deactivate())?;
            must("destroy", instance.destroy())?;
        }
        library.close()?;
        let now = (threads(), descriptors().len());
        // What the first load opens for good (a random source, say) is not piling up.
        let first = *first.get_or_insert(now);
        holds(now.0 <= first.0, || {
            format!("{} threads after {} loads", now.0, n + 1)
        })?;
        holds(now.1 <= first.1, || {
            format!(
                "{} open files after {} loads, {} after the first",
                now.1,
                n + 1,
                first.1
            )
        })?;
    }
    Ok(())
}

pub(super) fn create<'a>(
    library: &'a Library,
    pid: &str,
    table: &gateway_component_abi::host::GwcHost,
) -> Result<Instance<'a>, String> {
    library
        .create(pid, table)
        .map_err(|e| format!("create failed with status {}: {e}", e.status))
}
