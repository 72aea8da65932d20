//! The trials, in the order of the rules that they are about.
//!
//! Each is a function that takes the path of the library and returns why it does not keep to the
//! contract, in one line. It may as well not return: see `process`.

mod calls;
mod door;
mod hostile;
mod lifecycle;

use std::path::Path;
use std::time::Duration;

use gateway_component_abi::value::Properties;
use gateway_host_sdk::metatype;

use crate::abi::{Called, Conduct, Host, Library};
use crate::process::only_once;

/// What deactivate may take (`component.h`).
const BOUND: Duration = Duration::from_millis(250);

/// The rules of the contract that can be tried from outside; what each says is in the README of
/// the headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// 1: a library shows its doors and nothing else, and changes nothing by being loaded.
    Doors,
    /// 2: every table says its size; a reader uses what lies within it.
    Sizes,
    /// 3: what is not known or not offered is NULL, and is no harm.
    Extensions,
    /// 4: the types that cross, and who owns what.
    Types,
    /// 5: threads, and the bound of deactivate.
    Threads,
    /// 6: errors, and outputs on success only.
    Errors,
    /// 7: nothing unwinds across, whatever the other side says.
    Unwinding,
    /// 8: many instances, and loading again and again.
    Instances,
    /// 9: a host that does not keep to the contract gets an error.
    HostileHost,
}

impl Rule {
    /// Its number, from 1.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    /// What it is about, in a few words.
    pub fn about(self) -> &'static str {
        match self {
            Rule::Doors => "exports and loading",
            Rule::Sizes => "sizes of tables",
            Rule::Extensions => "extensions",
            Rule::Types => "types and ownership",
            Rule::Threads => "threads and time",
            Rule::Errors => "errors and outputs",
            Rule::Unwinding => "garbage from the host",
            Rule::Instances => "instances and reloading",
            Rule::HostileHost => "calls out of order",
        }
    }
}

/// One trial.
#[derive(Clone, Copy)]
pub struct Trial {
    /// Its name, which says what has to hold.
    pub name: &'static str,
    /// The rule that it is about.
    pub rule: Rule,
    pub(crate) run: fn(&Path) -> Result<(), String>,
}

macro_rules! trials {
    ($($rule:ident: $($module:ident::$name:ident),* $(,)?;)*) => {
        /// All of them; the first says whether the file is a component library at all.
        pub const TRIALS: &[Trial] = &[$($(Trial {
            name: stringify!($name),
            rule: Rule::$rule,
            run: $module::$name,
        },)*)*];
    };
}

trials! {
    Doors:
        door::it_is_a_component_library,
        door::it_exports_its_doors_only,
        door::loading_changes_nothing_in_the_process,
        lifecycle::a_life_changes_nothing_in_the_process;
    Sizes:
        door::another_major_version_is_refused,
        door::the_module_says_what_it_is,
        hostile::a_host_struct_of_any_size_is_read_within_it;
    Extensions:
        hostile::unknown_extensions_are_null,
        lifecycle::a_host_without_extensions_does_no_harm;
    Types:
        door::metatypes_are_read_and_name_their_pids,
        hostile::broken_property_lists_are_refused;
    Threads:
        lifecycle::deactivate_is_in_time,
        lifecycle::no_thread_and_no_call_outlives_the_instance,
        calls::control_calls_from_two_threads_are_done_or_busy;
    Errors:
        hostile::error_buffers_are_written_within_their_size,
        hostile::outputs_are_written_on_success_only;
    Unwinding:
        lifecycle::garbage_from_the_host_is_survived;
    Instances:
        lifecycle::an_instance_lives_with_its_defaults,
        lifecycle::an_instance_can_be_activated_again,
        calls::two_instances_end_one_after_the_other,
        lifecycle::lives_leave_no_memory_behind,
        lifecycle::loading_again_and_again_leaves_nothing_behind;
    HostileHost:
        calls::calls_out_of_order_are_refused_and_harmless,
        calls::no_instance_is_refused,
        hostile::arguments_that_are_none_are_refused;
}

/// The defaults of a component, by its metatype.
fn defaults(library: &Library, pid: &str) -> Result<Properties, String> {
    let xml = library
        .metatype(pid, "")
        .map_err(|e| format!("metatype({pid}): {e}"))?;
    let metatype = metatype::read(xml.as_bytes()).map_err(|e| format!("metatype({pid}): {e}"))?;
    Ok(metatype
        .ocd_of(pid)
        .map(metatype::Ocd::defaults)
        .unwrap_or_default())
}

/// Opens the library, and tries something with each of its components: the library, its factory
/// pid, its defaults, and an honest host.
fn each(
    path: &Path,
    conduct: Conduct,
    attempt: impl Fn(&Library, &str, &Properties, &Host) -> Result<(), String>,
) -> Result<(), String> {
    let library = Library::open(path)?;
    for pid in &library.pids {
        let defaults = defaults(&library, pid)?;
        let host = Host::new(conduct, pid, &defaults)?;
        attempt(&library, pid, &defaults, &host).map_err(|e| format!("{pid}: {e}"))?;
    }
    Ok(())
}

/// What has to succeed.
fn must(what: &str, result: Called) -> Result<(), String> {
    only_once();
    result.map_err(|e| format!("{what} failed with status {}: {e}", e.status))
}

/// What has to be refused, with that status if there is one.
fn refused(what: &str, result: Called, status: Option<i32>) -> Result<(), String> {
    only_once();
    match (result, status) {
        (Ok(()), _) => Err(format!("{what} was not refused")),
        (Err(e), Some(status)) if e.status != status => Err(format!(
            "{what} was refused with status {} instead of {status}: {e}",
            e.status
        )),
        (Err(e), _) if e.message.is_empty() => Err(format!("{what} was refused without a reason")),
        _ => Ok(()),
    }
}

/// What has to hold.
fn holds(condition: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    condition.then_some(()).ok_or_else(otherwise)
}
