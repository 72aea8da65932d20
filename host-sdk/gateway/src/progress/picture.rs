//! Rows at the bottom of a terminal, of which only those that changed are written again.
//!
//! Pure: rows in, bytes for the terminal out. A serial console moves a kilobyte a second; a picture
//! that is written whole for each second of a countdown would keep it busy. Called by `terminal`.

/// What stands on the terminal. The cursor is at the start of the row below.
#[derive(Debug, Default)]
pub struct Picture {
    rows: Vec<String>,
}

impl Picture {
    /// What turns the picture into `rows`; nothing where it is the same.
    ///
    /// No row may be wider than the terminal, nor the picture higher: the cursor would be elsewhere.
    #[must_use]
    pub fn becomes(&mut self, rows: Vec<String>) -> String {
        let changed = |at: usize| self.rows.get(at) != rows.get(at);
        let Some(first) = (0..self.rows.len().max(rows.len())).find(|at| changed(*at)) else {
            return String::new();
        };
        let mut out = up(self.rows.len().saturating_sub(first));
        let mut passed = 0;
        for (at, row) in rows.iter().enumerate().skip(first) {
            if changed(at) {
                out.push_str(&down(std::mem::take(&mut passed)));
                out.push_str(row);
                // Erase what was longer.
                out.push_str("\x1b[K\r\n");
            } else {
                passed += 1;
            }
        }
        out.push_str(&down(passed));
        if rows.len() < self.rows.len() {
            out.push_str("\x1b[J");
        }
        self.rows = rows;
        out
    }

    /// What takes it off the terminal, and what puts it back: something may be written between.
    #[must_use]
    pub fn around(&self) -> (String, String) {
        if self.rows.is_empty() {
            return (String::new(), String::new());
        }
        let away = format!("{}\x1b[J", up(self.rows.len()));
        let back = self.rows.iter().map(|row| format!("{row}\r\n")).collect();
        (away, back)
    }
}

fn up(rows: usize) -> String {
    match rows {
        0 => String::new(),
        rows => format!("\x1b[{rows}A"),
    }
}

fn down(rows: usize) -> String {
    match rows {
        0 => String::new(),
        rows => format!("\x1b[{rows}B"),
    }
}

/// `line` on at most `width` columns, without what would move the cursor.
#[must_use]
pub fn cut(line: &str, width: usize) -> String {
    let mut shown = line.chars().filter(|c| !c.is_control());
    let mut out: String = shown.by_ref().take(width).collect();
    if shown.next().is_some() && out.pop().is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[&str]) -> Vec<String> {
        rows.iter().map(|row| (*row).to_owned()).collect()
    }

    #[test]
    fn only_what_changed_is_written_again() {
        let mut picture = Picture::default();
        assert_eq!(
            picture.becomes(rows(&["9 s", "a", "b"])),
            "9 s\x1b[K\r\na\x1b[K\r\nb\x1b[K\r\n"
        );
        assert_eq!(picture.becomes(rows(&["9 s", "a", "b"])), "");
        assert_eq!(
            picture.becomes(rows(&["8 s", "a", "b"])),
            "\x1b[3A8 s\x1b[K\r\n\x1b[2B"
        );
        assert_eq!(
            picture.becomes(rows(&["8 s", "a", "c"])),
            "\x1b[1Ac\x1b[K\r\n"
        );
        assert_eq!(picture.becomes(rows(&["8 s", "a"])), "\x1b[1A\x1b[J");
        assert_eq!(picture.becomes(rows(&["8 s", "a", "d"])), "d\x1b[K\r\n");
    }

    #[test]
    fn what_is_said_between_does_not_mix_with_the_picture() {
        let mut picture = Picture::default();
        assert_eq!(picture.around(), (String::new(), String::new()));
        let _ = picture.becomes(rows(&["a", "b"]));
        assert_eq!(
            picture.around(),
            ("\x1b[2A\x1b[J".to_owned(), "a\r\nb\r\n".to_owned())
        );
    }

    #[test]
    fn a_row_is_no_wider_than_the_terminal_and_moves_no_cursor() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("a\x1b[2Jb\n", 80), "a[2Jb");
        assert_eq!(cut("a", 0), "");
    }
}
