//! One attempt of the real library against a broker, in this process alone, and what was measured.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use component_check::stopwatch::Stopwatch;
use contract::host::{parameters, Host, Watcher, PID};
use contract::plugin::{Instance, Plugin};
use contract::process::Memory;
use e2e::canaries::Canaries;
use e2e::site::read_tree;
use gateway_component_abi::ext::log::LOG_INFO;
use gateway_component_abi::value::Properties;
use serde_json::json;

/// Begins the one line in which a child says what it has measured.
pub const MEASURED: &str = "measured: ";
/// How much later than its deadline an attempt may be told to be over, before the child gives up.
pub const GRACE: Duration = Duration::from_secs(20);

/// What a child is told through its environment.
pub const URL: &str = "HOSTILE_URL";
/// As above: the root of the broker's certificate, PEM.
pub const ROOT: &str = "HOSTILE_ROOT";
/// As above: the parameter `timeout`.
pub const TIMEOUT: &str = "HOSTILE_TIMEOUT";
/// As above, where a second attempt is ended in its midst: the file that says that it is there.
pub const MARK: &str = "HOSTILE_MARK";
/// As above: so many MiB are held by this process, to see that its memory is measured.
pub const BALLAST: &str = "HOSTILE_BALLAST";
/// As above: one more text that is to be found nowhere, to see that secrets are looked for.
pub const CANARY: &str = "HOSTILE_CANARY";

/// Whether this process is a child.
pub fn is_one() -> bool {
    std::env::var_os(URL).is_some()
}

fn told(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// What a child is there for.
pub fn run() {
    let timeout: i32 = told(TIMEOUT).parse().unwrap();
    let mut host = Host::new();
    let state = host.state();
    state.anchors.insert("root".into(), told(ROOT));
    // What a gateway usually logs; what it keeps of it counts as memory, too.
    state.max_level = LOG_INFO;
    let table = host.table();
    let plugin = Plugin::open(&contract::plugin_library());
    let instance = plugin.create(&table, PID).unwrap();
    let watcher = Watcher::new();
    instance.watch(watcher.sink()).unwrap();
    let with = |enabled| {
        let mut parameters = parameters(enabled, &told(URL));
        parameters.insert("timeout".into(), timeout.into());
        parameters
    };

    instance.activate(&with(false)).unwrap();
    watcher.wait_for_state("idle");
    let idle = Memory::own().resident;
    let ballast = std::env::var(BALLAST).map(|mib| vec![1u8; mib.parse::<usize>().unwrap() << 20]);

    let begun = Instant::now();
    instance.update(&with(true)).unwrap();
    let longest = Duration::from_secs(timeout.unsigned_abs().into()) + GRACE;
    let told = RefCell::new(String::new());
    // Everything is rolled back then, and the pause has begun.
    let document = watcher.wait_within(longest, |document| {
        told.borrow_mut().push_str(&document.to_string());
        !document["error"].is_null() && document["state"] == "waiting"
    });
    let took = begun.elapsed();
    let stopped = stop(&instance);
    drop(ballast);
    let again = std::env::var_os(MARK).map(|mark| {
        let mark = PathBuf::from(mark);
        stop_in_the_midst(&instance, &with(true), &mark)
    });
    let peak = Memory::own().peak;
    // Not destroyed: to end the last one takes paho up to a second, and others test it.
    instance.watch(Watcher::none()).unwrap();

    let lines = host.lines();
    let longest = lines.iter().map(String::len).max();
    let odd = lines.iter().find(|line| line.contains(char::is_control));
    let measured = json!({
        "code": document["error"]["code"],
        "message": document["error"]["message"],
        "attempt": document["attempt"],
        "took": took.as_secs_f64(),
        "stopped": stopped.as_millis() as u64,
        "stopped again": again.map(|took| took.as_millis() as u64),
        "grown": peak.saturating_sub(idle),
        "idle": idle,
        "lines": lines.len(),
        "longest line": longest,
        "odd line": odd,
        "leaks": leaks(&host, &with(true), &told.borrow()),
    });
    println!("\n{MEASURED}{measured}");
}

/// Where a secret is found in what the library wrote and said.
fn leaks(host: &Host, parameters: &Properties, told: &str) -> Vec<String> {
    let mut canaries = Canaries::default();
    canaries.add("parameter", parameters);
    if let Ok(text) = std::env::var(CANARY) {
        canaries.add_secret("a word", &text);
    }
    let mut files = BTreeMap::new();
    read_tree(host.folder(), &mut files).unwrap();
    let lines = host.lines().join("\n");
    let said = [("the log", &lines[..]), ("the status", told)];
    let said = said.map(|(place, text)| (place, text.as_bytes()));
    let files = files.iter();
    let files = files.map(|(path, content)| (path.as_str(), content.as_slice()));
    canaries.found_in(files.chain(said))
}

fn stop(instance: &Instance<'_>) -> Duration {
    let watch = Stopwatch::start();
    instance.deactivate().unwrap();
    watch.stop()
}

/// A second attempt, ended while the broker does to it what it does.
fn stop_in_the_midst(
    instance: &Instance<'_>,
    parameters: &Properties,
    mark: &std::path::Path,
) -> Duration {
    instance.activate(parameters).unwrap();
    let until = Instant::now() + GRACE;
    while !mark.exists() {
        assert!(Instant::now() < until, "the broker was not called again");
        // There is no wait for a file; this only paces the question.
        std::thread::sleep(Duration::from_millis(5));
    }
    stop(instance)
}
