//! The program beside the library: the launcher, and under names of its own the supervisor and the probe
//! (lib.rs). Begun by C's `main`, not by Rust's, which would first look at its stack, its signals and its
//! streams: a supervisor has none of that to fear, and a launcher does it in its own way.

#![no_main]
#![deny(unsafe_code)]

use std::ffi::{c_char, c_int};

/// Where libc enters: the number of arguments, the arguments and the environment, both ended by a null pointer.
// SAFETY: C wants the program's one `main` under this name.
#[expect(unsafe_code, reason = "an exported symbol needs an unsafe attribute; no unsafe operation is in it")]
#[unsafe(no_mangle)]
pub extern "C" fn main(
    _count: c_int,
    arguments: *const *const c_char,
    environment: *const *const c_char,
) -> c_int {
    sandlock::program(arguments, environment)
}

/// musl's own heap makes a mapping for every size that it is first asked for, some dozens in a start.
#[cfg(target_env = "musl")]
#[global_allocator]
static HEAP: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;
