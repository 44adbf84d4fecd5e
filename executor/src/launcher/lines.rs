//! Lines for the terminal, and when they are written. A program says in its own words what was refused to it,
//! often piece by piece; ours wait a moment, so that they follow those words and do not stand amid them.
//!
//! Must not: fail, or wait for room while the command runs. A standard error that is closed or full must neither
//! end nor delay it, nor keep what else is told (the log) from being told: the command may have filled it.

use std::time::{Duration, Instant};

use crate::sys::{Errno, Result, fd, tick};

/// How long a line waits. A program that is refused has said so within a few milliseconds; a user does not notice.
const WAIT: Duration = Duration::from_millis(20);
/// Bytes that wait while there is no room; what comes then is left out.
const MOST: usize = 64 * 1024;

/// Lines that wait.
#[derive(Debug, Default)]
pub(super) struct Lines {
    text: Vec<u8>,
    /// When they are to be written; none wait: none.
    due: Option<Instant>,
}

impl Lines {
    pub(super) fn add(&mut self, text: &str) {
        if !text.is_empty() && self.text.len() < MOST {
            self.text.extend_from_slice(text.as_bytes());
            self.due.get_or_insert_with(|| Instant::now() + WAIT);
        }
    }

    /// Milliseconds until some are due; -1: none wait.
    pub(super) fn patience_ms(&self) -> i32 {
        let left = self.due.map(|due| due.saturating_duration_since(Instant::now()));
        left.map_or(-1, |left| i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX))
    }

    /// Writes them if they have waited long enough, as far as there is room; the rest waits on.
    pub(super) fn write_due(&mut self) {
        if self.due.is_some_and(|due| due <= Instant::now()) {
            self.due = None;
            self.take(write_what_fits(&self.text));
        }
    }

    /// Writes them now, and waits for room: the command has ended.
    pub(super) fn write(&mut self) {
        self.due = None;
        tell(&std::mem::take(&mut self.text));
    }

    fn take(&mut self, written: Result<usize>) {
        match written {
            Ok(count) => drop(self.text.drain(..count.min(self.text.len()))),
            Err(Errno(libc::EINTR | libc::EAGAIN)) => {}
            Err(_) => self.text.clear(),
        }
        if !self.text.is_empty() {
            self.due = Some(Instant::now() + WAIT);
        }
    }
}

/// write(2) to standard error, for a millisecond or two.
fn write_what_fits(text: &[u8]) -> Result<usize> {
    if !tick::is_there() && tick::begin().is_err() {
        return Err(Errno(libc::EAGAIN));
    }
    let written = tick::cut(|| fd::write(&fd::borrow(2), text));
    // Nothing else here is to be interrupted.
    tick::stop();
    written
}

/// Writes to standard error at once, and waits for room, also where the command has made it non-blocking.
pub(super) fn tell(mut text: &[u8]) {
    let error = fd::borrow(2);
    while !text.is_empty() {
        match fd::write(&error, text) {
            Ok(count) => text = text.get(count..).unwrap_or_default(),
            Err(Errno(libc::EINTR)) => {}
            Err(Errno(libc::EAGAIN)) => {
                let mut room = fd::readable(&error);
                room.events = libc::POLLOUT;
                let _ = fd::poll(&mut [room], -1);
            }
            Err(_) => return,
        }
    }
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
        assert_eq!((lines.due, &lines.text[..]), (first, &b"a\nb\n"[..]));
        assert!((0..=20).contains(&lines.patience_ms()));
        lines.due = Some(Instant::now());
        assert_eq!(lines.patience_ms(), 0);
    }

    #[test]
    fn what_finds_no_room_waits_on_within_bounds() {
        let mut lines = Lines::default();
        lines.add("abc\n");
        for (written, left) in
            [(Err(libc::EINTR), "abc\n"), (Ok(1), "bc\n"), (Err(libc::EAGAIN), "bc\n"), (Ok(3), "")]
        {
            lines.due = None;
            lines.take(written.map_err(Errno));
            assert_eq!((&lines.text[..], lines.due.is_some()), (left.as_bytes(), !left.is_empty()));
        }
        lines.add("abc\n");
        lines.take(Err(Errno(libc::EPIPE)));
        assert_eq!(lines.text.len(), 0);
        for _ in 0..20_000 {
            lines.add("abcdefgh\n");
        }
        assert!((MOST..MOST + 9).contains(&lines.text.len()));
    }
}
