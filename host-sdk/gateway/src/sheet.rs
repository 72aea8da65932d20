//! The identity sheet of a component (`gwc.identity/1`) in forms that travel without typing: a
//! line of JSON, a line of comma-separated values, a QR code for the terminal.
//!
//! Pure: the component's document in, text out. It does not know where an identity comes from;
//! `gateway identity` calls it.

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use serde_json::{Map, Value};
use thiserror::Error;

/// What a provision request asks for, in this order.
pub const FIELDS: [&str; 5] = [
    "client_id",
    "username",
    "serial_number",
    "mac_address",
    "model",
];

/// Why there is no code.
#[derive(Debug, Error)]
#[error("{0} bytes do not fit a QR code")]
pub struct TooLong(usize);

/// One line of JSON with what is known; unknown values are left out.
#[must_use]
pub fn json_line(sheet: &Value) -> String {
    let known: Map<String, Value> = FIELDS
        .iter()
        .filter_map(|field| Some(((*field).to_owned(), sheet.get(field)?.clone())))
        .filter(|(_, value)| !value.is_null())
        .collect();
    Value::Object(known).to_string()
}

/// The heading of [`csv_line`].
#[must_use]
pub fn csv_heading() -> String {
    FIELDS.join(",")
}

/// One line as RFC 4180 has it; unknown values are empty.
#[must_use]
pub fn csv_line(sheet: &Value) -> String {
    let cell = |field: &&str| {
        let text = sheet.get(field).and_then(Value::as_str).unwrap_or_default();
        if text.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.to_owned()
        }
    };
    FIELDS.iter().map(cell).collect::<Vec<_>>().join(",")
}

/// `text` as a QR code of half blocks, two modules to a character, with its quiet zone: light on
/// a dark terminal, which is what most are. Scanners read the reverse as well.
///
/// # Errors
/// [`TooLong`] above what a code holds, a little under 2,400 bytes.
pub fn qr(text: &str) -> Result<String, TooLong> {
    let code =
        QrCode::with_error_correction_level(text, EcLevel::M).map_err(|_| TooLong(text.len()))?;
    Ok(code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .quiet_zone(true)
        .build())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_holds_what_is_known_and_no_line_feed() {
        let sheet = json!({"client_id": "0011", "username": null, "model": "a\nb",
                           "sources": {"client_id": "derived"}});
        assert_eq!(json_line(&sheet), r#"{"client_id":"0011","model":"a\nb"}"#);
        assert_eq!(
            csv_line(&json!({"client_id": "0011", "model": "R, \"2\""})),
            r#"0011,,,,"R, ""2""""#
        );
        assert_eq!(
            csv_heading().split(',').count(),
            csv_line(&sheet).split(',').count()
        );
    }

    /// What a scanner reads on a terminal whose characters are light on dark, two modules each.
    fn scan(code: &str) -> String {
        const PIXELS: usize = 4;
        let lines: Vec<Vec<char>> = code.lines().map(|line| line.chars().collect()).collect();
        let light = |x: usize, y: usize| {
            let upper = y.is_multiple_of(2);
            match lines.get(y / 2).and_then(|line| line.get(x)) {
                Some('█') => true,
                Some('▀') => upper,
                Some('▄') => !upper,
                _ => false,
            }
        };
        let (width, height) = (lines.first().unwrap().len(), lines.len() * 2);
        let mut image =
            rqrr::PreparedImage::prepare_from_greyscale(width * PIXELS, height * PIXELS, |x, y| {
                if light(x / PIXELS, y / PIXELS) {
                    255
                } else {
                    0
                }
            });
        let grids = image.detect_grids();
        let (_, text) = grids.first().unwrap().decode().unwrap();
        text
    }

    #[test]
    fn a_scanner_reads_the_sheet_off_the_terminal_as_it_stands_in_it() {
        let full = json!({"client_id": "0011AABBCCDD", "username": "0011AABBCCDD-SN/1+#é",
                          "serial_number": "SN/1+#é", "mac_address": "0011AABBCCDD",
                          "model": "R, \"2\""});
        for line in [json_line(&full), csv_line(&full)] {
            assert_eq!(scan(&qr(&line).unwrap()), line);
        }
    }

    #[test]
    fn a_code_is_square_and_changes_with_its_text() {
        let one = qr("{\"client_id\":\"0011AABBCCDD\"}").unwrap();
        let lines: Vec<&str> = one.lines().collect();
        let width = lines.first().unwrap().chars().count();
        assert!(lines.iter().all(|line| line.chars().count() == width));
        assert_eq!(lines.len(), width.div_ceil(2));
        // The quiet zone is light where the terminal is dark.
        assert!(lines.first().unwrap().chars().all(|module| module == '█'));
        assert_ne!(one, qr("{\"client_id\":\"0011AABBCCDE\"}").unwrap());
        assert!(qr(&"x".repeat(5000)).is_err());
    }
}
