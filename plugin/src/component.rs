//! The component instance: activate, update, deactivate; owns the one worker thread.
//!
//! Nothing here blocks: activate and update hand the parameters to the worker and return,
//! deactivate tells it to stop and joins it; the worker ends within milliseconds unless a call
//! of the host is in flight. What the worker does is decided by [`crate::provisioner`].

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::status;
use gateway_component_abi::value::Properties;

use crate::diagnosis::{Code, Fault};
use crate::host::Host;
use crate::provisioner::Action;
use crate::settings::Settings;
use crate::worker::{Command, Shared, Worker};

/// Of the worker, in bytes: what host functions may need is promised in `gwc.h`, whatever a variable
/// of the environment says.
const STACK: usize = 2 << 20;
/// How long an answer of the worker is awaited.
const ANSWER: Duration = Duration::from_secs(5);

/// Receives status documents; called from the worker.
pub type Watcher = Box<dyn Fn(&str) + Send>;

/// One instance of the ProvisioningService.
pub struct Component {
    host: Arc<dyn Host>,
    /// Run first on the worker thread: where its log lines go.
    on_worker: Arc<dyn Fn() + Send + Sync>,
    shared: Arc<Shared>,
    running: Mutex<Option<Running>>,
}

struct Running {
    commands: Sender<Command>,
    thread: JoinHandle<()>,
}

impl Component {
    /// An instance named `pid`, not active yet.
    pub fn new(host: Arc<dyn Host>, pid: &str, on_worker: Box<dyn Fn() + Send + Sync>) -> Self {
        Component {
            host,
            on_worker: Arc::from(on_worker),
            shared: Arc::new(Shared::new(pid)),
            running: Mutex::new(None),
        }
    }

    /// Starts with `properties`. Parameters that do not hold are no error: the status names them.
    ///
    /// # Errors
    /// `E_STATE` if active already; `E_INTERNAL` if no thread can be had.
    pub fn activate(&self, properties: &Properties) -> Result<(), CallError> {
        let mut running = self.running();
        if running.is_some() {
            return Err(out_of_order("activate: the instance is active already"));
        }
        let (commands, receiver) = mpsc::channel();
        let first = Command::Configure(Box::new(Settings::parse(properties)));
        let worker = Worker::new(
            self.host.clone(),
            self.shared.clone(),
            commands.clone(),
            receiver,
        );
        let (on_worker, shared) = (self.on_worker.clone(), self.shared.clone());
        let thread = std::thread::Builder::new()
            .name("provisioning".into())
            .stack_size(STACK)
            .spawn(move || {
                // Before all other use of it: so OpenSSL leaves no handler of exit behind, which
                // would pull its locks away from under threads that still run then.
                openssl::init();
                mqtt_session::signals::leave_to_the_host();
                on_worker();
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| worker.run())) {
                    log::error!("{}: internal.panic: {}", shared.pid(), words_of(&*panic));
                    shared.poison();
                    shared.notify();
                }
            })
            .map_err(|e| CallError::new(status::E_INTERNAL, "", format!("no thread: {e}")))?;
        let _ = commands.send(first);
        *running = Some(Running { commands, thread });
        Ok(())
    }

    /// Hands the whole new configuration over.
    ///
    /// # Errors
    /// `E_STATE` if not active.
    pub fn update(&self, properties: &Properties) -> Result<(), CallError> {
        self.send(Command::Configure(Box::new(Settings::parse(properties))))
    }

    /// Stops. When it returns, no thread of the instance runs and no host call is in flight.
    ///
    /// # Errors
    /// `E_STATE` if not active, or if called from the instance's own thread.
    pub fn deactivate(&self) -> Result<(), CallError> {
        self.not_inside("deactivate")?;
        let running = self
            .running()
            .take()
            .ok_or_else(|| out_of_order("deactivate: the instance is not active"))?;
        self.stop(running);
        Ok(())
    }

    fn stop(&self, running: Running) {
        self.shared.stop();
        let _ = running.commands.send(Command::Stop);
        if running.thread.join().is_err() {
            self.shared.poison();
        }
        self.shared.rest();
    }

    /// The status document, in every state.
    pub fn status(&self) -> String {
        self.shared.document()
    }

    /// Calls `watcher` with each new status document; `None` ends it.
    ///
    /// # Errors
    /// `E_STATE` if called from the instance's own thread.
    pub fn watch(&self, watcher: Option<Watcher>) -> Result<(), CallError> {
        self.not_inside("watch")?;
        self.shared.watch(watcher);
        Ok(())
    }

    /// A call that waits for the worker would wait for itself where the worker makes it, as from
    /// inside a host function or a watcher.
    ///
    /// # Errors
    /// `E_STATE` on the worker thread.
    pub fn not_inside(&self, call: &str) -> Result<(), CallError> {
        let inside = self
            .running()
            .as_ref()
            .is_some_and(|running| running.thread.thread().id() == std::thread::current().id());
        if inside {
            return Err(out_of_order(&format!(
                "{call}: called from the instance's own thread"
            )));
        }
        Ok(())
    }

    /// The identity sheet, JSON.
    ///
    /// # Errors
    /// `E_STATE` if not active.
    pub fn identity(&self) -> Result<String, CallError> {
        self.ask(Command::Identity)
    }

    /// Runs the local checks and returns them, JSON.
    ///
    /// # Errors
    /// `E_STATE` if not active; `E_BUSY` if the worker does not answer within 5 s.
    pub fn preflight(&self) -> Result<String, CallError> {
        self.ask(Command::Preflight)
    }

    /// Does what a person asks for.
    ///
    /// # Errors
    /// `E_STATE` with the reason where it makes no sense.
    pub fn act(&self, action: Action) -> Result<(), CallError> {
        self.ask(|answer| Command::Act(action, answer))?
            .map_err(|refused| out_of_order(&refused.0))
    }

    /// Something changed that the preflight may have been waiting for.
    pub fn system_changed(&self) {
        let _ = self.send(Command::SystemChanged);
    }

    /// Verifies a signed control message. Fail-closed.
    ///
    /// # Errors
    /// `E_DENIED` with a code `signature.*`, `clock.implausible` or `protocol.malformed`, or of the
    /// reason why the signers cannot be read, or why it cannot be remembered that it was accepted
    /// (`storage.*`); `E_STATE` if not active, `E_BUSY` if the worker does
    /// not answer within 5 s: nothing is verified then either.
    pub fn verify(
        &self,
        account: &str,
        client_id: &str,
        application_topic: &str,
        payload: &[u8],
    ) -> Result<(), CallError> {
        // What has just become active does not know yet whether it is provisioned; its worker
        // answers once it does.
        let clock = self.ask(Command::Signers)?;
        let control = self.shared.control();
        let verdict = clock.and_then(|clock| match self.shared.provisioned() {
            true => control.verify(account, client_id, application_topic, payload, clock),
            false => Err(Fault::new(
                Code::SignatureUntrusted,
                "the gateway is not provisioned: no control message is accepted",
            )),
        });
        control.count(&verdict);
        let _ = self.send(Command::Judged);
        verdict
            .map_err(|fault| CallError::new(status::E_DENIED, fault.code.as_str(), fault.message))
    }

    /// A call panicked: say so in the status.
    pub fn poison(&self) {
        self.shared.poison();
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, command: Command) -> Result<(), CallError> {
        match &*self.running() {
            Some(running) if self.shared.poisoned() => {
                let _ = running;
                Err(CallError::new(
                    status::E_PANIC,
                    "internal.panic",
                    "the worker of the instance panicked",
                ))
            }
            Some(running) => {
                let _ = running.commands.send(command);
                Ok(())
            }
            None => Err(out_of_order("the instance is not active")),
        }
    }

    fn ask<T>(&self, command: impl FnOnce(Sender<T>) -> Command) -> Result<T, CallError> {
        self.not_inside("a call that waits")?;
        let (answer, receiver) = mpsc::channel();
        self.send(command(answer))?;
        receiver.recv_timeout(ANSWER).map_err(|_| {
            CallError::new(
                status::E_BUSY,
                "",
                format!("no answer within {} s", ANSWER.as_secs()),
            )
        })
    }
}

impl Drop for Component {
    fn drop(&mut self) {
        let running = self.running().take();
        if let Some(running) = running {
            self.stop(running);
        }
    }
}

/// What a panic said, for the log that a vendor is sent.
fn words_of(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no words")
}

fn out_of_order(what: &str) -> CallError {
    CallError::new(status::E_STATE, "", what)
}
