//! Children: how they are made, and the calls that one may make before it has executed its program (`execute`
//! to `die_with_parent`): no allocation, no locks, no panics in them. Decides nothing about what a child
//! becomes.

use std::ffi::{CStr, CString, c_char, c_int, c_void};

use super::errno::{Errno, Result, check, check_long};
use super::process::exit_now;

/// The stack of a child created by `clone_vfork`, a part of the parent's own, so that no mapping is made for it.
/// What such a child may call needs some hundred bytes, and no handler of signals runs in it.
const STACK_BYTES: usize = 16 * 1024;

extern "C" fn run<F: FnMut() -> i32>(body: *mut c_void) -> c_int {
    // SAFETY: `clone_vfork` passes a pointer to its own `body`, which outlives the child's use of it (vfork).
    let body = unsafe { &mut *body.cast::<F>() };
    body()
}

/// Creates a child that shares our memory (and with `files` our descriptor table) and suspends the calling
/// thread until it has exec'ed or exited: clone(2) with `CLONE_VM | CLONE_VFORK`. Returns its process id.
/// `body`'s value is its exit status.
///
/// Should: block all signals before (`signal::block_all`), prepare every string and structure before. Must
/// not, inside `body`: allocate, panic, take a lock, call anything but plain system calls. The child runs on
/// the parent's memory while other threads of the parent run on.
pub fn clone_vfork<F: FnMut() -> i32>(files: bool, body: &mut F) -> Result<i32> {
    let mut stack = std::mem::MaybeUninit::<[u8; STACK_BYTES]>::uninit();
    let top = stack.as_mut_ptr().wrapping_add(1);
    let mut flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    if files {
        flags |= libc::CLONE_FILES;
    }
    let argument: *mut F = body;
    // SAFETY: the stack is ours and large enough for plain system calls; `run::<F>` gets the pointer it expects; the
    // thread stays suspended in this call as long as the child uses stack and body.
    check(unsafe { libc::clone(run::<F>, top.cast(), flags, argument.cast()) })
}

/// fork(2): `body` runs in a copy of this process that has this thread alone, and gives its exit status.
/// Returns the child's process id. For a process that has no other thread.
pub fn fork(body: impl FnOnce() -> i32) -> Result<i32> {
    // SAFETY: the callers, the probe and the launcher, have one thread, so no lock is held by another.
    match check(unsafe { libc::fork() })? {
        0 => exit_now(body()),
        pid => Ok(pid),
    }
}

/// Strings of an argument vector in the form execve(2) wants. Owns the strings.
pub struct Vector {
    pointers: Vec<*const c_char>,
    _strings: Vec<CString>,
}

impl Vector {
    /// Takes the strings over.
    pub fn new(strings: Vec<CString>) -> Self {
        let mut pointers: Vec<_> = strings.iter().map(|string| string.as_ptr()).collect();
        pointers.push(std::ptr::null());
        Self { pointers, _strings: strings }
    }
}

/// execve(2); returns only on failure.
pub fn execute(path: &CStr, arguments: &Vector, environment: &Vector) -> Errno {
    // SAFETY: both vectors end in a null pointer and own their strings.
    unsafe { libc::execve(path.as_ptr(), arguments.pointers.as_ptr(), environment.pointers.as_ptr()) };
    Errno::last()
}

/// execv(3): `execute` in the environment that this process has; returns only on failure.
pub fn execute_here(path: &CStr, arguments: &Vector) -> Errno {
    // SAFETY: the vector ends in a null pointer and owns its strings. The environment is the C library's own.
    unsafe { libc::execv(path.as_ptr(), arguments.pointers.as_ptr()) };
    Errno::last()
}

/// chdir(2).
pub fn change_directory(path: &CStr) -> Result<()> {
    // SAFETY: the path ends in NUL.
    check(unsafe { libc::chdir(path.as_ptr()) }).map(drop)
}

/// Unshares the descriptor table and closes everything from `first` on, in one call (Linux 5.9).
pub fn unshare_and_close(first: u32) -> Result<()> {
    const UNSHARE: u32 = 1 << 1; // CLOSE_RANGE_UNSHARE
    // SAFETY: takes no pointers; affects only this child's own copy of the table.
    check_long(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, UNSHARE) }).map(drop)
}

/// dup2(2) of `from` onto `to`; clears CLOEXEC also when both are the same.
pub fn place(from: c_int, to: c_int) -> Result<()> {
    if from == to {
        return keep(to);
    }
    // SAFETY: takes no pointers.
    check(unsafe { libc::dup2(from, to) }).map(drop)
}

/// Clears CLOEXEC. A descriptor that is not open stays so.
pub fn keep(number: c_int) -> Result<()> {
    // SAFETY: F_SETFD takes an int.
    match check(unsafe { libc::fcntl(number, libc::F_SETFD, 0) }) {
        Ok(_) | Err(Errno(libc::EBADF)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Clears CLOEXEC of the files and directories from `first` on, up to the first number that is free, from 16
/// on: so many descriptors of a caller libuv closes on exec (`uv_disable_stdio_inheritance`).
pub fn keep_files_from(first: c_int) {
    const AT_LEAST: c_int = 16;
    for number in first.. {
        let mut stat = std::mem::MaybeUninit::<libc::stat>::uninit();
        // SAFETY: `stat` has the size the call writes.
        if check(unsafe { libc::fstat(number, stat.as_mut_ptr()) }).is_err() {
            if number >= AT_LEAST {
                break;
            }
            continue;
        }
        // SAFETY: fstat succeeded, so it has filled the structure.
        let mode = unsafe { stat.assume_init() }.st_mode;
        if [libc::S_IFREG, libc::S_IFDIR].contains(&(mode & libc::S_IFMT)) {
            // It is open: nothing can go wrong.
            let _ = keep(number);
        }
    }
}

/// SIGKILL for this child when the thread that created it ends; checks that it has not ended already.
pub fn die_with_parent(parent: i32) -> Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) })?;
    // SAFETY: can not fail.
    if unsafe { libc::getppid() } == parent { Ok(()) } else { Err(Errno(libc::ESRCH)) }
}
