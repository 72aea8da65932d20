//! Points in time as the database and people write them.

use jiff::Timestamp;
use std::time::Duration;

/// Milliseconds since 1970, UTC.
pub type Millis = i64;

/// Now.
pub fn now() -> Millis {
    Timestamp::now().as_millisecond()
}

/// The time from now until then; zero if it has passed.
pub fn until(then: Millis) -> Duration {
    Duration::from_millis(u64::try_from(then - now()).unwrap_or(0))
}

/// RFC 3339 in UTC, to the second.
pub fn text(time: Millis) -> String {
    match Timestamp::from_second(time.div_euclid(1000)) {
        Ok(time) => time.to_string(),
        Err(_) => format!("{time} ms"),
    }
}

/// Reads `now`, a time from now (`+90s`, `+30m`, `+2h`, `-1d`) or RFC 3339
/// (`2030-01-31T12:00:00Z`).
pub fn parse(input: &str) -> Result<Millis, String> {
    let wrong =
        || format!("{input:?} is no time: write now, +90s, +30m, +2h, +7d or 2030-01-31T12:00:00Z");
    if input == "now" {
        return Ok(now());
    }
    if input.starts_with(['+', '-']) {
        let unit = input.chars().last().ok_or_else(wrong)?;
        let second = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        let number: i64 = input.trim_end_matches(unit).parse().map_err(|_| wrong())?;
        let offset = number.checked_mul(second * 1000).ok_or_else(wrong)?;
        return now().checked_add(offset).ok_or_else(wrong);
    }
    input
        .parse::<Timestamp>()
        .map(|t| t.as_millisecond())
        .map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(parse("1970-01-01T00:01:00Z").unwrap(), 60_000);
        assert_eq!(text(60_000), "1970-01-01T00:01:00Z");
        let hour = parse("+1h").unwrap() - now();
        assert!((3_590_000..=3_600_000).contains(&hour), "{hour}");
        assert!(parse("-1d").unwrap() < now());
        for wrong in [
            "",
            "+",
            "+1",
            "+h",
            "+1w",
            "tomorrow",
            "2030-01-31",
            "+99999999999999999d",
        ] {
            assert!(parse(wrong).unwrap_err().contains("is no time"), "{wrong}");
        }
    }
}
