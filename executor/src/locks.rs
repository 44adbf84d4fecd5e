//! Locks without poison. Where a thread panicked with one, nobody uses what is behind it: in the supervisor
//! a panic ends the process (`supervisor.rs`), in a host the call is EIO (`abi.rs`), and what the host keeps
//! behind locks is changed in single steps.

use std::sync::{LockResult, Mutex, MutexGuard, PoisonError};

/// Waits for the lock.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    unpoisoned(mutex.lock())
}

/// What is behind a lock, poisoned or not.
pub fn unpoisoned<T>(result: LockResult<T>) -> T {
    result.unwrap_or_else(PoisonError::into_inner)
}
