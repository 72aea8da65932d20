//! What a component offers beside its lifecycle: status, identity, preflight, action,
//! control-verifier (`include/gwc/ext`). Any thread, at any time while the instance lives.

use gateway_component_abi::component::GwcComponent;
use gateway_component_abi::ext::action::{GwcAction, EXT_ACTION};
use gateway_component_abi::ext::control_verifier::{GwcControlVerifier, EXT_CONTROL_VERIFIER};
use gateway_component_abi::ext::identity::{GwcIdentity, EXT_IDENTITY};
use gateway_component_abi::ext::preflight::{GwcPreflight, EXT_PREFLIGHT};
use gateway_component_abi::ext::status::{GwcComponentStatus, EXT_STATUS};
use gateway_component_abi::safe::error;
use gateway_component_abi::safe::sink::Collector;
use gateway_component_abi::status::{GwcError, GwcStatus};
use gateway_component_abi::types::{GwcBytes, GwcSink, GwcStr};

use super::instance::{read_table, Instance};
use super::module::refused;
use crate::loader::ComponentError;

type DocumentFn = unsafe extern "C" fn(*mut GwcComponent, GwcSink, *mut GwcError) -> GwcStatus;
type ActionFn = unsafe extern "C" fn(*mut GwcComponent, *mut GwcError) -> GwcStatus;

/// What a person or the host may ask of a component (`gwc.action/1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// End the pause and start the next attempt.
    RetryNow,
    /// Abort, roll back, disable.
    Cancel,
    /// Provision again.
    Reprovision,
    /// The clock stepped, the network came up, a MAC appeared.
    SystemChanged,
}

impl Instance {
    /// The status document (JSON).
    pub fn status(&self) -> Result<String, ComponentError> {
        let table = self.status_table()?;
        self.document("gwc.status/1 get", table.get)
    }

    /// The identity sheet (JSON).
    pub fn identity(&self) -> Result<String, ComponentError> {
        let table: GwcIdentity = read_table(self, EXT_IDENTITY)?;
        self.document("gwc.identity/1 get", table.get)
    }

    /// Runs the local checks and waits for them, at most 5 s (JSON).
    pub fn preflight(&self) -> Result<String, ComponentError> {
        let table: GwcPreflight = read_table(self, EXT_PREFLIGHT)?;
        self.document("gwc.preflight/1 run", table.run)
    }

    /// Asks for an action.
    pub fn act(&self, action: Action) -> Result<(), ComponentError> {
        let table: GwcAction = read_table(self, EXT_ACTION)?;
        let (name, function): (_, Option<ActionFn>) = match action {
            Action::RetryNow => ("gwc.action/1 retry_now", table.retry_now),
            Action::Cancel => ("gwc.action/1 cancel", table.cancel),
            Action::Reprovision => ("gwc.action/1 reprovision", table.reprovision),
            Action::SystemChanged => ("gwc.action/1 system_changed", table.system_changed),
        };
        let function = function.ok_or_else(|| self.unsupported(name))?;
        let mut err = error::blank();
        // SAFETY: the instance is alive, err lives for the call.
        let status = unsafe { function(self.this(), &mut err) };
        refused(status, &err, self.pid(), name)
    }

    /// Whether a control message is signed as it must be. Everything but `Ok` means: drop it.
    pub fn verify_control(
        &self,
        account: &str,
        client_id: &str,
        application_topic: &str,
        payload: &[u8],
    ) -> Result<(), ComponentError> {
        const NAME: &str = "gwc.control-verifier/1 verify";
        let table: GwcControlVerifier = read_table(self, EXT_CONTROL_VERIFIER)?;
        let verify = table.verify.ok_or_else(|| self.unsupported(NAME))?;
        let mut err = error::blank();
        // SAFETY: the instance is alive, all that is handed over lives for the call.
        let status = unsafe {
            verify(
                self.this(),
                GwcStr::borrow(account),
                GwcStr::borrow(client_id),
                GwcStr::borrow(application_topic),
                GwcBytes::borrow(payload),
                &mut err,
            )
        };
        refused(status, &err, self.pid(), NAME)
    }

    pub(super) fn status_table(&self) -> Result<GwcComponentStatus, ComponentError> {
        read_table(self, EXT_STATUS)
    }

    fn document(
        &self,
        name: &'static str,
        function: Option<DocumentFn>,
    ) -> Result<String, ComponentError> {
        let function = function.ok_or_else(|| self.unsupported(name))?;
        let (mut out, mut err) = (Collector::new(), error::blank());
        // SAFETY: the instance is alive, out and err live for the call.
        let status = unsafe { function(self.this(), out.sink(), &mut err) };
        refused(status, &err, self.pid(), name)?;
        let broken = |what: &str| ComponentError::Broken {
            component: self.pid().to_owned(),
            function: name,
            what: what.to_owned(),
        };
        let bytes = out.take().ok_or_else(|| broken("it put no document"))?;
        let text = String::from_utf8(bytes).map_err(|_| broken("the document is not UTF-8"))?;
        match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
            Ok(_) => Ok(text),
            Err(e) => Err(broken(&format!("the document is not JSON: {e}"))),
        }
    }

    fn unsupported(&self, extension: &'static str) -> ComponentError {
        ComponentError::Unsupported {
            component: self.pid().to_owned(),
            extension,
        }
    }
}
