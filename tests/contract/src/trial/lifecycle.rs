//! Calls out of order, on nothing, and from where they should not come.

use std::os::raw::c_void;
use std::ptr;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use contract::host::{parameters, Host, Watcher, PID};
use contract::plugin::{Called, Instance, Plugin};
use contract::process;
use gateway_component_abi::safe::text;
use gateway_component_abi::status::{E_BUSY, E_INVALID_ARGUMENT, E_STATE};
use gateway_component_abi::types::{GwcBytes, GwcSink, GwcStr};

const QUIET: &str = "mqtts://127.0.0.1:1";

fn out_of_order(result: Called) {
    let error = result.expect_err("a refusal");
    assert_eq!(error.status, E_STATE, "{error}");
    assert!(!error.message.is_empty(), "it does not say why");
}

pub fn calls_out_of_order_are_refused_and_harmless(plugin: &Plugin) {
    let host = Host::new();
    let table = host.table();
    let quiet = parameters(false, QUIET);
    let instance = plugin.create(&table, PID).unwrap();
    let idle_calls = || {
        out_of_order(instance.update(&quiet));
        out_of_order(instance.deactivate());
        out_of_order(instance.identity().map(drop));
        out_of_order(instance.preflight().map(drop));
        out_of_order(instance.cancel());
        instance.system_changed().expect("never refused");
        assert_eq!(instance.status().unwrap()["state"], "inactive");
    };
    idle_calls();
    for _ in 0..3 {
        instance.activate(&quiet).unwrap();
        out_of_order(instance.activate(&quiet));
        instance
            .update(&quiet)
            .expect("the refused activate did no harm");
        crate::answered(|| instance.identity()).expect("the worker is there");
        instance.deactivate().unwrap();
        idle_calls();
    }
    instance.destroy().unwrap();
}

pub fn destroy_while_active_ends_the_threads(plugin: &Plugin) {
    let before = process::holdings().threads;
    let host = Host::new();
    let table = host.table();
    for enabled in [false, true] {
        let instance = plugin.create(&table, PID).unwrap();
        instance.activate(&parameters(enabled, QUIET)).unwrap();
        instance.destroy().unwrap();
        let calls = host.lines().len();
        assert_eq!(
            process::holdings().threads,
            before,
            "{:?}",
            process::thread_names()
        );
        assert_eq!(
            host.lines().len(),
            calls,
            "the host was called after destroy"
        );
    }
}

pub fn an_instance_can_be_activated_again_and_again(plugin: &Plugin) {
    let (host, watcher) = (Host::new(), Watcher::new());
    let table = host.table();
    let instance = plugin.create(&table, PID).unwrap();
    instance.watch(watcher.sink()).unwrap();
    for _ in 0..20 {
        instance.activate(&parameters(false, QUIET)).unwrap();
        watcher.wait(|document| document["state"] == "idle" && !document["broker"].is_null());
        instance.deactivate().unwrap();
        watcher.clear();
    }
    instance.destroy().unwrap();
}

pub fn no_instance_and_foreign_instances_are_refused(plugin: &Plugin) {
    let host = Host::new();
    let table = host.table();
    let real = plugin.create(&table, PID).unwrap();
    // What another library may have handed out: memory, but none of ours.
    let foreign = [0u64; 64];
    let foreign = ptr::from_ref(&foreign).cast_mut().cast::<c_void>();
    for this in [ptr::null_mut(), foreign.wrapping_add(1), foreign] {
        let instance = Instance::of(plugin, this.cast());
        let quiet = parameters(false, QUIET);
        let (status, identity) = (
            real.status_table().get.unwrap(),
            real.identity_table().get.unwrap(),
        );
        let (mut out, mut other) = Default::default();
        let sink = |collector: &mut gateway_component_abi::safe::sink::Collector| collector.sink();
        let results = [
            instance.activate(&quiet),
            instance.update(&quiet),
            instance.deactivate(),
            instance.destroy(),
            // SAFETY: functions of the library; the instance is what is tested.
            contract::plugin::called(|err| unsafe { status(instance.this, sink(&mut out), err) }),
            // SAFETY: as above.
            contract::plugin::called(|err| unsafe {
                identity(instance.this, sink(&mut other), err)
            }),
        ];
        for (at, result) in results.into_iter().enumerate() {
            let error = result.expect_err("a refusal");
            assert_eq!(error.status, E_INVALID_ARGUMENT, "call {at}: {error}");
        }
    }
    real.destroy().unwrap();
}

pub fn unknown_extensions_are_null(plugin: &Plugin) {
    let host = Host::new();
    let table = host.table();
    let instance = plugin.create(&table, PID).unwrap();
    for id in [
        "",
        "gwc.status/2",
        "gwc.status",
        "gwc.status/1 ",
        "gwc.log/1",
        "gwc.\u{0}/1",
    ] {
        assert!(instance.extension(id).is_null(), "{id:?}");
    }
    let broken = b"\xff\xfe";
    for id in [
        GwcStr {
            ptr: broken.as_ptr().cast(),
            len: 2,
        },
        GwcStr {
            ptr: ptr::null(),
            len: 3,
        },
        GwcStr {
            ptr: broken.as_ptr().cast(),
            len: u64::MAX,
        },
        GwcStr::EMPTY,
    ] {
        assert!(instance.raw_extension(id).is_null());
    }
    for id in [
        "gwc.status/1",
        "gwc.identity/1",
        "gwc.preflight/1",
        "gwc.action/1",
        "gwc.control-verifier/1",
    ] {
        let table = instance.extension(id);
        assert!(!table.is_null(), "{id}");
        // The table is the module's, not the instance's.
        assert_eq!(
            Instance::of(plugin, ptr::null_mut()).extension(id),
            table,
            "{id}"
        );
    }
    instance.destroy().unwrap();
}

pub fn an_ended_watch_is_not_called_again(plugin: &Plugin) {
    let (host, first, second) = (Host::new(), Watcher::new(), Watcher::new());
    let table = host.table();
    let instance = plugin.create(&table, PID).unwrap();
    instance.watch(first.sink()).unwrap();
    instance.activate(&parameters(false, QUIET)).unwrap();
    first.wait(|document| !document["broker"].is_null());
    // Replaced: only the new one is called.
    instance.watch(second.sink()).unwrap();
    first.clear();
    instance
        .update(&parameters(false, "mqtts://127.0.0.2:2"))
        .unwrap();
    second.wait(|document| document["broker"] == "mqtts://127.0.0.2:2");
    assert_eq!(first.clear(), 0, "the replaced watch was called");
    // Ended: nobody is called, and what its ctx pointed to may go.
    instance.watch(Watcher::none()).unwrap();
    instance
        .watch(Watcher::none())
        .expect("ending no watch is no error");
    drop(first);
    second.clear();
    instance
        .update(&parameters(false, "mqtts://127.0.0.3:3"))
        .unwrap();
    // The worker takes commands in order: once it answers, it has shown the update.
    crate::answered(|| instance.identity()).unwrap();
    instance.deactivate().unwrap();
    assert_eq!(second.clear(), 0, "the ended watch was called");
    instance.destroy().unwrap();
}

pub fn a_watch_survives_deactivation(plugin: &Plugin) {
    let (host, watcher) = (Host::new(), Watcher::new());
    let table = host.table();
    let instance = plugin.create(&table, PID).unwrap();
    instance.activate(&parameters(false, QUIET)).unwrap();
    instance.watch(watcher.sink()).unwrap();
    instance.deactivate().unwrap();
    watcher.clear();
    instance
        .activate(&parameters(false, "mqtts://127.0.0.2:2"))
        .unwrap();
    watcher.wait(|document| document["broker"] == "mqtts://127.0.0.2:2");
    instance.destroy().unwrap();
}

pub fn two_instances_do_not_know_each_other(plugin: &Plugin) {
    let hosts = [Host::new(), Host::new()];
    let tables = [hosts[0].table(), hosts[1].table()];
    let watchers = [Watcher::new(), Watcher::new()];
    let names = ["first", "second"];
    let instances: Vec<Instance<'_>> = (0..2)
        .map(|n| plugin.create(&tables[n], names[n]).unwrap())
        .collect();
    for n in 0..2 {
        instances[n].watch(watchers[n].sink()).unwrap();
        let url = format!("mqtts://127.0.0.1:{}", n + 1);
        instances[n].activate(&parameters(false, &url)).unwrap();
        let document = watchers[n].wait(|document| document["broker"] == url.as_str());
        assert_eq!(document["instance"], names[n]);
    }
    instances[0].destroy().unwrap();
    watchers[1].clear();
    instances[1]
        .update(&parameters(false, "mqtts://127.0.0.1:9"))
        .unwrap();
    watchers[1].wait(|document| document["broker"] == "mqtts://127.0.0.1:9");
    instances[1].destroy().unwrap();
    for (n, host) in hosts.iter().enumerate() {
        let lines = host.lines();
        assert!(!lines.is_empty(), "{} has no log", names[n]);
        assert!(
            lines.iter().all(|line| !line.contains(names[1 - n])),
            "the log of {} holds lines of the other: {lines:#?}",
            names[n]
        );
    }
}

/// What a host does in `put` that it should not.
struct Intruder {
    instance: usize,
    plugin: *const Plugin,
    /// Activate has returned: from here on no call of the host runs beside.
    begin: Mutex<mpsc::Receiver<()>>,
    results: mpsc::Sender<Vec<(&'static str, Called)>>,
}

unsafe extern "C" fn intrude(ctx: *mut c_void, data: GwcBytes) {
    // SAFETY: ctx is the Intruder below, which outlives the watch; data lives for the call.
    let (intruder, plugin, document) = unsafe {
        let intruder = &*ctx.cast::<Intruder>();
        (
            intruder,
            &*intruder.plugin,
            text::bytes(data).unwrap().to_vec(),
        )
    };
    let instance = Instance::of(plugin, intruder.instance as *mut _);
    // Once: the channel is closed when the results are there.
    if intruder
        .begin
        .lock()
        .unwrap()
        .recv_timeout(Duration::from_secs(10))
        .is_err()
    {
        return;
    }
    let begun = Instant::now();
    let results = vec![
        ("deactivate", instance.deactivate()),
        ("destroy", instance.destroy()),
        ("watch", instance.watch(Watcher::none())),
        ("preflight", instance.preflight().map(drop)),
        ("identity", instance.identity().map(drop)),
        ("cancel", instance.cancel()),
    ];
    assert!(
        crate::in_time(begun.elapsed(), Duration::from_secs(1)),
        "it waited for itself"
    );
    let status = instance
        .status()
        .expect("the status can be read from anywhere");
    assert_eq!(
        status,
        serde_json::from_slice::<serde_json::Value>(&document).unwrap()
    );
    let _ = intruder.results.send(results);
}

pub fn ending_an_instance_from_its_own_thread_is_refused(plugin: &Plugin) {
    let host = Host::new();
    let table = host.table();
    let instance = plugin.create(&table, PID).unwrap();
    let (sender, receiver) = mpsc::channel();
    let (begin, begun) = mpsc::channel();
    let intruder = Intruder {
        begin: Mutex::new(begun),
        instance: instance.this as usize,
        plugin,
        results: sender,
    };
    instance
        .watch(GwcSink {
            ctx: ptr::from_ref(&intruder).cast_mut().cast(),
            put: Some(intrude),
        })
        .unwrap();
    instance.activate(&parameters(false, QUIET)).unwrap();
    begin.send(()).unwrap();
    drop(begin);
    let results = receiver
        .recv_timeout(Duration::from_secs(10))
        .expect("put was called and returned");
    for (name, result) in results {
        let error = result.expect_err(name);
        assert_eq!(error.status, E_STATE, "{name}: {error}");
        assert!(error.message.contains("own thread"), "{name}: {error}");
    }
    instance.watch(Watcher::none()).unwrap();
    instance
        .update(&parameters(false, QUIET))
        .expect("it did no harm");
    instance.deactivate().unwrap();
    instance.destroy().unwrap();
}

pub fn an_update_from_inside_update_own_is_taken(plugin: &Plugin) {
    let (host, watcher) = (Host::new(), Watcher::new());
    let table = host.table();
    // Enabled, and at its first refusal cancelled: then it writes enabled=false.
    let first = parameters(true, QUIET);
    host.set_own(&first);
    let instance = plugin.create(&table, PID).unwrap();
    let taken: Arc<Mutex<Option<Called>>> = Arc::default();
    let (this, library, slot) = (
        instance.this as usize,
        ptr::from_ref(plugin) as usize,
        taken.clone(),
    );
    host.on_update(Some(Box::new(move |merged| {
        // SAFETY: the plugin outlives the instance.
        let plugin = unsafe { &*(library as *const Plugin) };
        *slot.lock().unwrap() = Some(Instance::of(plugin, this as *mut _).update(merged));
    })));
    instance.watch(watcher.sink()).unwrap();
    instance.activate(&first).unwrap();
    watcher.wait(|document| document["enabled"] == true);
    match instance.cancel() {
        // Done all the same, and answered later than the call waits.
        Err(e) if crate::untimed() && e.status == E_BUSY => {}
        result => result.unwrap(),
    }
    watcher.wait(|document| document["enabled"] == false && document["state"] == "idle");
    taken
        .lock()
        .unwrap()
        .take()
        .expect("update_own was called")
        .expect("update was taken");
    instance.deactivate().unwrap();
    instance.destroy().unwrap();
    host.on_update(None);
}
