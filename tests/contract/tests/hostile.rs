//! Whatever a host does, it gets an error or a clear status, and the process lives: each trial
//! runs in a process of its own, against the library that Cargo just built.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use contract::{plugin_library, process};

const DEADLINE: Duration = Duration::from_secs(240);

fn run(trial: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trial"));
    let output =
        process::run(command.arg(trial).arg(plugin_library()), DEADLINE).expect_success(trial);
    print!("{output}");
}

macro_rules! trials {
    ($($name:ident)*) => {
        const TRIALS: &[&str] = &[$(stringify!($name)),*];
        $(#[test] fn $name() { run(stringify!($name)); })*
    };
}

trials! {
    error_buffers_of_every_size_are_respected
    a_null_error_buffer_is_allowed
    hosts_of_every_size_are_read_within_it
    a_host_that_is_null_or_misaligned_is_refused
    tables_too_short_to_be_tables_are_refused_by_name
    tables_without_functions_are_named_in_the_status
    tables_longer_than_known_work
    missing_services_are_named_in_the_status
    unknown_pids_and_bad_names_are_refused
    sinks_without_a_function_are_refused

    calls_out_of_order_are_refused_and_harmless
    destroy_while_active_ends_the_threads
    an_instance_can_be_activated_again_and_again
    no_instance_and_foreign_instances_are_refused
    unknown_extensions_are_null
    an_ended_watch_is_not_called_again
    a_watch_survives_deactivation
    two_instances_do_not_know_each_other
    ending_an_instance_from_its_own_thread_is_refused
    an_update_from_inside_update_own_is_taken

    control_calls_from_many_threads_are_busy_or_done
    documents_can_be_read_while_the_instance_starts_and_stops

    broken_lists_are_refused_whole
    every_bound_of_a_list_is_checked_from_both_sides
    a_refused_list_leaves_the_instance_as_it_was
    a_list_of_longer_records_is_read_by_its_own_stride

    statuses_from_nowhere_are_errors
    results_that_are_no_results_are_errors
    keystore_entries_that_are_no_entries_are_errors
    configurations_that_are_no_configurations_are_errors
    facts_of_any_text_are_taken_as_text
    an_error_without_text_is_still_an_error

    deactivate_waits_for_a_host_call_in_flight_and_no_longer
    control_calls_beside_a_running_one_are_busy
    a_host_call_in_flight_can_read_the_status_while_the_instance_ends

    loading_changes_nothing_in_the_process
    two_copies_of_the_library_run_side_by_side
    a_newer_copy_takes_over_from_a_running_one
    an_unused_library_can_be_unloaded

    sigpipe_remains_what_the_host_made_it
    signals_for_the_host_are_left_to_its_threads
    an_instance_that_runs_at_exit_does_no_harm
    a_forked_child_is_refused_and_the_parent_goes_on
    a_library_that_is_closed_too_early_stays_while_its_thread_runs
    control_calls_need_little_stack
    a_lack_of_descriptors_passes_by_itself

    disabled_instances_leave_nothing_behind
    lives_without_a_broker_leave_nothing_behind
    lives_with_a_broker_silent_in_tls_leave_nothing_behind
    lives_with_a_broker_silent_in_mqtt_leave_nothing_behind
    activations_without_a_broker_leave_nothing_behind
    activations_with_a_broker_silent_in_tls_leave_nothing_behind
    activations_with_a_broker_silent_in_mqtt_leave_nothing_behind
}

#[test]
fn every_trial_is_run() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trial"));
    let listed = process::run(command.arg("--list"), DEADLINE).expect_success("--list");
    assert_eq!(
        listed.lines().collect::<BTreeSet<_>>(),
        TRIALS.iter().copied().collect()
    );
}

#[test]
fn the_library_passes_what_every_component_library_has_to() {
    let library = plugin_library();
    let child = |trial: &component_check::Trial| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trial"));
        command.args(["--check", trial.name]).arg(&library);
        command
    };
    let mut done = |outcome: &component_check::Outcome| println!("{outcome:?}");
    let report = component_check::check(&library, &[], DEADLINE, &child, &mut done);
    assert!(report.passed(), "{}", report.summary());
}

#[test]
fn a_crash_would_be_seen() {
    // The same harness, and no library to load: a panic is a failure with its reason.
    let mut command = Command::new(env!("CARGO_BIN_EXE_trial"));
    command
        .arg("unknown_extensions_are_null")
        .arg("/nowhere.so");
    let ended = process::run(&mut command, DEADLINE);
    assert!(!ended.status.expect("it ended").success());
    assert!(ended.stderr.contains("/nowhere.so"), "{}", ended.stderr);
}

#[test]
fn no_trial_touches_memory_that_is_not_its_own() {
    let checker = Command::new("valgrind").arg("--version").output();
    if !checker.is_ok_and(|output| output.status.success()) {
        println!("skipped: no valgrind");
        return;
    }
    let mut command = Command::new("valgrind");
    command
        .args([
            "--error-exitcode=99",
            // Without it, a thread that computes may keep all others from running for seconds.
            "--fair-sched=try",
            "--leak-check=full",
            "--errors-for-leak-kinds=definite",
        ])
        .arg("--show-leak-kinds=definite")
        .args([env!("CARGO_BIN_EXE_trial"), "--all"])
        .arg(plugin_library());
    process::run(&mut command, 2 * DEADLINE).expect_success("valgrind");
}
