//! Times of day as documents carry them (RFC 3339), and spans as people read them.
//!
//! It keeps no time and decides nothing by it; the progress view and the command line
//! call it to show countdowns.

use jiff::Timestamp;

/// Seconds from now until `text`, negative once it has passed; `None` where it is no RFC 3339.
#[must_use]
pub fn seconds_until(text: &str, now: Timestamp) -> Option<i64> {
    let then: Timestamp = text.parse().ok()?;
    Some(then.as_second() - now.as_second())
}

/// Seconds between two RFC 3339 times; `None` where one is none.
#[must_use]
pub fn seconds_between(from: &str, to: &str) -> Option<f64> {
    let from: Timestamp = from.parse().ok()?;
    let to: Timestamp = to.parse().ok()?;
    // Milliseconds are as fine as anybody reads; the quotient of two small numbers is exact enough.
    #[allow(clippy::cast_precision_loss)]
    Some((to.as_millisecond() - from.as_millisecond()) as f64 / 1000.0)
}

/// `42 s`, `3 min 05 s`, `2 h 10 min`; never negative.
#[must_use]
pub fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match seconds {
        0..=89 => format!("{seconds} s"),
        90..=5399 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_countdown_is_counted_from_now_in_any_offset() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(seconds_until("2026-01-01T01:00:42+01:00", now), Some(42));
        assert_eq!(seconds_until("soon", now), None);
    }

    #[test]
    fn spans_read_like_a_person_says_them() {
        assert_eq!(span(-3), "0 s");
        assert_eq!(span(89), "89 s");
        assert_eq!(span(185), "3 min 05 s");
        assert_eq!(span(7800), "2 h 10 min");
    }
}
