//! Stopping threads of other processes (ptrace(2), `PTRACE_SEIZE`). A thread that was taken belongs to the
//! thread that took it: only that one may let it go, and when it ends the kernel lets go of all it had
//! (kernel/ptrace.c, `exit_ptrace`). Decides nothing about whom to stop, or how long.

use std::ffi::c_void;

use super::errno::{Errno, Result, check_long};

/// Where a thread of another process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// By our interruption, or a stop of its process (SIGSTOP), which it goes on with.
    Interrupted,
    /// Before this signal is delivered.
    Signalled(i32),
}

/// `PTRACE_EVENT_STOP` in the code of a stop.
const EVENT_STOP: i32 = 128;

/// The number of a request is an int in one C library and unsigned in another.
fn request(request: impl Into<libc::c_long>, tid: u32, data: *mut c_void) -> Result<()> {
    let none = std::ptr::null_mut::<c_void>();
    // SAFETY: the requests of this file write to nothing but what `data` points to, which fits them; they do
    // nothing to a thread that is not ours.
    check_long(unsafe { libc::syscall(libc::SYS_ptrace, request.into(), tid, none, data) }).map(drop)
}

/// Takes a thread, which runs on. EPERM: another traces it, it has ended, or it may not be traced; ESRCH: it is gone.
pub fn seize(tid: u32) -> Result<()> {
    request(libc::PTRACE_SEIZE, tid, std::ptr::null_mut())
}

/// Has a thread that we took stop before it next returns to its program. A call that it sleeps in ends as by
/// a signal without a handler, one that only a fatal signal ends goes on.
pub fn interrupt(tid: u32) -> Result<()> {
    request(libc::PTRACE_INTERRUPT, tid, std::ptr::null_mut())
}

/// Lets go of a thread that stands, as if nothing had been. ESRCH: it does not stand, or is gone.
pub fn detach(tid: u32, stop: Stop) -> Result<()> {
    let signal = match stop {
        Stop::Interrupted => 0,
        Stop::Signalled(signal) => signal,
    };
    request(libc::PTRACE_DETACH, tid, std::ptr::without_provenance_mut(usize::try_from(signal).unwrap_or(0)))
}

/// Where a thread that we took stands. ESRCH: it does not, or is gone.
pub fn stop(tid: u32) -> Result<Stop> {
    let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
    request(libc::PTRACE_GETSIGINFO, tid, info.as_mut_ptr().cast())?;
    // SAFETY: zeroed above and filled by the kernel; every bit pattern is a valid siginfo_t.
    let info = unsafe { info.assume_init() };
    let is_ours = info.si_code == info.si_signo | EVENT_STOP << 8;
    Ok(if is_ours { Stop::Interrupted } else { Stop::Signalled(info.si_signo) })
}

/// Whether a thread that stands is about to make a system call again: one that sleeping would have been part
/// of. `next` is the address of the instruction behind the call.
pub fn is_repeating(tid: u32, next: u64) -> Result<bool> {
    const NT_PRSTATUS: usize = 1;
    let mut registers = [0u64; 64]; // more than any of the structures behind `user_regs_struct` has
    let mut part = libc::iovec { iov_base: registers.as_mut_ptr().cast(), iov_len: size_of_val(&registers) };
    let address = std::ptr::without_provenance_mut::<c_void>(NT_PRSTATUS);
    // SAFETY: the kernel writes no more than the length of the part, and that to `registers`.
    check_long(unsafe { libc::ptrace(libc::PTRACE_GETREGSET, tid, address, &raw mut part) })?;
    Ok(repeats(&registers, next))
}

/// The result that will be taken for a restart is still in place (arch/x86/kernel/signal.c).
#[cfg(target_arch = "x86_64")]
fn repeats(registers: &[u64; 64], _next: u64) -> bool {
    registers[10].cast_signed() == -i64::from(Errno::RESTART.0) // user_regs_struct: rax
}

/// The program counter has been set back to the call (arch/arm64/kernel/signal.c).
#[cfg(target_arch = "aarch64")]
fn repeats(registers: &[u64; 64], next: u64) -> bool {
    registers[32].wrapping_add(4) == next // user_pt_regs: pc
}
