//! A value that one thread changes and another reads without ever waiting: the reader holds an unchangeable
//! copy and takes a newer one when there is one.
//!
//! There are two cells, and the version's lowest bit says which is current; the writer fills the other one.
//! So a reader finds the current cell taken only if the writer has published since the reader looked at the
//! version, and then the other is current: it never waits for a writer that has been put aside.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, TryLockError};

use crate::locks::lock;

#[derive(Debug)]
struct Cells<T> {
    version: AtomicU64,
    both: [Mutex<Arc<T>>; 2],
}

impl<T> Cells<T> {
    fn of(&self, version: u64) -> &Mutex<Arc<T>> {
        let [even, odd] = &self.both;
        if version.is_multiple_of(2) { even } else { odd }
    }
}

/// The end of the thread that writes.
#[derive(Debug)]
pub struct Writer<T> {
    cells: Arc<Cells<T>>,
    value: Arc<T>,
}

/// The end of the thread that reads.
#[derive(Debug)]
pub struct Reader<T> {
    cells: Arc<Cells<T>>,
    version: u64,
    value: Arc<T>,
}

/// Both ends of a value.
pub fn publish<T>(value: T) -> (Writer<T>, Reader<T>) {
    let value = Arc::new(value);
    let both = [Mutex::new(Arc::clone(&value)), Mutex::new(Arc::clone(&value))];
    let cells = Arc::new(Cells { version: AtomicU64::new(0), both });
    let reader = Reader { cells: Arc::clone(&cells), version: 0, value: Arc::clone(&value) };
    (Writer { cells, value }, reader)
}

impl<T: Clone> Writer<T> {
    /// Publishes a changed copy. When it returns, a reader that looks has it.
    pub fn change(&mut self, change: impl FnOnce(&mut T)) {
        let mut value = T::clone(&self.value);
        change(&mut value);
        self.value = Arc::new(value);
        let next = self.cells.version.load(Ordering::Relaxed) + 1;
        // A reader holds the other cell, if at all, for as long as it takes to count one reference more.
        *lock(self.cells.of(next)) = Arc::clone(&self.value);
        self.cells.version.store(next, Ordering::Release);
    }
}

impl<T> Reader<T> {
    /// The newest version.
    pub fn newest(&mut self) -> &T {
        loop {
            let version = self.cells.version.load(Ordering::Acquire);
            if version == self.version {
                return &self.value;
            }
            let value = match self.cells.of(version).try_lock() {
                Ok(cell) => Arc::clone(&cell),
                Err(TryLockError::Poisoned(cell)) => Arc::clone(&cell.into_inner()),
                Err(TryLockError::WouldBlock) => continue, // there is a newer one
            };
            (self.version, self.value) = (version, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_published_is_read_and_what_was_taken_stays() {
        let (mut writer, mut reader) = publish(vec![1]);
        let first = Arc::clone(&reader.value);
        writer.change(|value| value.push(2));
        assert_eq!((reader.newest(), &*first), (&vec![1, 2], &vec![1]));
        for number in 3..10 {
            writer.change(|value| value.push(number));
        }
        assert_eq!(reader.newest().len(), 9);
    }

    #[test]
    fn a_reader_does_not_wait_for_a_writer_that_is_put_aside() {
        let (mut writer, mut reader) = publish(1);
        writer.change(|value| *value = 2);
        let cells = Arc::clone(&writer.cells);
        let _filling = cells.of(2).lock().unwrap();
        assert_eq!(*reader.newest(), 2);
    }

    #[test]
    fn versions_are_read_in_order_while_another_thread_writes() {
        let (mut writer, mut reader) = publish(0u64);
        let thread = std::thread::spawn(move || (0..20_000).for_each(|_| writer.change(|value| *value += 1)));
        let mut last = 0;
        while last < 20_000 {
            let value = *reader.newest();
            assert!(value >= last, "{value} after {last}");
            last = value;
        }
        thread.join().unwrap();
    }
}
