//! `gateway check-plugin` with libraries in C: one that keeps to the contract, and those that break
//! it in one place each.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{finished, gateway};

/// Builds the component, broken by `macro`; `None` where there is no C compiler.
fn build(folder: &Path, fault: Option<&str>) -> Option<PathBuf> {
    if Command::new("cc").arg("--version").output().is_err() {
        println!("skipped: no C compiler");
        return None;
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let library = folder.join("libcomponent.so");
    let mut compiler = Command::new("cc");
    compiler
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pthread"])
        .args(["-shared", "-fPIC", "-fvisibility=hidden"])
        .args(fault.map(|fault| format!("-D{fault}")))
        .arg("-I")
        .arg(here.join("../../include"))
        .arg("-I")
        .arg(here.join("../../tests/applications/heater"))
        .arg("-o")
        .arg(&library)
        .arg(here.join("../check/tests/plugin/component.c"));
    let output = finished(&mut compiler);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(library)
}

fn check(library: &Path, arguments: &[&str]) -> Output {
    let mut command = gateway();
    finished(command.arg("check-plugin").arg(library).args(arguments))
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("JSON on standard output")
}

/// The verdict of one trial and its reason.
fn verdict<'a>(report: &'a Value, trial: &str) -> (&'a str, &'a str) {
    let all = report["trials"].as_array().unwrap();
    let one = all.iter().find(|one| one["trial"] == trial).expect(trial);
    (
        one["verdict"].as_str().unwrap(),
        one["reason"].as_str().unwrap(),
    )
}

#[test]
fn a_component_that_keeps_to_the_contract_passes_every_trial() {
    let folder = tempfile::tempdir().unwrap();
    let Some(library) = build(folder.path(), None) else {
        return;
    };
    let output = check(&library, &[]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.ends_with(" passed, 0 failed\n"), "{text}");
    let report = json(&check(&library, &["--json"]));
    assert_eq!(report["passed"], true, "{report:#}");
    let rules: std::collections::BTreeSet<u64> = report["trials"]
        .as_array()
        .unwrap()
        .iter()
        .map(|trial| trial["rule"].as_u64().unwrap())
        .collect();
    assert_eq!(rules, (1..=9).collect());
}

#[test]
fn the_example_application_passes_every_trial_as_others_copy_it() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("libheater.so");
    std::fs::write(&library, applications::Application::heater("1.0").library()).unwrap();
    let output = check(&library, &[]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
}

/// What breaks, the trial that sees it, its verdict, and a part of the reason.
fn faulty(fault: &str, trial: &str, expected: &str, reason: &str) {
    let folder = tempfile::tempdir().unwrap();
    let Some(library) = build(folder.path(), Some(fault)) else {
        return;
    };
    // The deadline is for the one that hangs.
    let output = check(&library, &["--json", "--only", trial, "--deadline", "10"]);
    assert_eq!(output.status.code(), Some(i32::from(expected != "pass")));
    let report = json(&output);
    let (word, why) = verdict(&report, trial);
    assert_eq!(word, expected, "{why}");
    assert!(why.contains(reason), "{why}");
    assert_eq!(verdict(&report, "it_is_a_component_library").0, "pass");
}

macro_rules! faults {
    ($($test:ident: $fault:literal, $trial:literal, $verdict:literal, $reason:literal;)*) => {
        $(#[test]
        fn $test() {
            faulty($fault, $trial, $verdict, $reason);
        })*
    };
}

faults! {
    a_crash_is_a_verdict_with_its_signal:
        "CRASHES_IN_ACTIVATE", "an_instance_lives_with_its_defaults", "crash", "SIGSEGV";
    a_library_that_ends_the_process_has_not_passed:
        "EXITS", "an_instance_lives_with_its_defaults", "fail", "ended the process with exit code 0";
    an_extra_symbol_is_named:
        "EXPORTS_MORE", "it_exports_its_doors_only", "fail", "helper";
    a_change_at_load_is_named:
        "HANDLES_SIGNALS", "loading_changes_nothing_in_the_process", "fail", "signal handlers";
    a_wrong_major_that_is_accepted_is_seen:
        "ACCEPTS_EVERY_MAJOR", "another_major_version_is_refused", "fail", "gwc_entry(0)";
    a_size_that_is_not_looked_at_is_seen:
        "IGNORES_SIZES", "a_host_struct_of_any_size_is_read_within_it", "crash", "SIG";
    a_metatype_that_cannot_be_read_is_seen:
        "BROKEN_METATYPE", "metatypes_are_read_and_name_their_pids", "fail", "Number";
    an_error_written_beyond_its_buffer_is_seen:
        "OVERWRITES_ERRORS", "error_buffers_are_written_within_their_size", "crash", "SIG";
    an_output_written_without_success_is_seen:
        "WRITES_OUTPUTS_ON_FAILURE", "outputs_are_written_on_success_only", "fail", "wrote its output";
    a_thread_that_is_left_is_seen:
        "LEAVES_A_THREAD", "no_thread_and_no_call_outlives_the_instance", "fail", "1 threads are left";
    a_slow_deactivate_is_seen:
        "BLOCKS_IN_DEACTIVATE", "deactivate_is_in_time", "fail", "at most 250";
    a_hang_is_ended_at_the_deadline:
        "HANGS_IN_DEACTIVATE", "an_instance_lives_with_its_defaults", "hang", "within 10 s";
    a_hang_behind_a_closed_output_is_ended_at_the_deadline:
        "CLOSES_ITS_OUTPUT_AND_HANGS", "an_instance_lives_with_its_defaults", "hang", "within 10 s";
    a_library_that_closes_the_standard_streams_is_named:
        "TAKES_THE_STREAMS", "a_life_changes_nothing_in_the_process", "fail", "the standard streams";
    a_result_is_heard_without_standard_streams:
        "TAKES_THE_STREAMS", "an_instance_lives_with_its_defaults", "pass", "";
    a_result_is_heard_behind_any_amount_of_output:
        "FLOODS_ITS_OUTPUT", "an_instance_lives_with_its_defaults", "pass", "";
    a_process_that_is_left_is_named:
        "LEAVES_A_PROCESS", "an_instance_lives_with_its_defaults", "fail", "left a process behind";
    a_library_that_forks_into_the_trial_does_not_multiply_it:
        "FORKS_AND_RETURNS", "an_instance_can_be_activated_again", "fail", "left a process behind";
    a_signal_handler_that_is_changed_in_life_is_named:
        "IGNORES_SIGPIPE", "a_life_changes_nothing_in_the_process", "fail", "signal handlers";
    a_leak_of_memory_is_seen:
        "LEAKS", "lives_leave_no_memory_behind", "fail", "30 lives left";
    a_second_activate_that_is_taken_is_seen:
        "ACTIVATES_TWICE", "calls_out_of_order_are_refused_and_harmless", "fail", "a second activate was not refused";
}

#[test]
fn what_is_no_component_library_is_named_and_nothing_else_is_tried() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.so");
    std::fs::write(&text, "not a library").unwrap();
    let mut files = vec![(text, "not an ELF file")];
    files.extend(build(folder.path(), Some("HAS_NO_DOOR")).map(|path| (path, "exports no")));
    for (file, reason) in files {
        let output = check(&file, &["--json"]);
        assert_eq!(output.status.code(), Some(1));
        let report = json(&output);
        let (word, why) = verdict(&report, "it_is_a_component_library");
        assert_eq!(word, "fail");
        assert!(why.contains(reason), "{why}");
        assert_eq!(verdict(&report, "deactivate_is_in_time"), ("skipped", ""));
    }
}

#[test]
fn a_file_or_a_trial_that_is_not_there_is_said() {
    let output = check(Path::new("/no/such/library.so"), &[]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("/no/such/library.so"), "{error}");
    let output = check(Path::new("/dev/null"), &["--only", "no_such_trial"]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("no_such_trial"), "{error}");
}
