//! Threads, without what the standard library adds to each: a handle, and destructors on a heap of their own,
//! that of the C library, which takes memory when it is first used. Decides nothing about what they do.

use std::ffi::{CStr, c_void};
use std::mem::MaybeUninit;
use std::ptr::null_mut;

use super::errno::{Errno, Result};
use super::process;

extern "C" fn run<F: FnOnce()>(body: *mut c_void) -> *mut c_void {
    // SAFETY: `create` has made it of a box of that type, and gives it to this thread alone.
    let body = unsafe { Box::from_raw(body.cast::<F>()) };
    body();
    null_mut()
}

/// What the standard library gives its own threads.
pub const USUAL_STACK_BYTES: usize = 2 * 1024 * 1024;

/// Lets `body` run in a thread that nobody waits for, with the signal mask of this one. EAGAIN: there can be no
/// more. A panic in it ends the process.
pub fn start(name: &'static CStr, stack_bytes: usize, body: impl FnOnce() + Send + 'static) -> Result<()> {
    let body = move || {
        process::name_thread(name);
        body();
    };
    create(stack_bytes, body)
}

/// pthread_create(3), detached. What is initialized for it has no memory of its own in either C library, so
/// nothing is to be destroyed.
fn create<F: FnOnce() + Send + 'static>(stack_bytes: usize, body: F) -> Result<()> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let attributes = attributes.as_mut_ptr();
    // SAFETY: initializes what it is given.
    errno(unsafe { libc::pthread_attr_init(attributes) })?;
    // SAFETY: initialized above.
    errno(unsafe { libc::pthread_attr_setstacksize(attributes, stack_bytes) })?;
    // SAFETY: as above.
    errno(unsafe { libc::pthread_attr_setdetachstate(attributes, libc::PTHREAD_CREATE_DETACHED) })?;
    let body = Box::into_raw(Box::new(body)).cast();
    let mut thread = MaybeUninit::uninit();
    // SAFETY: `run::<F>` takes the body over, which may go to another thread and borrows nothing.
    let started = errno(unsafe { libc::pthread_create(thread.as_mut_ptr(), attributes, run::<F>, body) });
    if started.is_err() {
        // SAFETY: no thread has got it.
        drop(unsafe { Box::from_raw(body.cast::<F>()) });
    }
    started
}

/// Calls of pthreads(7) return their error.
fn errno(error: i32) -> Result<()> {
    if error == 0 { Ok(()) } else { Err(Errno(error)) }
}
