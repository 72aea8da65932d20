//! One trial of the library in a process of its own, so that a crash is a result.
//!
//! `trial NAME LIBRARY` runs one, `trial --list` names them all. These know this component; what
//! holds for any is in `component-check`, and run by `trial --check NAME LIBRARY`. Exit code 0 means that the
//! library kept to the contract whatever this host did; everything else is a failure, and standard
//! error says which. The test `hostile` runs every one of them.

#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod callbacks;
mod cycles;
mod in_flight;
mod lifecycle;
mod loading;
mod memory;
mod properties;
mod structs;
mod surroundings;
mod threads;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use contract::plugin::Plugin;
use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::status::E_BUSY;

/// Under a memory checker everything is an order of magnitude slower.
static UNTIMED: AtomicBool = AtomicBool::new(false);

fn untimed() -> bool {
    UNTIMED.load(Ordering::Relaxed)
}

/// Whether something took no longer than it may.
fn in_time(took: Duration, most: Duration) -> bool {
    took < most || untimed()
}

/// What a question to the worker is answered. Under a memory checker the answer may take longer than the
/// component waits for it (5 s): then it is asked once more.
fn answered<T>(ask: impl Fn() -> Result<T, CallError>) -> Result<T, CallError> {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        match ask() {
            Err(e) if untimed() && e.status == E_BUSY && Instant::now() < until => {}
            answer => return answer,
        }
    }
}

/// How often something is done that could be done any number of times.
fn times(n: usize) -> usize {
    if untimed() {
        n / 10
    } else {
        n
    }
}

/// A trial: its name, and what it does with the library at a path.
type Trial = (&'static str, fn(&Path));

/// Lists functions that take an open library.
macro_rules! trials {
    ($($module:ident: $($name:ident),* $(,)?;)*) => {
        &[$($((stringify!($name), |path| $module::$name(&Plugin::open(path))),)*)*]
    };
}

/// All that open the library once, and use it.
const TRIALS: &[Trial] = trials! {
    structs:
        error_buffers_of_every_size_are_respected,
        a_null_error_buffer_is_allowed,
        hosts_of_every_size_are_read_within_it,
        a_host_that_is_null_or_misaligned_is_refused,
        tables_too_short_to_be_tables_are_refused_by_name,
        tables_without_functions_are_named_in_the_status,
        tables_longer_than_known_work,
        missing_services_are_named_in_the_status,
        unknown_pids_and_bad_names_are_refused,
        sinks_without_a_function_are_refused;
    lifecycle:
        calls_out_of_order_are_refused_and_harmless,
        destroy_while_active_ends_the_threads,
        an_instance_can_be_activated_again_and_again,
        no_instance_and_foreign_instances_are_refused,
        unknown_extensions_are_null,
        an_ended_watch_is_not_called_again,
        a_watch_survives_deactivation,
        two_instances_do_not_know_each_other,
        ending_an_instance_from_its_own_thread_is_refused,
        an_update_from_inside_update_own_is_taken;
    threads:
        control_calls_from_many_threads_are_busy_or_done,
        documents_can_be_read_while_the_instance_starts_and_stops;
    properties:
        broken_lists_are_refused_whole,
        every_bound_of_a_list_is_checked_from_both_sides,
        a_refused_list_leaves_the_instance_as_it_was,
        a_list_of_longer_records_is_read_by_its_own_stride;
    callbacks:
        statuses_from_nowhere_are_errors,
        results_that_are_no_results_are_errors,
        keystore_entries_that_are_no_entries_are_errors,
        configurations_that_are_no_configurations_are_errors,
        facts_of_any_text_are_taken_as_text,
        an_error_without_text_is_still_an_error;
    in_flight:
        deactivate_waits_for_a_host_call_in_flight_and_no_longer,
        control_calls_beside_a_running_one_are_busy,
        a_host_call_in_flight_can_read_the_status_while_the_instance_ends;
};

/// Lists functions that load the library themselves.
macro_rules! loading {
    ($($module:ident: $($name:ident),* $(,)?;)*) => {
        &[$($((stringify!($name), $module::$name),)*)*]
    };
}

/// All that are about the library as such, or about time and memory.
const LOADING: &[Trial] = loading! {
    loading:
        loading_changes_nothing_in_the_process,
        two_copies_of_the_library_run_side_by_side,
        a_newer_copy_takes_over_from_a_running_one,
        an_unused_library_can_be_unloaded;
    surroundings:
        sigpipe_remains_what_the_host_made_it,
        signals_for_the_host_are_left_to_its_threads,
        an_instance_that_runs_at_exit_does_no_harm,
        a_forked_child_is_refused_and_the_parent_goes_on,
        a_library_that_is_closed_too_early_stays_while_its_thread_runs,
        control_calls_need_little_stack,
        a_lack_of_descriptors_passes_by_itself;
    cycles:
        disabled_instances_leave_nothing_behind,
        lives_without_a_broker_leave_nothing_behind,
        lives_with_a_broker_silent_in_tls_leave_nothing_behind,
        lives_with_a_broker_silent_in_mqtt_leave_nothing_behind,
        activations_without_a_broker_leave_nothing_behind,
        activations_with_a_broker_silent_in_tls_leave_nothing_behind,
        activations_with_a_broker_silent_in_mqtt_leave_nothing_behind;
};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let all = || TRIALS.iter().chain(LOADING);
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--list"] => all().for_each(|(name, _)| println!("{name}")),
        // For a memory checker: one process for all that are about memory.
        ["--all", library] => {
            UNTIMED.store(true, Ordering::Relaxed);
            for (name, trial) in TRIALS {
                eprintln!("{name}");
                trial(Path::new(library));
            }
        }
        // What every component library has to do: see component-check.
        ["--check", name, library] => {
            let code = component_check::run_trial(name, Path::new(library));
            std::process::exit(i32::from(code));
        }
        [name, library] => {
            let (_, trial) = all()
                .find(|(known, _)| *known == name)
                .unwrap_or_else(|| panic!("no trial {name}"));
            trial(Path::new(library));
        }
        _ => panic!("usage: trial NAME LIBRARY"),
    }
}
