//! The thread that lets go of sockets without a call on them: of those that were connecting, when they have,
//! and now and then of those that are closed. It sleeps ever longer while nothing is made.

use std::os::fd::OwnedFd;

use super::Vault;
use crate::sys::{fd, tick};

/// How long after a socket was made it is first searched whether it is closed, and how seldom at last.
const SOON_MS: i32 = 1000;
const SELDOM_MS: i32 = 64_000;
/// The key of the pipe that wakes the keeper; no inode has it.
pub(super) const WAKE: u64 = u64::MAX;

impl Vault {
    /// Runs for ever; `woken` is the pipe's other end.
    pub(super) fn keep(&self, woken: &OwnedFd) {
        let mut pause = SOON_MS;
        // Without one a program that has its sockets linger delays how others are let go.
        let _ = tick::begin();
        loop {
            // A search begins when nothing came.
            tick::stop();
            let keys = self.0.connecting.wait(pause).unwrap_or_default();
            for key in &keys {
                if *key == WAKE {
                    let _ = fd::read(woken, &mut [0; 64]);
                    pause = SOON_MS;
                } else {
                    self.settle(*key, false);
                }
            }
            if keys.is_empty() {
                self.collect();
                pause = (2 * pause).min(SELDOM_MS);
                self.lock().is_asleep = true;
            }
        }
    }
}
