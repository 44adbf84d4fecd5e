//! A tick for a thread that makes calls that should end at once: while it makes them a signal comes each
//! millisecond, so that one that waits ends with EINTR (timer_create(2), `SIGEV_THREAD_ID`). It costs a
//! system call when such calls begin, and none for each of them.
//!
//! The tick falls where it will: every system call of such a thread must bear EINTR, or be preceded by
//! `stop`. It ends itself when no such call was made for some ticks, never while one is made: whatever came
//! between the beginning of a call and its entry into the kernel, the next tick finds it there.

use std::cell::Cell;
use std::sync::atomic::{Ordering, compiler_fence};

use super::errno::{Errno, Result, check_long};
use super::signal;

/// None that the launcher forwards (`signal::FORWARDED`).
const SIGNAL: i32 = libc::SIGPROF;
const PERIOD_NS: libc::c_long = 1_000_000;
/// Ticks without a call after which it ends. Beginning anew costs about as much as one tick.
const MOST_IDLE: u8 = 8;

thread_local! {
    // Changed by the thread and by the handler that interrupts it, never by another thread. Without a
    // destructor, so the handler may use it at any time.
    static TIMER: Cell<Option<i32>> = const { Cell::new(None) };
    static IS_TICKING: Cell<bool> = const { Cell::new(false) };
    static IS_CALLING: Cell<bool> = const { Cell::new(false) };
    static IDLE: Cell<u8> = const { Cell::new(0) };
}

/// Gives the calling thread a tick. EAGAIN: the user's signals are used up (RLIMIT_SIGPENDING).
pub fn begin() -> Result<()> {
    signal::install(SIGNAL, on_tick)?;
    let event = std::mem::MaybeUninit::<libc::sigevent>::zeroed();
    // SAFETY: all-zero is a valid sigevent.
    let mut event = unsafe { event.assume_init() };
    event.sigev_notify = libc::SIGEV_THREAD_ID;
    event.sigev_signo = SIGNAL;
    event.sigev_notify_thread_id = super::process::own_tid().cast_signed();
    let mut timer = 0i32;
    // SAFETY: the event has the kernel's layout, and the number it writes is an int.
    check_long(unsafe {
        libc::syscall(libc::SYS_timer_create, libc::CLOCK_MONOTONIC, &raw const event, &raw mut timer)
    })?;
    TIMER.set(Some(timer));
    signal::set_mask(signal::mask() & signal::all_but(SIGNAL));
    Ok(())
}

/// Takes the calling thread's away, if it has one. The kernel does not do it when a thread ends, only when
/// the process does.
pub fn end() {
    if let Some(timer) = TIMER.take() {
        // SAFETY: takes no pointers; the number is that of a timer of ours, which is used no more.
        unsafe { libc::syscall(libc::SYS_timer_delete, timer) };
    }
}

/// Whether the calling thread has one.
pub fn is_there() -> bool {
    TIMER.get().is_some()
}

/// Makes a call that ends with EINTR if it waits, within two milliseconds. A thread without a tick does not
/// make it: EINTR as well.
pub fn cut<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    if !is_there() {
        return Err(Errno(libc::EINTR));
    }
    IS_CALLING.set(true);
    // The handler sees what was written before, in this order: it is the same thread.
    compiler_fence(Ordering::SeqCst);
    if !IS_TICKING.replace(true) {
        set(PERIOD_NS);
    }
    let result = call();
    compiler_fence(Ordering::SeqCst);
    IDLE.set(0);
    IS_CALLING.set(false);
    result
}

/// Drops what may be the last of an open socket. One that lingers (SO_LINGER) waits in its close for its peer to
/// have everything, as long as the program said, days if it likes; here a tick ends that, and the kernel goes on.
pub fn close<T>(last: T) {
    // A thread without a tick drops it with the closure.
    let _ = cut(|| {
        drop(last);
        Ok(())
    });
}

/// Ends the tick until the next call that is to be cut. For what must not be interrupted: one that was on its
/// way has come when this returns.
pub fn stop() {
    if IS_TICKING.replace(false) {
        set(0);
    }
}

extern "C" fn on_tick(_signal: i32) {
    if IS_CALLING.get() {
        return;
    }
    let idle = IDLE.get().saturating_add(1);
    IDLE.set(idle);
    if idle >= MOST_IDLE && IS_TICKING.replace(false) {
        set(0);
    }
}

/// Sets the timer's period; 0 ends it. Fit for a handler: it can not fail, so errno stays as it is.
fn set(period_ns: libc::c_long) {
    let Some(timer) = TIMER.get() else { return };
    let each = libc::timespec { tv_sec: 0, tv_nsec: period_ns };
    let times = libc::itimerspec { it_interval: each, it_value: each };
    let none = std::ptr::null_mut::<libc::itimerspec>();
    // SAFETY: `times` has the kernel's layout on 64-bit targets; the old setting is not asked for.
    unsafe { libc::syscall(libc::SYS_timer_settime, timer, 0, &raw const times, none) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fd;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::time::{Duration, Instant};

    #[test]
    fn a_call_that_waits_is_cut_and_the_tick_ends_itself() {
        let (read, _write) = fd::pipe().unwrap();
        std::thread::spawn(move || {
            assert!(!is_there());
            begin().unwrap();
            for _ in 0..3 {
                assert_eq!(cut(|| fd::read(&read, &mut [0])), Err(Errno(libc::EINTR)));
            }
            assert!(is_there() && IS_TICKING.get());
            // Each sleep is ended by a tick, until none comes.
            while IS_TICKING.get() {
                fd::poll(&mut [fd::readable(&read)], 1000).unwrap();
            }
            assert_eq!(fd::poll(&mut [fd::readable(&read)], 20), Ok(0));
            assert_eq!(cut(|| fd::read(&read, &mut [0])), Err(Errno(libc::EINTR)));
            stop();
            assert!(!IS_TICKING.get());
            let mut came = 0;
            for _ in 0..5 {
                IDLE.set(0);
                fd::poll(&mut [fd::readable(&read)], 2).unwrap();
                came += IDLE.get();
            }
            assert_eq!(came, 0);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn the_close_of_a_socket_that_lingers_is_cut() {
        let close_full = || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let two_seconds = [1i32, 2];
            let length = libc::socklen_t::try_from(size_of_val(&two_seconds)).unwrap();
            let value = (&raw const two_seconds).cast();
            let number = stream.as_raw_fd();
            // SAFETY: `struct linger` is two ints, and the kernel only reads them.
            let set = unsafe { libc::setsockopt(number, libc::SOL_SOCKET, libc::SO_LINGER, value, length) };
            assert_eq!(set, 0);
            stream.set_nonblocking(true).unwrap();
            while stream.write(&[0; 1 << 12]).is_ok() {}
            let begun = Instant::now();
            close(stream);
            begun.elapsed()
        };
        std::thread::spawn(move || {
            assert!(close_full() > Duration::from_secs(1)); // as it is without a tick
            begin().unwrap();
            assert!(close_full() < Duration::from_secs(1));
        })
        .join()
        .unwrap();
    }
}
