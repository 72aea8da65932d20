//! What belongs to the process and not to a component: signals, its end, its children, its
//! descriptors.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use contract::host::{parameters, Host, Watcher, PID};
use contract::plugin::{Called, Instance, Plugin};
use contract::process;
use gateway_component_abi::status::E_STATE;

/// Nothing listens there.
const QUIET: &str = "mqtts://127.0.0.1:1";

/// An instance that waits for the CONNACK of a broker that never sends one: all its threads run.
fn with_all_threads(plugin: &Plugin, during: impl FnOnce(&Instance<'_>)) {
    let broker = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("mqtt://{}", broker.local_addr().unwrap());
    let host = Host::new();
    let table = host.table();
    let instance = plugin.create(&table, PID).unwrap();
    instance.activate(&parameters(true, &url)).unwrap();
    let (mut connection, _) = broker.accept().unwrap();
    let patience = Some(Duration::from_secs(60));
    connection.set_read_timeout(patience).unwrap();
    let mut connect = [0];
    connection.read_exact(&mut connect).expect("CONNECT");
    during(&instance);
    instance.deactivate().unwrap();
    instance.destroy().unwrap();
}

fn action(signal: libc::c_int) -> usize {
    // SAFETY: a question only.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        assert_eq!(libc::sigaction(signal, std::ptr::null(), &mut action), 0);
        action.sa_sigaction
    }
}

pub fn sigpipe_remains_what_the_host_made_it(path: &Path) {
    for wanted in [libc::SIG_DFL, libc::SIG_IGN] {
        // SAFETY: no handler is installed that could run.
        unsafe { libc::signal(libc::SIGPIPE, wanted) };
        let plugin = Plugin::open(path);
        with_all_threads(&plugin, |_| assert_eq!(action(libc::SIGPIPE), wanted));
        assert_eq!(action(libc::SIGPIPE), wanted, "after destroy");
    }
}

/// The signals that a thread blocks, as bits, by its `/proc/self/task/ID/status` (proc(5)).
fn blocked(thread: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/self/task/{thread}/status")).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
    u64::from_str_radix(mask.unwrap().trim(), 16).unwrap()
}

fn bit(signal: libc::c_int) -> u64 {
    1 << (signal - 1)
}

/// The same, once the thread runs: while it is being started, the C library blocks everything.
fn settled(thread: &str) -> u64 {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let blocked = blocked(thread);
        if blocked & bit(libc::SIGSEGV) == 0 {
            return blocked;
        }
        assert!(
            Instant::now() < until,
            "a thread blocks SIGSEGV for 30 s: {blocked:x}"
        );
        // Nothing tells when it has been started; this only paces the question.
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn tasks() -> BTreeSet<String> {
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

pub fn signals_for_the_host_are_left_to_its_threads(path: &Path) {
    let plugin = Plugin::open(path);
    let before = tasks();
    let own = blocked(before.first().unwrap());
    with_all_threads(&plugin, |_| {
        let threads: Vec<String> = tasks().difference(&before).cloned().collect();
        assert!(threads.len() > 1, "worker and link at the least");
        for thread in &threads {
            let blocked = settled(thread);
            for signal in [
                libc::SIGHUP,
                libc::SIGINT,
                libc::SIGTERM,
                libc::SIGPIPE,
                libc::SIGCHLD,
            ] {
                assert!(
                    blocked & bit(signal) != 0,
                    "a thread of {:?} takes signal {signal}",
                    process::thread_names()
                );
            }
            // What a fault raises, and what runtimes send to single threads, gets through.
            for signal in [libc::SIGSEGV, libc::SIGABRT, libc::SIGURG, libc::SIGPWR] {
                assert!(blocked & bit(signal) == 0, "signal {signal}");
            }
        }
    });
    assert_eq!(
        blocked(before.first().unwrap()),
        own,
        "the host's own thread"
    );
}

/// What the handler of exit calls, and what it hears.
struct Running(Instance<'static>, Watcher);

// SAFETY: both may be used from any thread, by one at a time; a handler of exit runs on the one
// that made them.
unsafe impl Send for Running {}

static RUNNING: Mutex<Option<Running>> = Mutex::new(None);

extern "C" fn at_exit() {
    let running = RUNNING.lock().unwrap().take();
    let Running(instance, watcher) = running.expect("an instance that runs");
    // Another broker is another attempt, with all that it computes.
    let other = "mqtts://127.0.0.1:2";
    instance.update(&parameters(true, other)).unwrap();
    watcher.wait(|document| {
        document["broker"] == other && document["error"]["code"] == "network.refused"
    });
    println!("alive");
}

pub fn an_instance_that_runs_at_exit_does_no_harm(path: &Path) {
    // Handlers run in the reverse order: this one after all that the library, or one that it
    // depends on, registers from now on.
    // SAFETY: the handler lives as long as the program.
    assert_eq!(unsafe { libc::atexit(at_exit) }, 0);
    // None of these ends before the process does.
    let plugin: &'static Plugin = Box::leak(Box::new(Plugin::open(path)));
    let host: &'static Host = Box::leak(Box::new(Host::new()));
    let (table, watcher) = (Box::leak(Box::new(host.table())), Watcher::new());
    let instance = plugin.create(table, PID).unwrap();
    instance.watch(watcher.sink()).unwrap();
    instance.activate(&parameters(true, QUIET)).unwrap();
    watcher.wait_for_code("network.refused");
    *RUNNING.lock().unwrap() = Some(Running(instance, watcher));
    std::process::exit(0);
}

pub fn a_forked_child_is_refused_and_the_parent_goes_on(path: &Path) {
    let plugin = Plugin::open(path);
    with_all_threads(&plugin, |instance| {
        let refused = |call: Called| matches!(call, Err(e) if e.status == E_STATE && e.message.contains("process"));
        // SAFETY: the child calls the instance, and ends without running anything of the parent's.
        let child = unsafe { libc::fork() };
        assert!(child >= 0, "no child");
        if child == 0 {
            // SAFETY: so that a call that waits for a thread of the parent is a result.
            unsafe { libc::alarm(20) };
            let results = [
                refused(instance.update(&parameters(false, QUIET))),
                refused(instance.identity().map(drop)),
                refused(instance.cancel()),
                refused(instance.deactivate()),
                refused(instance.destroy()),
            ];
            let wrong = results.iter().position(|fine| !fine);
            // SAFETY: ends the child.
            unsafe { libc::_exit(wrong.map_or(0, |at| at as i32 + 1)) };
        }
        let mut status = 0;
        // SAFETY: the child of this process.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert_eq!(status, 0, "the first that was not refused, from 1, by 256");
        instance.identity().expect("the parent's instance runs");
    });
}

pub fn control_calls_need_little_stack(path: &Path) {
    // What `gwc.h` promises.
    const STACK: usize = 64 << 10;
    let plugin = Plugin::open(path);
    std::thread::scope(|scope| {
        let calls = || {
            let host = Host::new();
            let table = host.table();
            let instance = plugin.create(&table, PID).unwrap();
            for enabled in [true, false] {
                instance.activate(&parameters(enabled, QUIET)).unwrap();
                instance.update(&parameters(!enabled, QUIET)).unwrap();
                instance.deactivate().unwrap();
            }
            instance.destroy().unwrap();
        };
        std::thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, calls)
            .unwrap();
    });
}

pub fn a_library_that_is_closed_too_early_stays_while_its_thread_runs(path: &Path) {
    // Not dropped: it would close the library once more.
    let plugin: &'static Plugin = Box::leak(Box::new(Plugin::open(path)));
    let (host, watcher) = (Host::new(), Watcher::new());
    let table = host.table();
    let instance = plugin.create(&table, PID).unwrap();
    instance.watch(watcher.sink()).unwrap();
    instance.activate(&parameters(false, QUIET)).unwrap();
    watcher.wait_for_state("idle");
    let name = CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: once for this handle, and once for that of the plugin, as a careless host does.
    unsafe {
        let handle = libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD);
        assert!(!handle.is_null());
        assert_eq!(libc::dlclose(handle), 0);
        assert_eq!(libc::dlclose(handle), 0);
    }
    let mapped = std::fs::read_to_string("/proc/self/maps").unwrap();
    assert!(mapped.contains("provisioning_service.so"), "unmapped");
    instance.update(&parameters(true, QUIET)).unwrap();
    watcher.wait_for_code("network.refused");
    instance.deactivate().unwrap();
    instance.destroy().unwrap();
}

/// Sets how many descriptors this process may have.
fn allow(descriptors: usize) {
    // SAFETY: plain values.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = descriptors as libc::rlim_t;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
}

/// Files on all free numbers below the highest one in use, and the first free number then: the
/// limit is one of numbers.
fn occupy() -> (Vec<File>, usize) {
    let mut highest = 0;
    for entry in std::fs::read_dir("/proc/self/fd").unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        highest = highest.max(name.parse().unwrap());
    }
    let mut files = Vec::new();
    loop {
        let file = File::open("/dev/null").unwrap();
        let number = file.as_raw_fd() as usize;
        if number >= highest {
            return (files, number);
        }
        files.push(file);
    }
}

pub fn a_lack_of_descriptors_passes_by_itself(path: &Path) {
    let plugin = Plugin::open(path);
    let (host, watcher) = (Host::new(), Watcher::new());
    let table = host.table();
    let instance = plugin.create(&table, PID).unwrap();
    instance.watch(watcher.sink()).unwrap();
    let mut parameters = parameters(true, QUIET);
    parameters.insert("retry-interval".into(), 1.into());
    let (_occupied, first) = occupy();
    for more in 0..12 {
        // Descriptors run out at another place each time.
        allow(first + more);
        watcher.clear();
        instance.activate(&parameters).unwrap();
        let document = watcher.wait(|document| !document["error"].is_null());
        // A full table is no bug of the component.
        assert_ne!(
            document["error"]["code"], "internal.panic",
            "{more}: {document}"
        );
        allow(1024);
        watcher.wait_within(Duration::from_secs(30), |document| {
            document["error"]["code"] == "network.refused"
        });
        instance.deactivate().unwrap();
    }
    instance.destroy().unwrap();
}
