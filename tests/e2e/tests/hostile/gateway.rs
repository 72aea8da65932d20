//! A gateway in a process of its own, which holds nothing else: how large it gets, how long an
//! attempt takes, and whether a failed one has left anything.

use std::collections::BTreeMap;
use std::time::Duration;

use contract::process::Memory;
use e2e::rest::{Rest, WAIT};
use e2e::site::{error_code, state, PID};
use e2e::Site;
use serde_json::Value;

/// What a hostile peer may cost above the idle gateway, KiB.
const ROOM: usize = 32 << 10;
/// The shortest `timeout` that there is.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// For what takes its time on a slow machine, the peer's part above all.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// What may pass between the deadline of an attempt and its end, rolled back and told. The worker is
/// woken at the deadline; the rest is for a machine under load, and for its disk, which is waited for.
const SLACK: Duration = Duration::from_secs(5);

/// See the module documentation.
pub struct Gateway {
    // Killed before its folder is looked through for secrets.
    rest: Rest,
    site: Site,
    idle: Memory,
    before: BTreeMap<String, Vec<u8>>,
    timeout: Duration,
}

impl Gateway {
    /// Started disabled, and measured once it is idle. It tries again when it is told to.
    pub fn idle(site: Site) -> Gateway {
        Gateway::with_timeout(site, TIMEOUT)
    }

    /// The same, with more time for an attempt.
    pub fn patient(site: Site) -> Gateway {
        Gateway::with_timeout(site, PATIENCE)
    }

    fn with_timeout(site: Site, timeout: Duration) -> Gateway {
        let site = site
            .with("enabled", false)
            .with("timeout", i32::try_from(timeout.as_secs()).unwrap())
            .with("retry-interval", 3600);
        let rest = Rest::start(&site, &[]).unwrap();
        rest.wait_for("idle").unwrap();
        let before = site.world().unwrap();
        let idle = Memory::of(rest.process().id());
        Gateway {
            rest,
            site,
            idle,
            before,
            timeout,
        }
    }

    /// The same in another process, measured once it is idle.
    pub fn restarted(self) -> Gateway {
        let Gateway { rest, site, .. } = self;
        drop(rest);
        let rest = Rest::start(&site, &[]).unwrap();
        rest.wait_for("provisioned").unwrap();
        Gateway {
            idle: Memory::of(rest.process().id()),
            before: site.world().unwrap(),
            rest,
            site,
            timeout: self.timeout,
        }
    }

    /// The same in another process, which may become no larger than the first one.
    pub fn started_again(self) -> Gateway {
        let Gateway { rest, site, .. } = self;
        drop(rest);
        let rest = Rest::start(&site, &[]).unwrap();
        rest.wait_for("provisioned").unwrap();
        Gateway { rest, site, ..self }
    }

    /// All configurations, without their revision.
    pub fn configured(&self) -> Value {
        let path = "/services/configuration/v2/configurableComponents/configurations";
        let (code, mut all) = self.rest.get(path).unwrap();
        assert_eq!(code, 200);
        for one in all["configs"].as_array_mut().unwrap() {
            one["revision"] = Value::Null;
        }
        all
    }

    /// An operator has it provisioned again.
    pub fn claim_again(&self, secret: &str) {
        self.rest.set("password", secret).unwrap();
        self.rest.set("provisioned", false).unwrap();
        self.rest.set("enabled", true).unwrap();
    }

    /// As an operator does it: the first attempt begins.
    pub fn enable(&self) {
        self.rest.set("enabled", true).unwrap();
    }

    /// The next attempt begins.
    pub fn retry(&self) {
        self.rest.act("retry-now").unwrap();
    }

    /// Begins anew, with more time for an attempt.
    pub fn begin_with_patience(&self) {
        self.rest.set("timeout", PATIENCE.as_secs()).unwrap();
    }

    /// The attempt ends in `code`, in time, with the gateway small and as before.
    pub fn fails(&self, code: &str) -> Value {
        self.fails_at(1, code)
    }

    /// The attempt of this number does so.
    pub fn fails_at(&self, attempt: i64, code: &str) -> Value {
        let ended = |status: &Value| state(status) == "waiting" && status["attempt"] == attempt;
        let status = self.rest.wait_within(code, self.patience(), ended).unwrap();
        assert_eq!(error_code(&status), code, "{status:#}");
        self.is_small(&status);
        let took = took(&status);
        assert!(took <= self.timeout + SLACK, "{took:?}: {status:#}");
        let now = self.site.world().unwrap();
        assert!(now == self.before, "not as before: {status:#}");
        status
    }

    /// The attempt succeeds, with the gateway small.
    pub fn provisioned(&self) -> Value {
        let wanted = |status: &Value| state(status) == "provisioned";
        let status = self
            .rest
            .wait_within("provisioned", self.patience(), wanted);
        let status = status.unwrap();
        self.is_small(&status);
        status
    }

    /// What is installed, as `NAME VERSION`.
    pub fn packages(&self) -> Vec<String> {
        let (code, packages) = self.rest.get("/services/packages/v1/packages").unwrap();
        assert_eq!(code, 200, "{packages}");
        let packages = packages["packages"].as_array().unwrap().iter();
        let text = |package: &Value, name: &str| package[name].as_str().unwrap().to_owned();
        packages
            .map(|package| format!("{} {}", text(package, "name"), text(package, "version")))
            .collect()
    }

    /// How the attempts of the provisioning record ended.
    pub fn outcomes(&self) -> Vec<String> {
        let record = self.site.data().join("components").join(PID);
        let record = std::fs::read_to_string(record.join("record.jsonl")).unwrap();
        let outcome = |line: &str| -> String {
            let line: Value = serde_json::from_str(line).unwrap();
            line["outcome"].as_str().unwrap().to_owned()
        };
        record.lines().map(outcome).collect()
    }

    /// How many lines it has said, and the longest.
    pub fn said(&self) -> (usize, String) {
        let lines = self.rest.process().lines();
        let longest = lines.iter().max_by_key(|line| line.len());
        (lines.len(), longest.cloned().unwrap_or_default())
    }

    /// For the end of an attempt, which has a deadline of its own.
    fn patience(&self) -> Duration {
        self.timeout.max(PATIENCE) + WAIT
    }

    fn is_small(&self, status: &Value) {
        let now = Memory::of(self.rest.process().id());
        let grown = now.peak.saturating_sub(self.idle.resident);
        println!(
            "idle {} KiB, at most {grown} KiB more, {} KiB more now",
            self.idle.resident,
            now.resident.saturating_sub(self.idle.resident),
        );
        let (attempt, code) = (&status["attempt"], error_code(status));
        assert!(
            grown < ROOM,
            "attempt {attempt} {code}: {grown} KiB more than when idle"
        );
    }
}

/// From the beginning of the attempt that has failed to its end, rolled back, in the words of the
/// status document.
pub fn took(status: &Value) -> Duration {
    let steps = status["steps"].as_array().unwrap();
    let connect = steps.iter().find(|step| step["name"] == "connect").unwrap();
    let at = |time: &Value| -> jiff::Timestamp { time.as_str().unwrap().parse().unwrap() };
    let took = at(&status["since"]).duration_since(at(&connect["started"]));
    Duration::try_from(took).unwrap()
}
