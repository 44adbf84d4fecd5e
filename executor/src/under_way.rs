//! Sockets on which another thread makes a call that was decided before, or makes it once more: a connect that
//! waits, a message that waits for room. Meanwhile nothing may change where its address leads (`calls/link.rs`).
//! Knows sockets by their cookies and whether such a call names an address of a link; decides nothing.

use std::collections::HashMap;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex};

use crate::locks::lock;
use crate::sys::{Result, socket};

/// The calls: how many on each socket (`SO_COOKIE`), those that name no link and those that do.
#[derive(Clone, Debug, Default)]
pub struct UnderWay(Arc<Mutex<HashMap<u64, [u32; 2]>>>);

/// Such a call, until it is dropped: before it is answered, or the program's next call would meet it still.
#[derive(Debug)]
pub struct Apart {
    all: UnderWay,
    cookie: u64,
    is_of_a_link: bool,
}

impl UnderWay {
    /// A call on the socket is about to be handed to another thread.
    pub fn begin(&self, socket: &impl AsRawFd, is_of_a_link: bool) -> Result<Apart> {
        let cookie = socket::cookie(socket)?;
        if let Some(count) = lock(&self.0).entry(cookie).or_default().get_mut(usize::from(is_of_a_link)) {
            *count += 1;
        }
        Ok(Apart { all: self.clone(), cookie, is_of_a_link })
    }

    /// Whether there is one on the socket that names a link, or that names none.
    pub fn has(&self, socket: &impl AsRawFd, is_of_a_link: bool) -> Result<bool> {
        let calls = lock(&self.0);
        // As a rule there is none, and the kernel need not be asked.
        if calls.is_empty() {
            return Ok(false);
        }
        let counts = calls.get(&socket::cookie(socket)?);
        let count = counts.and_then(|counts| counts.get(usize::from(is_of_a_link)));
        Ok(count.is_some_and(|count| *count > 0))
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        let mut calls = lock(&self.all.0);
        if let Some(counts) = calls.get_mut(&self.cookie) {
            if let Some(count) = counts.get_mut(usize::from(self.is_of_a_link)) {
                *count = count.saturating_sub(1);
            }
            if *counts == [0, 0] {
                calls.remove(&self.cookie);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_has_calls_until_the_last_of_them_is_dropped() {
        let new = || socket::new(libc::AF_INET6, libc::SOCK_DGRAM, 0).unwrap();
        let (one, other) = (new(), new());
        let calls = UnderWay::default();
        let has = |socket| [false, true].map(|is_of_a_link| calls.has(socket, is_of_a_link).unwrap());
        assert_eq!(has(&one), [false, false]);
        let first = calls.begin(&one, false).unwrap();
        let second = calls.begin(&one, false).unwrap();
        let third = calls.begin(&one, true).unwrap();
        assert_eq!((has(&one), has(&other)), ([true, true], [false, false]));
        drop(first);
        assert_eq!(has(&one), [true, true]);
        drop((second, third));
        assert_eq!(has(&one), [false, false]);
        assert!(lock(&calls.0).is_empty());
    }
}
