#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
use super::*;
use crate::trust::replay::REMEMBERED_IDS;

const NOW: i64 = 1_795_000_000_000;

/// Opened where the file is as new as it is, whatever that is.
fn open(folder: &Path) -> Accepted {
    Accepted::open(folder, |written| written).unwrap()
}

/// Opened where the file was last written at `written_ms`.
fn written(folder: &Path, written_ms: i64) -> Accepted {
    Accepted::open(folder, |_| written_ms).unwrap()
}

fn replayed(verdict: Result<(), NotAccepted>) -> bool {
    matches!(verdict, Err(NotAccepted::Before(_)))
}

fn damaged(verdict: Result<(), NotAccepted>) -> bool {
    matches!(verdict, Err(NotAccepted::Damaged { .. }))
}

#[test]
fn what_was_accepted_is_known_after_a_restart_and_what_was_not_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let mut accepted = open(dir.path());
    assert!(!dir.path().join(NAME).exists());
    // The second one by a platform whose clock is ahead of ours.
    let before = [("a", NOW), ("ahead", NOW + 290_000), ("c", NOW + 5)];
    for (id, at) in before {
        accepted.accept(id, at).unwrap();
        assert!(replayed(accepted.accept(id, at)));
    }
    for restart in 0..3 {
        let mut accepted = open(dir.path());
        for (id, at) in before {
            assert!(replayed(accepted.accept(id, at)), "{id}");
        }
        // Whether it is signed before the others or after them.
        for at in [NOW - 200_000, NOW + 6] {
            accepted.accept(&format!("{restart} {at}"), at).unwrap();
        }
    }
}

#[test]
fn the_clock_was_at_most_a_window_before_the_latest_message() {
    let dir = tempfile::tempdir().unwrap();
    let mut accepted = open(dir.path());
    assert_eq!(accepted.good_time_ms(), 0);
    accepted.accept("late", NOW + 9).unwrap();
    accepted.accept("early", NOW).unwrap();
    for accepted in [accepted, open(dir.path())] {
        assert_eq!(accepted.good_time_ms(), NOW + 9 - 300_000);
    }
}

#[test]
fn a_line_torn_at_any_byte_counts_as_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(NAME);
    let mut accepted = open(dir.path());
    accepted.accept("a", NOW).unwrap();
    let before = fs::read(&path).unwrap();
    accepted.accept("b", NOW).unwrap();
    let after = fs::read(&path).unwrap();
    for end in before.len()..after.len() {
        fs::write(&path, &after[..end]).unwrap();
        let mut accepted = open(dir.path());
        assert!(replayed(accepted.accept("a", NOW)), "cut at {end}");
        accepted.accept("b", NOW).unwrap();
        assert_eq!(fs::read(&path).unwrap(), after, "cut at {end}");
    }
}

#[test]
fn a_damaged_file_takes_nothing_that_it_can_have_held_and_all_that_comes_later() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(NAME);
    let mut accepted = open(dir.path());
    for (id, at) in [("a", NOW + 290_000), ("b", NOW + 1)] {
        accepted.accept(id, at).unwrap();
    }
    let whole = fs::read(&path).unwrap();
    let last_line = whole.len() - 1;
    let ends = (0..whole.len()).filter(|at| whole[*at] == b'\n');
    let damage = (0..whole.len()).step_by(7).chain(ends).map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        (format!("octet {at}"), bytes)
    });
    let gone = [
        ("emptied".to_owned(), Vec::new()),
        ("zeros".to_owned(), vec![0; whole.len()]),
        ("too long".to_owned(), vec![b'\n'; MAX_SIZE as usize + 1]),
    ];
    for (what, bytes) in damage.chain(gone) {
        fs::write(&path, &bytes).unwrap();
        if bytes.last() != Some(&b'\n') && bytes.len() == whole.len() && bytes[last_line] != 0 {
            continue; // An unfinished line.
        }
        // Its clock said NOW + 2 when it was written.
        let mut accepted = written(dir.path(), NOW + 2);
        let end = NOW + 2 + 300_000 + 2_000;
        for (id, at) in [("a", NOW + 290_000), ("b", NOW + 1), ("new", end)] {
            let verdict = accepted.accept(id, at);
            assert!(damaged(verdict), "{what}: {id}");
        }
        accepted.accept("later", end + 1).unwrap();
        // Whatever the clock says then.
        let mut accepted = written(dir.path(), 0);
        assert!(damaged(accepted.accept("b", NOW + 1)), "{what}");
        assert!(replayed(accepted.accept("later", end + 1)), "{what}");
    }
}

#[test]
fn what_is_left_of_a_damaged_file_counts_on_the_safe_side() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(NAME);
    let mut accepted = open(dir.path());
    accepted.accept("a", NOW).unwrap();
    fs::write(&path, [fs::read(&path).unwrap(), b"x\n".to_vec()].concat()).unwrap();
    let accepted = written(dir.path(), 0);
    assert_eq!(accepted.said.damaged_until_ms, Some(NOW));
    assert_eq!(accepted.good_time_ms(), NOW - 300_000);
    // And so once more.
    fs::write(&path, [fs::read(&path).unwrap(), b"x\n".to_vec()].concat()).unwrap();
    let accepted = written(dir.path(), 0);
    assert_eq!(accepted.said.damaged_until_ms, Some(NOW));
}

#[test]
fn a_file_that_cannot_be_read_is_a_damaged_one_and_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (path, other) = (dir.path().join(NAME), dir.path().join("other"));
    fs::write(&other, "somebody's").unwrap();
    std::os::unix::fs::symlink(&other, &path).unwrap();
    let mut accepted = written(dir.path(), NOW);
    assert!(damaged(accepted.accept("a", NOW + 302_000)));
    accepted.accept("b", NOW + 302_001).unwrap();
    assert!(fs::symlink_metadata(&path).unwrap().is_file());
    assert_eq!(fs::read(&other).unwrap(), b"somebody's");
}

#[test]
fn what_cannot_be_written_down_is_not_accepted_until_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("folder");
    let mut accepted = Accepted::open(&folder, |at| at).unwrap();
    for _ in 0..2 {
        let verdict = accepted.accept("a", NOW);
        assert!(matches!(verdict, Err(NotAccepted::Io { .. })));
    }
    fs::create_dir(&folder).unwrap();
    accepted.accept("a", NOW).unwrap();
    assert!(replayed(open(&folder).accept("a", NOW)));
    // Nor is what has been put in its place.
    let other = dir.path().join("other");
    fs::create_dir_all(other.join(NAME)).unwrap();
    let refused = Accepted::open(&other, |at| at);
    assert!(matches!(refused, Err(NotAccepted::Io { .. })));
}

#[test]
fn a_gateway_that_is_told_much_for_years_keeps_the_last_ten_minutes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(NAME);
    let mut accepted = open(dir.path());
    let mut sizes = Vec::new();
    let at = |n: i64| NOW + n * 10_000;
    const MANY: i64 = 700;
    for n in 0..MANY {
        accepted.accept(&n.to_string(), at(n)).unwrap();
        sizes.push(fs::metadata(&path).unwrap().len());
    }
    assert!(sizes.iter().max().unwrap() < &(REWRITE_ABOVE + 1000));
    assert!(sizes.windows(2).any(|two| two[1] < two[0] / 4), "{sizes:?}");
    // What is older than 600 s before the last one no clock that can be believed makes fresh.
    let mut accepted = open(dir.path());
    for n in 0..MANY {
        assert!(replayed(accepted.accept(&n.to_string(), at(n))), "{n}");
    }
    accepted.accept("within them", at(MANY - 59)).unwrap();
}

#[test]
fn a_flood_from_a_trusted_signer_closes_the_window_and_fills_no_disk() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(NAME);
    let mut accepted = open(dir.path());
    // As if accepted one after the other, without a wait for the disk each.
    for n in 0..REMEMBERED_IDS as i64 {
        accepted.said.remember(digest_of(&n.to_string()), NOW + n);
    }
    accepted.rewrite().unwrap();
    let full = fs::metadata(&path).unwrap().len();
    assert!(full < 600_000, "{full}");
    // The next lines are added; when there are as many again, all are written anew.
    for n in REMEMBERED_IDS as i64..REMEMBERED_IDS as i64 + 10 {
        if n == REMEMBERED_IDS as i64 + 9 {
            assert!(fs::metadata(&path).unwrap().len() > full + 900);
            accepted.rewritten = full / 2;
        }
        accepted.accept(&n.to_string(), NOW + n).unwrap();
    }
    let again = fs::metadata(&path).unwrap().len();
    assert!(again.abs_diff(full) < 100, "{again} after {full}");
    for mut accepted in [accepted, open(dir.path())] {
        assert!(replayed(accepted.accept("9", NOW + 9)));
        assert!(replayed(accepted.accept("never seen", NOW + 9)));
        assert!(replayed(accepted.accept("10", NOW + 10)));
        accepted.accept("new", NOW + 10).unwrap();
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    /// Whichever octets the disk gives back instead of those that were written.
    #[test]
    fn nothing_is_accepted_again_whatever_becomes_of_the_file(
        times in proptest::collection::vec(-300_000i64..300_000, 1..12),
        changes in proptest::collection::vec((0usize..4096, 1u8..), 1..6),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        let ids: Vec<_> = (0..times.len()).map(|n| n.to_string()).collect();
        let mut said = Said::default();
        for (id, at) in ids.iter().zip(&times) {
            said.remember(digest_of(id), NOW + at);
        }
        let mut bytes = said.lines().unwrap();
        // An unfinished last line is one that nobody was told of.
        let changeable = bytes.len() - 1;
        for (at, change) in changes {
            bytes[at % changeable] ^= change;
        }
        fs::write(&path, bytes).unwrap();
        for _ in 0..2 {
            let mut accepted = written(dir.path(), NOW);
            for (id, at) in ids.iter().zip(&times) {
                proptest::prop_assert!(accepted.accept(id, NOW + at).is_err(), "{}", id);
            }
            let later = NOW + 302_001;
            proptest::prop_assert!(!damaged(accepted.accept("new", later)));
        }
    }
}
