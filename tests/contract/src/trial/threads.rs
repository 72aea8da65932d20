//! Calls of one instance from many threads at once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use contract::host::{parameters, Host, PID};
use contract::plugin::{Called, Plugin};
use gateway_component_abi::status::{E_BUSY, E_STATE};

const QUIET: &str = "mqtts://127.0.0.1:1";

pub fn control_calls_from_many_threads_are_busy_or_done(plugin: &Plugin) {
    let host = Host::new();
    let table = host.table();
    let instance = plugin.create(&table, PID).unwrap();
    let (done, busy) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let judge = |name: &str, result: Called| match result {
        Ok(()) => drop(done.fetch_add(1, Ordering::Relaxed)),
        Err(e) if e.status == E_BUSY => drop(busy.fetch_add(1, Ordering::Relaxed)),
        Err(e) => assert_eq!(e.status, E_STATE, "{name}: {e}"),
    };
    thread::scope(|scope| {
        for n in 0..4u64 {
            let (judge, instance) = (&judge, &instance);
            scope.spawn(move || {
                let quiet = parameters(false, QUIET);
                let enabled = parameters(true, QUIET);
                let mut random = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
                for _ in 0..crate::times(250) {
                    // xorshift64: any order will do, the same one in each run is better.
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    match random % 4 {
                        0 => judge("activate", instance.activate(&quiet)),
                        1 => judge("update", instance.update(&quiet)),
                        2 => judge("update", instance.update(&enabled)),
                        _ => judge("deactivate", instance.deactivate()),
                    }
                }
            });
        }
    });
    assert!(done.into_inner() > 0, "nothing was ever done");
    let _ = instance.deactivate();
    instance
        .activate(&parameters(false, QUIET))
        .expect("it still works");
    instance.destroy().unwrap();
}

pub fn documents_can_be_read_while_the_instance_starts_and_stops(plugin: &Plugin) {
    let host = Host::new();
    let table = host.table();
    let instance = plugin.create(&table, PID).unwrap();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut read = 0;
                    while !over.load(Ordering::Acquire) {
                        let document = instance.status().expect("in every state");
                        assert_eq!(document["instance"], PID);
                        for result in [
                            instance.identity().map(drop),
                            instance.cancel(),
                            instance.system_changed(),
                        ] {
                            if let Err(e) = result {
                                assert!([E_STATE, E_BUSY].contains(&e.status), "{e}");
                            }
                        }
                        read += 1;
                    }
                    read
                })
            })
            .collect();
        for n in 0..crate::times(50) {
            instance.activate(&parameters(n % 2 == 0, QUIET)).unwrap();
            instance.update(&parameters(n % 3 == 0, QUIET)).unwrap();
            instance.deactivate().unwrap();
        }
        over.store(true, Ordering::Release);
        for reader in readers {
            assert!(reader.join().unwrap() > 0, "a reader read nothing");
        }
    });
    instance.destroy().unwrap();
}
