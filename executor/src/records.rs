//! The reading end of the record pipe (docs/native.md, "Records"), for a host that waits in a call for the
//! next one. Knows nothing of what they say.

use std::ops::Range;
use std::os::fd::OwnedFd;

use crate::event::RECORD_BYTES;
use crate::sys::{Errno, Result, fd};

/// Records taken with one read(2).
const BATCH: usize = 64;

/// The records that come.
#[derive(Debug)]
pub struct Records {
    pipe: OwnedFd,
    /// On the heap: whoever owns this moves it from hand to hand.
    batch: Box<[[u8; RECORD_BYTES]; BATCH]>,
    unread: Range<usize>,
}

impl Records {
    /// Takes the pipe over.
    pub fn new(pipe: OwnedFd) -> Self {
        Self { pipe, batch: Box::new([[0; RECORD_BYTES]; BATCH]), unread: 0..0 }
    }

    /// The pipe, for whoever wants to read it by itself; `None`: it was read from already.
    pub fn into_pipe(self) -> Option<OwnedFd> {
        (self.unread == (0..0)).then_some(self.pipe)
    }

    /// Waits for the next record, at most `timeout_ms`; < 0: for ever. `None`: there are no more. EAGAIN: the
    /// time is over.
    pub fn next(&mut self, timeout_ms: i32) -> Result<Option<[u8; RECORD_BYTES]>> {
        if self.unread.is_empty() {
            self.read(timeout_ms)?;
        }
        Ok(self.unread.next().and_then(|index| self.batch.get(index)).copied())
    }

    fn read(&mut self, timeout_ms: i32) -> Result<()> {
        loop {
            if timeout_ms >= 0 && fd::poll(&mut [fd::readable(&self.pipe)], timeout_ms)? == 0 {
                return Err(Errno(libc::EAGAIN));
            }
            match fd::read(&self.pipe, self.batch.as_flattened_mut()) {
                Err(Errno(libc::EINTR)) => {}
                // Records are written whole, and a page of the pipe holds a whole number of them.
                count => return count.map(|count| self.unread = 0..count / RECORD_BYTES),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Kind, Record};
    use crate::events::Events;

    #[test]
    fn records_come_one_by_one_and_then_no_more() {
        let (read, write) = fd::pipe().unwrap();
        let events = Events::new(write).unwrap();
        let mut records = Records::new(read);
        assert_eq!(records.next(0), Err(Errno(libc::EAGAIN)));
        for pid in 0..100 {
            events.tell(&Record { pid, ..Record::new(Kind::Denied) });
        }
        for pid in 0..100u32 {
            let record = records.next(-1).unwrap().unwrap();
            assert_eq!(record[4..8], pid.to_le_bytes());
        }
        assert_eq!(records.next(0), Err(Errno(libc::EAGAIN)));
        drop(events);
        assert_eq!(records.next(-1), Ok(None));
    }

    #[test]
    fn a_pipe_that_was_read_from_is_not_given_away() {
        let (read, write) = fd::pipe().unwrap();
        Events::new(write).unwrap().tell(&Record::new(Kind::Started));
        let mut records = Records::new(read);
        records.next(-1).unwrap();
        assert!(records.into_pipe().is_none());
        let (read, _write) = fd::pipe().unwrap();
        assert!(Records::new(read).into_pipe().is_some());
    }
}
