//! Lines for the terminal, and when they are written. A program says in its own words what was refused to it,
//! often piece by piece; ours wait a moment, so that they follow those words and do not stand amid them.
//!
//! Must not: fail. A standard error that is closed or full must neither end nor delay the command.

use std::time::{Duration, Instant};

use crate::sys::fd;

/// How long a line waits. A program that is refused has said so within a few milliseconds; a user does not notice.
const WAIT: Duration = Duration::from_millis(20);

/// Lines that wait.
#[derive(Debug, Default)]
pub(super) struct Lines {
    text: String,
    /// When they are to be written; none wait: none.
    due: Option<Instant>,
}

impl Lines {
    pub(super) fn add(&mut self, text: &str) {
        if !text.is_empty() {
            self.text.push_str(text);
            self.due.get_or_insert_with(|| Instant::now() + WAIT);
        }
    }

    /// Milliseconds until some are due; -1: none wait.
    pub(super) fn patience_ms(&self) -> i32 {
        let left = self.due.map(|due| due.saturating_duration_since(Instant::now()));
        left.map_or(-1, |left| i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX))
    }

    /// Writes them if they have waited long enough.
    pub(super) fn write_due(&mut self) {
        if self.due.is_some_and(|due| due <= Instant::now()) {
            self.write();
        }
    }

    /// Writes them now.
    pub(super) fn write(&mut self) {
        self.due = None;
        tell(&std::mem::take(&mut self.text));
    }
}

/// Writes to standard error at once.
pub(super) fn tell(text: &str) {
    let _ = fd::write_all(&fd::borrow(2), text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_wait_together_and_not_for_ever() {
        let mut lines = Lines::default();
        assert_eq!(lines.patience_ms(), -1);
        lines.add("");
        assert_eq!(lines.patience_ms(), -1);
        lines.add("a\n");
        let first = lines.due;
        lines.add("b\n");
        assert_eq!((lines.due, lines.text.as_str()), (first, "a\nb\n"));
        assert!((0..=20).contains(&lines.patience_ms()));
        lines.due = Some(Instant::now());
        assert_eq!(lines.patience_ms(), 0);
    }
}
