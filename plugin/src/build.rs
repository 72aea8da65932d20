//! When the component was built (`build.rs`).

/// RFC 3339, UTC.
pub const DATE: &str = env!("GWC_BUILD_DATE");

/// Seconds since 1970.
pub fn unix() -> i64 {
    env!("GWC_BUILD_UNIX").parse().unwrap_or(0)
}
