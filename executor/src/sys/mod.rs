//! The kernel, and nothing else: one file an interface, each call wrapped so that the rest of the crate is
//! free of unsafe code. Nothing here decides anything.

#[cfg(test)]
pub mod allocations;
pub mod child;
pub mod crc;
pub mod entry;
pub mod epoll;
pub mod errno;
pub mod fd;
pub mod foreign;
pub mod landlock;
pub mod mapping;
pub mod memory;
pub mod mounts;
pub mod prefetch;
pub mod process;
pub mod ptrace;
pub mod schedule;
pub mod seccomp;
pub mod signal;
pub mod socket;
pub mod thread;
pub mod tick;
pub mod uring;
pub mod wide;

pub use errno::{Errno, Result};
