//! Calls of the host while one of its own functions has not returned yet.

use std::ffi::c_void;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use component_check::stopwatch::Stopwatch;
use contract::host::{parameters, Host, Watcher, PID};
use contract::plugin::{Called, Instance, Plugin};
use gateway_component_abi::status::{GwcError, GwcStatus, E_BUSY, E_NOT_FOUND};
use gateway_component_abi::types::{GwcSink, GwcStr};

const QUIET: &str = "mqtts://127.0.0.1:1";
const PATIENCE: Duration = Duration::from_secs(10);

/// One call of `gwc.system/1 get`.
struct Flight {
    entered: Sender<()>,
    leave: Receiver<()>,
    last: Box<dyn FnOnce() + Send>,
}

/// The next call; those after it return at once.
static FLIGHT: Mutex<Option<Flight>> = Mutex::new(None);

unsafe extern "C" fn slow_fact(
    _ctx: *mut c_void,
    _name: GwcStr,
    _out: GwcSink,
    _err: *mut GwcError,
) -> GwcStatus {
    let flight = FLIGHT.lock().unwrap().take();
    if let Some(flight) = flight {
        flight.entered.send(()).unwrap();
        flight
            .leave
            .recv_timeout(PATIENCE)
            .expect("leave to return");
        (flight.last)();
    }
    E_NOT_FOUND
}

/// An active instance whose host call is in flight until something is sent.
fn with_call_in_flight(
    plugin: &Plugin,
    last: impl FnOnce(Instance<'static>) + Send + 'static,
    trial: impl FnOnce(&Instance<'_>, Sender<()>),
) {
    let mut host = Host::new();
    host.state().system.get = Some(slow_fact);
    let table = host.table();
    let instance = plugin.create(&table, PID).unwrap();
    let (this, library) = (instance.this as usize, std::ptr::from_ref(plugin) as usize);
    let (entered, inside) = mpsc::channel();
    let (release, leave) = mpsc::channel();
    *FLIGHT.lock().unwrap() = Some(Flight {
        entered,
        leave,
        last: Box::new(move || {
            // SAFETY: the plugin outlives the instance, and this runs while the instance lives.
            let plugin = unsafe { &*(library as *const Plugin) };
            last(Instance::of(plugin, this as *mut _));
        }),
    });
    instance.activate(&parameters(true, QUIET)).unwrap();
    inside
        .recv_timeout(PATIENCE)
        .expect("the host is asked for a fact");
    trial(&instance, release);
}

/// Repeats a control call until it is the one that runs.
fn once_free(call: impl Fn() -> Called) -> Called {
    loop {
        match call() {
            Err(e) if e.status == E_BUSY => thread::yield_now(),
            result => return result,
        }
    }
}

/// Waits until another control call has begun; goes with [`once_free`] on the other thread.
fn wait_until_busy(instance: &Instance<'_>) {
    let until = Instant::now() + PATIENCE;
    loop {
        match instance.update(&parameters(true, QUIET)) {
            Err(e) if e.status == E_BUSY => return,
            _ => assert!(Instant::now() < until, "no other call began"),
        }
    }
}

pub fn deactivate_waits_for_a_host_call_in_flight_and_no_longer(plugin: &Plugin) {
    with_call_in_flight(
        plugin,
        |_| {},
        |instance, release| {
            let (ended, over) = mpsc::channel();
            thread::scope(|scope| {
                scope.spawn(|| {
                    once_free(|| instance.deactivate()).unwrap();
                    ended.send(()).unwrap();
                });
                wait_until_busy(instance);
                // As long as the call is in flight it must not return.
                assert!(
                    over.recv_timeout(Duration::from_millis(100)).is_err(),
                    "a host call was left in flight"
                );
                let watch = Stopwatch::start();
                release.send(()).unwrap();
                over.recv_timeout(PATIENCE).expect("deactivate returns");
                let took = watch.stop();
                assert!(
                    crate::in_time(took, Duration::from_millis(250)),
                    "{took:?} after the host's call returned"
                );
            });
            instance.destroy().unwrap();
        },
    );
}

pub fn control_calls_beside_a_running_one_are_busy(plugin: &Plugin) {
    with_call_in_flight(
        plugin,
        |_| {},
        |instance, release| {
            thread::scope(|scope| {
                let running = scope.spawn(|| once_free(|| instance.deactivate()));
                wait_until_busy(instance);
                let quiet = parameters(false, QUIET);
                for (name, result) in [
                    ("activate", instance.activate(&quiet)),
                    ("update", instance.update(&quiet)),
                    ("deactivate", instance.deactivate()),
                    ("destroy", instance.destroy()),
                    ("watch", instance.watch(Watcher::none())),
                ] {
                    let error = result.expect_err(name);
                    assert_eq!(error.status, E_BUSY, "{name}: {error}");
                }
                instance.status().expect("the status is no control call");
                release.send(()).unwrap();
                running
                    .join()
                    .unwrap()
                    .expect("the first call goes on as if alone");
            });
            instance.destroy().unwrap();
        },
    );
}

pub fn a_host_call_in_flight_can_read_the_status_while_the_instance_ends(plugin: &Plugin) {
    let (said, read) = mpsc::channel();
    let last = move |instance: Instance<'static>| {
        said.send((instance.status(), instance.deactivate(), instance.destroy()))
            .unwrap();
    };
    with_call_in_flight(plugin, last, |instance, release| {
        thread::scope(|scope| {
            let ending = scope.spawn(|| once_free(|| instance.destroy()));
            wait_until_busy(instance);
            release.send(()).unwrap();
            let (status, deactivate, destroy) =
                read.recv_timeout(PATIENCE).expect("the host call goes on");
            assert_eq!(
                status.expect("the instance lives until destroy returns")["instance"],
                PID
            );
            assert_eq!(deactivate.expect_err("a refusal").status, E_BUSY);
            assert_eq!(destroy.expect_err("a refusal").status, E_BUSY);
            ending.join().unwrap().expect("destroyed once");
        });
    });
}
