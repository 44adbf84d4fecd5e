//! The writing end of the record pipe (docs/native.md, "Records"): when what is told is written. Shared by
//! all threads of the supervisor; knows nothing of what records say, but that text stays with its record.
//!
//! Whoever was refused is often refused again at once, and a write may wake a reader, which takes as long as
//! the refusal. So a record that comes within 2 ms of a write is held, and the warden writes all that are
//! held together, some 2 ms later. One that comes after a while is written at once. Their order is the order
//! in which they were told, whoever told them.
//!
//! Telling can slow nothing down. Nobody waits for a reader: what there is no room for is dropped and
//! counted. Nor does who tells wait for a thread that writes, unless too much is held: whoever writes wakes
//! the reader, which may well take its processor, so it keeps nobody from telling.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use crate::event::{Kind, RECORD_BYTES, Record, with_text};
use crate::locks::lock;
use crate::sys::{Errno, Result, fd};

/// How long a record is held.
const HOLD: Duration = Duration::from_millis(2);
/// After which time a full pipe is tried again. Its reader has hundreds of records before it.
const STUCK: Duration = Duration::from_millis(50);
/// How long a record that must not be lost waits for a slow reader.
pub const SURELY_MS: u16 = 1000;
/// Most bytes that are held: 1,024 records, as many as a pipe holds. Programs are refused some 500 times in 2 ms.
const MOST_HELD: usize = 64 * 1024;
/// Bytes that a pipe takes whole or not at all (`PIPE_BUF`, pipe(7)).
const AT_ONCE: usize = 4096;

#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    /// When the warden comes to write; none: it does not.
    due: Option<Instant>,
    /// When something was written last.
    written: Option<Instant>,
}

/// The writing end.
#[derive(Debug)]
pub struct Events {
    pipe: OwnedFd,
    dropped: AtomicU32,
    /// Wakes the warden; none yet: nothing is held.
    wake: OnceLock<OwnedFd>,
    held: Mutex<Held>,
    /// Whoever has it writes. Taken before `held`, never after it.
    turn: Mutex<()>,
}

impl Events {
    /// Takes the pipe over and makes it non-blocking.
    pub fn new(pipe: OwnedFd) -> Result<Self> {
        let flags = fd::status_flags(&pipe)?;
        fd::set_status_flags(&pipe, flags | libc::O_NONBLOCK)?;
        let (held, turn) = (Mutex::default(), Mutex::default());
        Ok(Self { pipe, dropped: AtomicU32::new(0), wake: OnceLock::new(), held, turn })
    }

    /// From now on records may be held: somebody calls `advance` when `due` says. A byte goes to the pipe
    /// `wake` when that time is set.
    pub fn attend(&self, wake: OwnedFd) {
        // Set once, by the one warden.
        let _ = self.wake.set(wake);
    }

    /// Tells the record, or counts it as dropped when nobody has read for long.
    pub fn tell(&self, record: &Record) {
        self.put(&record.encode(self.dropped.load(Ordering::Relaxed)));
    }

    /// Tells the record and the text it needs, or nothing of both. No other record comes between.
    pub fn tell_with(&self, text: &[u8], record: &Record) {
        self.put(&with_text(text, record.encode(self.dropped.load(Ordering::Relaxed))));
    }

    /// Tells the record with those of the next 2 ms, for one that nobody waits for. Whoever calls `advance`
    /// tells it, so it is not called.
    pub fn tell_soon(&self, record: &Record) {
        let mut held = self.held();
        held.bytes.extend_from_slice(&record.encode(self.dropped.load(Ordering::Relaxed)));
        held.due.get_or_insert_with(|| Instant::now() + HOLD);
    }

    /// Tells the record together with the next one, so that a reader is woken once for both.
    pub fn tell_with_next(&self, record: &Record) {
        self.held().bytes.extend_from_slice(&record.encode(self.dropped.load(Ordering::Relaxed)));
    }

    /// Tells the record, with its text if it has one, and waits up to `timeout_ms` until it is written, and
    /// all that was told before it: for the few that must not be lost.
    pub fn tell_surely(&self, text: &[u8], record: &Record, timeout_ms: u16) {
        let bytes = with_text(text, record.encode(self.dropped.load(Ordering::Relaxed)));
        self.held().bytes.extend_from_slice(&bytes);
        self.flush(timeout_ms);
    }

    /// Waits up to `timeout_ms` until all that was told is written, or nobody reads any more. `false`: it is not.
    pub fn flush(&self, timeout_ms: u16) -> bool {
        let deadline = Instant::now() + Duration::from_millis(timeout_ms.into());
        while !self.write() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.call_at(Instant::now() + STUCK);
                return false;
            }
            let mut room = fd::readable(&self.pipe);
            room.events = libc::POLLOUT;
            let _ = fd::poll(&mut [room], i32::try_from(left.as_millis()).unwrap_or(0) + 1);
        }
        true
    }

    /// When `advance` is to be called; none: nothing is held.
    pub fn due(&self) -> Option<Instant> {
        self.held().due
    }

    /// Writes what is held if it is time.
    pub fn advance(&self) {
        let now = Instant::now();
        {
            let mut held = self.held();
            if held.due.is_none_or(|due| due > now) {
                return;
            }
            // Who tells need not wake us as long as there was something each time.
            held.due = (!held.bytes.is_empty()).then_some(now + HOLD);
        }
        if !self.write() {
            self.call_at(now + STUCK);
        }
    }

    /// Writes what is held, for a thread that is about to end the process; not if a lock is taken, since that
    /// may be its own.
    pub fn last_words(&self) {
        if self.turn.try_lock().is_ok() && self.held.try_lock().is_ok() {
            self.write();
        }
    }

    /// What to wait for to learn that nobody reads any more.
    pub fn abandonment(&self) -> fd::Poll {
        let mut pipe = fd::readable(&self.pipe);
        pipe.events = 0;
        pipe
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        lock(&self.held)
    }

    /// Holds a record and its text, or writes it at once.
    fn put(&self, bytes: &[u8]) {
        let mut held = self.held();
        if held.bytes.len() + bytes.len() > MOST_HELD {
            drop(held);
            self.write();
            held = self.held();
            if held.bytes.len() + bytes.len() > MOST_HELD {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
        held.bytes.extend_from_slice(bytes);
        if held.due.is_some() {
            return;
        }
        let now = Instant::now();
        let is_soon = held.written.is_some_and(|written| now.duration_since(written) < HOLD);
        drop(held);
        if is_soon && self.wake.get().is_some() {
            self.call_at(now + HOLD);
        } else if !self.write() {
            self.call_at(now + STUCK);
        }
    }

    /// Lets the warden come at that time.
    fn call_at(&self, due: Instant) {
        let before = self.held().due.replace(due);
        if let (None, Some(wake)) = (before, self.wake.get()) {
            // A full pipe has woken its reader already.
            let _ = fd::write(wake, b"e");
        }
    }

    /// Writes what is held, as far as there is room. `false`: something is left.
    fn write(&self) -> bool {
        let _turn = lock(&self.turn);
        let mut piece = [0; AT_ONCE];
        loop {
            let piece = {
                let held = self.held();
                let bytes = held.bytes.get(..first_piece(&held.bytes)).unwrap_or_default();
                let piece = piece.get_mut(..bytes.len()).unwrap_or_default();
                piece.copy_from_slice(bytes);
                piece
            };
            if piece.is_empty() {
                return true;
            }
            let result = fd::write(&self.pipe, piece);
            if result == Err(Errno(libc::EAGAIN)) {
                return false;
            }
            let mut held = self.held();
            // Others only add to the end. EPIPE: nobody reads any more, and the front ends the tree.
            held.bytes.drain(..piece.len());
            held.written = Some(Instant::now());
        }
    }
}

/// How many of the bytes are written first: as many as a pipe takes at once, and no text without its record.
fn first_piece(bytes: &[u8]) -> usize {
    let records = bytes.len().min(AT_ONCE) / RECORD_BYTES;
    let is_whole = |count: &usize| {
        let last = count.checked_sub(1).and_then(|last| bytes.get(last * RECORD_BYTES));
        last != Some(&(Kind::Text as u8))
    };
    (0..=records).rev().find(is_whole).unwrap_or(0) * RECORD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events() -> (OwnedFd, Events) {
        let (read, write) = fd::pipe().unwrap();
        (read, Events::new(write).unwrap())
    }

    fn denied(pid: u32) -> Record {
        Record { pid, ..Record::new(Kind::Denied) }
    }

    fn is_readable(pipe: &OwnedFd) -> bool {
        fd::poll(&mut [fd::readable(pipe)], 0) == Ok(1)
    }

    /// Kind and process of each record that can be read at once.
    fn read_all(pipe: &OwnedFd) -> Vec<(u8, u32)> {
        let mut told = Vec::new();
        while is_readable(pipe) {
            let mut bytes = [0; AT_ONCE];
            let count = fd::read(pipe, &mut bytes).unwrap();
            let of = |record: &[u8]| (record[0], u32::from_le_bytes(record[4..8].try_into().unwrap()));
            told.extend(bytes[..count].chunks(RECORD_BYTES).map(of));
        }
        told
    }

    /// Tells records of processes 0, 1, … until one is held: the machine may be slow. How many.
    fn tell_until_held(events: &Events) -> u32 {
        let mut count = 0;
        while events.due().is_none() {
            events.tell(&denied(count));
            count += 1;
        }
        count
    }

    #[test]
    fn text_comes_in_pieces_before_its_record_and_in_one_write() {
        let (read, events) = events();
        let path: Vec<u8> = (0..70).collect();
        events.tell_with(&path, &denied(7));
        let mut bytes = [0; 256];
        assert_eq!(fd::read(&read, &mut bytes), Ok(192));
        assert_eq!((&bytes[..2], &bytes[2..64]), (&[10, 62][..], &path[..62]));
        assert_eq!((&bytes[64..66], &bytes[66..74]), (&[10, 8][..], &path[62..]));
        assert_eq!(bytes[128], 2);
    }

    #[test]
    fn a_record_after_a_while_is_written_at_once_and_those_that_follow_it_by_the_warden() {
        let (read, events) = events();
        let (woken, wake) = fd::pipe().unwrap();
        events.attend(wake);
        events.tell(&denied(100));
        assert_eq!(read_all(&read), [(2, 100)]);
        let count = tell_until_held(&events);
        assert!(is_readable(&woken));
        fd::read(&woken, &mut [0; 64]).unwrap();
        // All but the last were written when they were told.
        assert_eq!(read_all(&read).len(), count as usize - 1);
        events.tell_with(b"/run/x", &denied(count));
        assert!(!is_readable(&read));
        std::thread::sleep(events.due().unwrap().saturating_duration_since(Instant::now()));
        events.advance();
        let told = read_all(&read);
        assert_eq!((told[0], told[1].0, told[2]), ((2, count - 1), Kind::Text as u8, (2, count)));
        // It comes once more, and if there is nothing then, not again.
        std::thread::sleep(events.due().unwrap().saturating_duration_since(Instant::now()));
        events.advance();
        assert_eq!(events.due(), None);
        events.tell(&denied(200));
        assert_eq!(read_all(&read), [(2, 200)]);
    }

    #[test]
    fn what_must_not_be_lost_comes_after_all_that_was_told_before() {
        let (read, events) = events();
        let (_woken, wake) = fd::pipe().unwrap();
        events.attend(wake);
        let count = tell_until_held(&events);
        events.tell_surely(&[], &Record::new(Kind::Exited), 0);
        let told = read_all(&read);
        assert_eq!(told.len(), count as usize + 1);
        assert_eq!(told[count as usize - 1..], [(2, count - 1), (4, 0)]);
        events.tell(&denied(1));
        events.last_words();
        assert_eq!(read_all(&read), [(2, 1)]);
    }

    #[test]
    fn what_is_told_with_the_next_is_written_with_it_and_before_it() {
        let (read, events) = events();
        events.tell_with_next(&Record::new(Kind::Exited));
        assert!(!is_readable(&read));
        events.tell_surely(&[], &Record::new(Kind::Ended), 0);
        assert_eq!(read_all(&read), [(4, 0), (6, 0)]);
    }

    #[test]
    fn what_is_told_soon_waits_for_what_follows_and_not_for_ever() {
        let (read, events) = events();
        events.tell_soon(&Record::new(Kind::Started));
        assert!(!is_readable(&read));
        std::thread::sleep(events.due().unwrap().saturating_duration_since(Instant::now()));
        events.advance();
        assert_eq!(read_all(&read), [(1, 0)]);
        events.tell_soon(&Record::new(Kind::Started));
        events.tell_surely(&[], &Record::new(Kind::Ended), 0);
        assert_eq!(read_all(&read), [(1, 0), (6, 0)]);
    }

    #[test]
    fn a_full_pipe_drops_and_counts_instead_of_waiting_and_loses_nothing_that_was_held() {
        let (read, events) = events();
        for pid in 0..3000 {
            events.tell(&denied(pid));
        }
        let most = 1024 + u32::try_from(MOST_HELD / RECORD_BYTES).unwrap();
        assert_eq!(events.dropped.load(Ordering::Relaxed), 3000 - most);
        let mut told = read_all(&read);
        events.tell_surely(&[], &Record::new(Kind::Exited), 0);
        told.extend(read_all(&read));
        events.tell_surely(&[], &Record::new(Kind::Ended), 0);
        told.extend(read_all(&read));
        assert!(told.iter().map(|(_, pid)| *pid).take(most as usize).eq(0..most));
        assert_eq!(told[most as usize..], [(4, 0), (6, 0)]);
        for pid in 0..3000 {
            events.tell(&denied(pid));
        }
        assert!(!events.flush(1));
        drop(read);
        assert!(events.flush(0));
        assert_eq!(fd::poll(&mut [events.abandonment()], 0), Ok(1));
    }

    #[test]
    fn no_piece_ends_with_text() {
        let unit = with_text(&[7; 100], denied(1).encode(0));
        let bytes = unit.repeat(40);
        assert_eq!(first_piece(&bytes), 21 * unit.len());
        assert_eq!((first_piece(&unit), first_piece(&[])), (unit.len(), 0));
        assert_eq!(first_piece(&[2; 2 * AT_ONCE]), AT_ONCE);
    }
}
