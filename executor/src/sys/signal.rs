//! Signal masks, dispositions and the handler that forwards signals sent to the command line. Decides only
//! what the handler must decide on the spot: signals the terminal sent reach the command by themselves and
//! are not forwarded.

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use super::errno::{Errno, Result, check, check_long};
use super::fd::own;

/// A signal mask of the kernel: bit n−1 stands for signal n.
pub type Mask = u64;

/// How many bytes a mask has, as the kernel's calls want to be told.
const MASK_BYTES: usize = size_of::<Mask>();

/// What C libraries interrupt threads of their own with, for pthread_cancel(3) and for setuid(2) in all
/// threads: a thread that blocked them would keep a host waiting.
const OF_LIBC: Mask = 1 << (32 - 1) | 1 << (33 - 1);

/// rt_sigprocmask(2), `SIG_SETMASK`, where there is a new mask; returns the one before. The call itself,
/// since each C library leaves other signals out of its sets, and a command is to have the mask of whoever
/// started it.
fn exchange(new: Option<Mask>) -> Mask {
    let mut old: Mask = 0;
    let new = new.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: both masks have the bytes that are said; only this thread's changes. It can not fail.
    unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, new, &raw mut old, MASK_BYTES) };
    old
}

/// Blocks every signal for the calling thread; returns the mask it had.
pub fn block_all() -> Mask {
    exchange(Some(!OF_LIBC))
}

/// Sets the calling thread's mask.
pub fn set_mask(mask: Mask) {
    exchange(Some(mask));
}

/// The calling thread's mask.
pub fn mask() -> Mask {
    exchange(None)
}

/// Sets every disposition to its default. In a `CLONE_VM` child without `CLONE_SIGHAND` this changes the child only.
pub fn default_all() {
    let action = [0u64; 4]; // no less than a struct sigaction of the kernel's has; all zero is SIG_DFL
    let none = std::ptr::null_mut::<u64>();
    for signal in 1..=64 {
        // SAFETY: installs no handler; SIGKILL and SIGSTOP are refused, as they should be.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, action.as_ptr(), none, MASK_BYTES) };
    }
}

/// Ignores a signal in this process.
pub fn ignore(signal: i32) {
    // SAFETY: SIG_IGN installs no handler.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Gives a signal its default action in this process.
pub fn default(signal: i32) {
    // SAFETY: SIG_DFL installs no handler.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

/// signalfd(2) for SIGCHLD, which must be blocked.
pub fn child_changes() -> Result<OwnedFd> {
    let set: Mask = 1 << (libc::SIGCHLD - 1);
    let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
    // SAFETY: the set has the bytes that are said.
    let fd =
        check_long(unsafe { libc::syscall(libc::SYS_signalfd4, -1, &raw const set, MASK_BYTES, flags) })?;
    i32::try_from(fd).map(own).map_err(|_| Errno(libc::EBADF))
}

extern "C" fn wake(_signal: i32) {}

/// Installs an empty handler without `SA_RESTART`, so that the signal interrupts a blocking call of the
/// thread it is sent to.
pub fn install_interrupt(signal: i32) -> Result<()> {
    install(signal, wake)
}

/// Installs a handler without `SA_RESTART`. It must do only what is async-signal-safe.
pub(super) fn install(signal: i32, handler: extern "C" fn(i32)) -> Result<()> {
    let mut action = empty_action();
    action.sa_sigaction = handler as usize;
    // SAFETY: the handlers of this directory use the thread's own cells and system calls only, which is
    // async-signal-safe.
    check(unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) }).map(drop)
}

static CHILD_CHANGED: OnceLock<fn()> = OnceLock::new();

extern "C" fn child_changed(_signal: i32) {
    // SAFETY: returns the address of this thread's errno, which is valid as long as the thread runs.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above. The interrupted code must find it unchanged.
    let saved = unsafe { *errno };
    if let Some(act) = CHILD_CHANGED.get() {
        act();
    }
    // SAFETY: as above.
    unsafe { *errno = saved };
}

/// Has `act` called whenever SIGCHLD comes, in the midst of anything: it must do only what is
/// async-signal-safe. For a process that has one such thing to do; calls that are interrupted go on.
pub fn when_a_child_changes(act: fn()) -> Result<()> {
    let _ = CHILD_CHANGED.set(act);
    let mut action = empty_action();
    let handler: extern "C" fn(i32) = child_changed;
    action.sa_sigaction = handler as usize;
    action.sa_flags = libc::SA_RESTART | libc::SA_NOCLDSTOP | libc::SA_ONSTACK;
    // SAFETY: the handler uses an atomic, what `act` promises, and the thread's own errno.
    check(unsafe { libc::sigaction(libc::SIGCHLD, &raw const action, std::ptr::null_mut()) }).map(drop)
}

/// A mask without that signal.
pub fn without(mask: Mask, signal: i32) -> Mask {
    mask & !(1 << (signal - 1))
}

/// A mask that blocks everything but `signal`.
pub fn all_but(signal: i32) -> Mask {
    !(1 << (signal - 1))
}

fn empty_action() -> libc::sigaction {
    let action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: all-zero is a valid sigaction (SIG_DFL, empty mask, no flags).
    unsafe { action.assume_init() }
}

/// The signals a user or a program may send to the command line and that are meant for the command.
pub const FORWARDED: [i32; 7] =
    [libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2, libc::SIGALRM];

static CONTROL: AtomicI32 = AtomicI32::new(-1);
static COMMAND_ENDED: AtomicBool = AtomicBool::new(false);

extern "C" fn forward(signal: i32, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo to an SA_SIGINFO handler.
    let code = unsafe { (*info).si_code };
    // The terminal sends to the whole foreground group, so the command has it already, unless it is gone.
    if code > 0 && !COMMAND_ENDED.load(Ordering::Relaxed) {
        return;
    }
    let bytes = [b'S', u8::try_from(signal).unwrap_or(0)];
    // SAFETY: returns the address of this thread's errno, which is valid as long as the thread runs.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above. The interrupted code must find it unchanged.
    let saved = unsafe { *errno };
    // SAFETY: write(2) is async-signal-safe; two bytes to a pipe are written whole or not at all.
    unsafe { libc::write(CONTROL.load(Ordering::Relaxed), bytes.as_ptr().cast(), 2) };
    // SAFETY: as above.
    unsafe { *errno = saved };
}

/// Takes over this process's signals for the command line: stop signals of the terminal are ignored (the
/// front stops itself when the command has stopped), the forwarded ones go as two bytes to the control pipe.
/// For a process whose only work is to wait.
pub fn take_over(control: &impl AsRawFd) -> Result<()> {
    CONTROL.store(control.as_raw_fd(), Ordering::Relaxed);
    COMMAND_ENDED.store(false, Ordering::Relaxed);
    for signal in [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU] {
        ignore(signal);
    }
    for signal in FORWARDED {
        let mut action = empty_action();
        let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) = forward;
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        // SAFETY: the handler only uses atomics and write(2).
        check(unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) })?;
    }
    Ok(())
}

/// From now on also the terminal's signals are forwarded: the command is gone and only its orphans keep us waiting.
pub fn command_ended() {
    COMMAND_ENDED.store(true, Ordering::Relaxed);
}

/// The front's control pipe is gone: signals are no longer forwarded but do what they do by default, so that
/// whatever this process still waits for can be ended.
pub fn give_back() {
    FORWARDED.into_iter().for_each(default);
    CONTROL.store(-1, Ordering::Relaxed);
}

/// Stops this process as a shell's job control expects, and returns when it was continued.
pub fn stop_self() {
    // SIGSTOP to ourselves returns after SIGCONT and can not fail.
    let _ = super::process::kill(super::process::own_pid(), libc::SIGSTOP);
}

/// Ends this process by `signal`, as if it had not been handled, and without a core file.
pub fn end_by(signal: i32) -> ! {
    let _ = super::process::set_limit(libc::RLIMIT_CORE, 0, 0);
    default(signal);
    set_mask(0);
    let _ = super::process::kill(super::process::own_pid(), signal);
    super::process::exit_now(128 + signal)
}
