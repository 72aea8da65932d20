//! Calls out of order, on nothing, and two at a time.

use std::path::Path;
use std::sync::Mutex;
use std::thread;

use gateway_component_abi::status::{E_BUSY, E_INVALID_ARGUMENT, E_STATE};

use super::lifecycle::create;
use super::{each, holds, must, refused};
use crate::abi::{Called, Conduct, Host};
use crate::process::only_once;

pub(super) fn calls_out_of_order_are_refused_and_harmless(path: &Path) -> Result<(), String> {
    each(path, Conduct::Honest, |library, pid, defaults, host| {
        let table = host.table();
        let instance = create(library, pid, &table)?;
        let state = Some(E_STATE);
        let idle = |when: &str| {
            refused(&format!("update {when}"), instance.update(defaults), state)?;
            refused(&format!("deactivate {when}"), instance.deactivate(), state)
        };
        idle("before activate")?;
        for _ in 0..3 {
            must("activate", instance.activate(defaults))?;
            refused("a second activate", instance.activate(defaults), state)?;
            must("update after a refused activate", instance.update(defaults))?;
            must("deactivate", instance.deactivate())?;
            idle("after deactivate")?;
        }
        must("destroy", instance.destroy())
    })
}

pub(super) fn no_instance_is_refused(path: &Path) -> Result<(), String> {
    each(path, Conduct::Honest, |library, _, defaults, _| {
        let nobody = library.nobody();
        let status = Some(E_INVALID_ARGUMENT);
        refused("activate of NULL", nobody.activate(defaults), status)?;
        refused("update of NULL", nobody.update(defaults), status)?;
        refused("deactivate of NULL", nobody.deactivate(), status)?;
        refused("destroy of NULL", nobody.destroy(), status)
    })
}

pub(super) fn control_calls_from_two_threads_are_done_or_busy(path: &Path) -> Result<(), String> {
    each(path, Conduct::Honest, |library, pid, defaults, host| {
        let table = host.table();
        let instance = create(library, pid, &table)?;
        let (wrong, done) = (Mutex::new(None), Mutex::new(0));
        let judge = |what: &str, result: Called| {
            only_once();
            match result {
                Ok(()) => done.lock().map(|mut n| *n += 1).unwrap_or_default(),
                Err(e) if e.status == E_BUSY || e.status == E_STATE => {}
                Err(e) => {
                    if let Ok(mut wrong) = wrong.lock() {
                        *wrong = Some(format!(
                            "{what} beside another call: status {}: {e}",
                            e.status
                        ));
                    }
                }
            }
        };
        thread::scope(|scope| {
            for first in 0..2 {
                let (judge, instance) = (&judge, &instance);
                scope.spawn(move || {
                    for n in 0..100 {
                        match (n + first) % 3 {
                            0 => judge("activate", instance.activate(defaults)),
                            1 => judge("update", instance.update(defaults)),
                            _ => judge("deactivate", instance.deactivate()),
                        }
                    }
                });
            }
        });
        if let Some(wrong) = wrong.into_inner().unwrap_or_default() {
            return Err(wrong);
        }
        let done = done.into_inner().unwrap_or_default();
        holds(done > 0, || {
            "no call of two hundred was ever done".to_owned()
        })?;
        // In whatever state the last call left it.
        let _ = instance.deactivate();
        must("activate after all that", instance.activate(defaults))?;
        must("destroy", instance.destroy())
    })
}

pub(super) fn two_instances_end_one_after_the_other(path: &Path) -> Result<(), String> {
    each(path, Conduct::Honest, |library, pid, defaults, host| {
        let other_host = Host::new(Conduct::Honest, pid, defaults)?;
        let tables = (host.table(), other_host.table());
        let first = create(library, pid, &tables.0)?;
        let second = library
            .create_named(pid, &raw const tables.1, &format!("{pid}-other"))
            .map_err(|e| format!("a second instance: {e}"))?;
        must("activate of the first", first.activate(defaults))?;
        must("activate of the second", second.activate(defaults))?;
        must("destroy of the first", first.destroy())?;
        must("update of the second", second.update(defaults))?;
        must("deactivate of the second", second.deactivate())?;
        must("destroy of the second", second.destroy())
    })
}
