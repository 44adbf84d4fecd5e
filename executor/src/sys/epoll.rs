//! epoll(7), as far as it tells that a socket has connected or failed to. Decides nothing.

use std::os::fd::{AsRawFd, OwnedFd};

use super::errno::{Errno, Result, check};
use super::fd::own;

/// Most events that one wait tells.
const EVENTS: usize = 64;

/// Descriptors that are watched, each under a key of its own. It holds none of them open.
#[derive(Debug)]
pub struct Epoll(OwnedFd);

impl AsRawFd for Epoll {
    fn as_raw_fd(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

impl Epoll {
    /// epoll_create1(2), CLOEXEC.
    pub fn new() -> Result<Self> {
        // SAFETY: takes no pointers.
        check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }).map(|fd| Self(own(fd)))
    }

    /// Tells `key` once when `fd` can be written to, has failed or hung up. To be asked again after each time.
    pub fn watch_once(&self, fd: &impl AsRawFd, key: u64) -> Result<()> {
        let events = libc::EPOLLOUT | libc::EPOLLONESHOT;
        match self.control(libc::EPOLL_CTL_ADD, fd, events, key) {
            Err(Errno(libc::EEXIST)) => self.control(libc::EPOLL_CTL_MOD, fd, events, key),
            result => result,
        }
    }

    /// Tells `key` as long as `fd` can be written to, has failed or hung up.
    pub fn watch_output(&self, fd: &impl AsRawFd, key: u64) -> Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, libc::EPOLLOUT, key)
    }

    /// Tells `key` as long as there is something to read.
    pub fn watch_input(&self, fd: &impl AsRawFd, key: u64) -> Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, libc::EPOLLIN, key)
    }

    /// Before `fd` is closed: closing alone does not end the watch while somebody else has the same file open.
    pub fn forget(&self, fd: &impl AsRawFd) {
        // ENOENT: it was not watched.
        let _ = self.control(libc::EPOLL_CTL_DEL, fd, 0, 0);
    }

    /// Waits for events; their keys. None: the time is over, or a signal came.
    pub fn wait(&self, timeout_ms: i32) -> Result<Vec<u64>> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS];
        let most = i32::try_from(EVENTS).unwrap_or(1);
        // SAFETY: `events` has room for as many as `most` says.
        match check(unsafe { libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), most, timeout_ms) }) {
            Ok(count) => {
                let count = usize::try_from(count).unwrap_or(0);
                Ok(events.iter().take(count).map(|event| event.u64).collect())
            }
            Err(Errno(libc::EINTR)) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn control(&self, operation: i32, fd: &impl AsRawFd, events: i32, key: u64) -> Result<()> {
        let mut event = libc::epoll_event { events: events.cast_unsigned(), u64: key };
        // SAFETY: `event` is read only, and the call takes no other pointer.
        check(unsafe { libc::epoll_ctl(self.0.as_raw_fd(), operation, fd.as_raw_fd(), &raw mut event) })
            .map(drop)
    }
}
