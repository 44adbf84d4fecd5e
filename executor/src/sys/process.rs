//! Processes that exist: pidfds, waiting, killing, privileges, limits. Decides nothing about whom to kill.
//! How they are made: `child.rs`.

use std::ffi::{CStr, c_int};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use super::errno::{Errno, Result, check, check_long};
use super::fd::own;

/// `PIDFD_THREAD` (Linux 6.9): the pidfd names one thread, not its group.
pub const PIDFD_THREAD: u32 = libc::O_EXCL.cast_unsigned();

/// pidfd_open(2); CLOEXEC by the kernel.
pub fn pidfd_open(pid: u32, flags: u32) -> Result<OwnedFd> {
    // SAFETY: takes no pointers.
    let fd = check_long(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, flags) })?;
    Ok(own(c_int::try_from(fd).map_err(|_| Errno(libc::EBADF))?))
}

/// pidfd_getfd(2): our own duplicate of the descriptor `number` of that task, CLOEXEC.
pub fn pidfd_getfd(pidfd: &impl AsRawFd, number: i32) -> Result<OwnedFd> {
    // SAFETY: takes no pointers.
    let fd = check_long(unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), number, 0) })?;
    Ok(own(c_int::try_from(fd).map_err(|_| Errno(libc::EBADF))?))
}

/// pidfd_send_signal(2) without siginfo.
pub fn pidfd_send_signal(pidfd: &impl AsRawFd, signal: i32) -> Result<()> {
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo is allowed (the kernel fills in SI_USER).
    check_long(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, none, 0) })
        .map(drop)
}

/// Size of `siginfo_t` (asm-generic/siginfo.h, `SI_MAX_SIZE`).
pub const SIGINFO_BYTES: usize = 128;

/// pidfd_send_signal(2) with a siginfo of the caller's making. EPERM: it claims to come from the kernel.
pub fn pidfd_send_information(
    pidfd: &impl AsRawFd,
    signal: i32,
    information: &[u8; SIGINFO_BYTES],
) -> Result<()> {
    let information = information.as_ptr();
    // SAFETY: the kernel reads as many bytes as the array has, and judges them.
    check_long(unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, information, 0)
    })
    .map(drop)
}

/// The process that a pidfd holds, or the directory of one in /proc, which Linux takes for one. EBADF: it is
/// neither; ESRCH: the process is gone.
pub fn pid_of(pidfd: &impl AsRawFd) -> Result<i32> {
    pid_at("self", pidfd.as_raw_fd())
}

/// The same of a pidfd that a task (a number or `self`) has. EPERM: we may not look at it.
pub fn pid_at(task: &str, number: RawFd) -> Result<i32> {
    let text = std::fs::read_to_string(format!("/proc/{task}/fdinfo/{number}"));
    let text = text.map_err(|error| match Errno::from(error) {
        Errno(libc::EACCES) => Errno(libc::EPERM),
        Errno(libc::ENOENT) => Errno(libc::EBADF),
        other => other,
    })?;
    let Some(pid) = text.lines().find_map(|line| line.strip_prefix("Pid:")) else {
        return pid_at_directory(&format!("/proc/{task}/fd/{number}"));
    };
    // −1: it was reaped (fs/pidfs.c).
    pid.trim().parse().ok().filter(|pid| *pid > 0).ok_or(Errno(libc::ESRCH))
}

/// The process of its directory in /proc: ours, in which numbers are ours.
fn pid_at_directory(path: &str) -> Result<i32> {
    use std::os::unix::fs::MetadataExt as _;
    let none = Errno(libc::EBADF);
    // The link first: a file system of somebody's own may take its time to answer. ` (deleted)` follows the
    // number of a process that is gone.
    let link = std::fs::read_link(path).map_err(|_| none)?;
    let number = link.to_str().and_then(|link| link.strip_prefix("/proc/")?.split(' ').next()?.parse().ok());
    let number: i32 = number.ok_or(none)?;
    let device = |path: &str| std::fs::metadata(path).map(|file| file.dev()).map_err(|_| none);
    if device(path)? != device("/proc")? {
        return Err(none);
    }
    let stat = std::fs::read_to_string(format!("{path}/stat")).map_err(|_| Errno(libc::ESRCH))?;
    if stat.split(' ').next().and_then(|pid| pid.parse().ok()) == Some(number) {
        Ok(number)
    } else {
        Err(none)
    }
}

/// Whether two tasks share one descriptor table (kcmp(2), `KCMP_FILES`).
pub fn share_files(first: u32, second: u32) -> Result<bool> {
    const KCMP_FILES: c_int = 2;
    // SAFETY: takes no pointers.
    let order = check_long(unsafe { libc::syscall(libc::SYS_kcmp, first, second, KCMP_FILES, 0, 0) })?;
    Ok(order == 0)
}

/// kill(2) with signal 0: may we signal that process?
pub fn may_signal(pid: i32) -> Result<()> {
    // SAFETY: takes no pointers; signal 0 sends nothing.
    check(unsafe { libc::kill(pid, 0) }).map(drop)
}

/// kill(2).
pub fn kill(pid: i32, signal: i32) -> Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// tgkill(2) to a thread of this process.
pub fn signal_own_thread(tid: u32, signal: i32) -> Result<()> {
    signal_thread(own_pid(), tid.cast_signed(), signal)
}

/// tgkill(2): a signal to the thread, if it is one of that process.
pub fn signal_thread(process: i32, tid: i32, signal: i32) -> Result<()> {
    // SAFETY: takes no pointers.
    check_long(unsafe { libc::syscall(libc::SYS_tgkill, process, tid, signal) }).map(drop)
}

/// getpgid(2): the process group of a task.
pub fn group_of(pid: u32) -> Result<i32> {
    let pid = i32::try_from(pid).map_err(|_| Errno(libc::ESRCH))?;
    // SAFETY: takes no pointers.
    check(unsafe { libc::getpgid(pid) })
}

/// This process's id.
pub fn own_pid() -> i32 {
    // SAFETY: can not fail.
    unsafe { libc::getpid() }
}

/// The effective user id.
pub fn effective_user() -> u32 {
    // SAFETY: can not fail.
    unsafe { libc::geteuid() }
}

/// The calling thread's id.
pub fn own_tid() -> u32 {
    // SAFETY: takes no pointers and can not fail.
    u32::try_from(unsafe { libc::syscall(libc::SYS_gettid) }).unwrap_or(0)
}

/// The parent's process id; 0 when it lies outside our PID namespace.
pub fn parent() -> i32 {
    // SAFETY: can not fail.
    unsafe { libc::getppid() }
}

/// How a child changed state, as waitid(2) tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The child.
    pub pid: i32,
    /// `CLD_EXITED`, `CLD_KILLED`, `CLD_DUMPED`, `CLD_STOPPED`, `CLD_CONTINUED`.
    pub code: i32,
    /// Exit status or signal.
    pub status: i32,
}

/// Takes one state change of any child that `options` asks for, without waiting. `Ok(None)`: nothing now.
/// ECHILD: no child left. What stands because a thread of ours traces it (`ptrace.rs`) is told whatever is
/// asked for, and is no change.
pub fn wait_any(options: c_int) -> Result<Option<Change>> {
    take_change(libc::P_ALL, 0, options)
}

/// The same for that child alone: what others do then takes none of our time.
pub fn wait_one(pid: i32, options: c_int) -> Result<Option<Change>> {
    take_change(libc::P_PID, pid.cast_unsigned(), options)
}

fn take_change(of: libc::idtype_t, id: libc::id_t, options: c_int) -> Result<Option<Change>> {
    loop {
        let change = take_one_change(of, id, options)?;
        if change.is_none_or(|change| change.code != libc::CLD_TRAPPED) {
            return Ok(change);
        }
    }
}

fn take_one_change(of: libc::idtype_t, id: libc::id_t, options: c_int) -> Result<Option<Change>> {
    let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: `info` has the size the call writes.
    let result = unsafe { libc::waitid(of, id, info.as_mut_ptr(), options | libc::WNOHANG | libc::__WALL) };
    check(result)?;
    // SAFETY: zeroed above and filled by the kernel; every bit pattern is a valid siginfo_t.
    let info = unsafe { info.assume_init() };
    // SAFETY: si_pid and si_status are the fields waitid sets; with nothing to report they are zero.
    let pid = unsafe { info.si_pid() };
    // SAFETY: as above.
    let status = unsafe { info.si_status() };
    Ok((pid != 0).then_some(Change { pid, code: info.si_code, status }))
}

/// Whether that child has exited with status 0, which stays to be taken. `None`: it runs, or is no child.
/// With `WNOHANG` a handler of signals may ask; otherwise it waits for the child's end.
pub fn has_ended_well(pid: i32, options: c_int) -> Option<bool> {
    let pid = libc::id_t::try_from(pid).ok()?;
    let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = options | libc::WEXITED | libc::WNOWAIT;
    loop {
        // SAFETY: `info` has the size the call writes.
        match check(unsafe { libc::waitid(libc::P_PID, pid, info.as_mut_ptr(), options) }) {
            Ok(_) => break,
            Err(Errno(libc::EINTR)) => {}
            Err(_) => return None,
        }
    }
    // SAFETY: zeroed above and filled by the kernel; every bit pattern is a valid siginfo_t.
    let info = unsafe { info.assume_init() };
    // SAFETY: si_pid and si_status are the fields waitid sets; with nothing to report they are zero.
    let ended = unsafe { info.si_pid() };
    // SAFETY: as above.
    let status = unsafe { info.si_status() };
    (ended != 0).then_some(info.si_code == libc::CLD_EXITED && status == 0)
}

/// Waits for one child to end and takes its status: the exit code or the negated signal.
pub fn wait_for(pid: i32) -> Result<i32> {
    let mut status = 0;
    loop {
        // SAFETY: `status` is an int the call writes.
        match check(unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) }) {
            Ok(_) if libc::WIFSIGNALED(status) => return Ok(-libc::WTERMSIG(status)),
            Ok(_) => return Ok(libc::WEXITSTATUS(status)),
            Err(Errno(libc::EINTR)) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Takes a child that is ending just now, once a handler of SIGCHLD has seen how it ended. On a virtual machine it
/// takes longer to wake an idle processor than most of that end does, so the first 0.1 ms this one is not given up.
pub fn take_ending(pid: i32) {
    let sleeps = Instant::now() + Duration::from_micros(100);
    while has_ended_well(pid, libc::WNOHANG).is_none() && Instant::now() < sleeps {
        std::thread::yield_now();
    }
    // The handler comes before the second call: the signal is pending when the first returns. ECHILD: it took it.
    let _ = has_ended_well(pid, 0);
    let _ = wait_for(pid);
}

/// prctl(2) with one integer argument.
pub fn prctl(option: c_int, value: u64) -> Result<()> {
    // SAFETY: only options whose argument is an integer are passed by this crate.
    check(unsafe { libc::prctl(option, value, 0, 0, 0) }).map(drop)
}

/// Names the calling thread (at most 15 bytes), for ps(1).
pub fn name_thread(name: &CStr) {
    // SAFETY: PR_SET_NAME reads a NUL-terminated string; failing is harmless.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) };
}

/// `_LINUX_CAPABILITY_VERSION_3` (linux/capability.h)
const VERSION_3: u32 = 0x2008_0522;

#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: c_int,
}

/// Gives up every capability of the calling thread: ambient, effective, permitted, inheritable. For good,
/// under `no_new_privs`: an exec may then not end with more than it began with, also as root and with file
/// capabilities (security/commoncap.c, cap_bprm_creds_from_file).
///
/// The bounding set stays: without it the kernel refuses to execute a program that has file capabilities
/// (ping(8)) at all, instead of running it without.
pub fn drop_capabilities() -> Result<()> {
    // SAFETY: takes no pointers; EINVAL where the kernel has no ambient set, which then is empty.
    unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) };
    let header = CapabilityHeader { version: VERSION_3, pid: 0 };
    let none = [0u32; 6]; // two struct __user_cap_data_struct
    // SAFETY: header and data have the layout of version 3.
    check_long(unsafe { libc::syscall(libc::SYS_capset, &raw const header, none.as_ptr()) }).map(drop)
}

/// Whether the calling thread has any capability in effect.
pub fn has_capabilities() -> Result<bool> {
    let header = CapabilityHeader { version: VERSION_3, pid: 0 };
    let mut data = [0u32; 6]; // two struct __user_cap_data_struct: effective, permitted, inheritable
    // SAFETY: header and data have the layout of version 3.
    check_long(unsafe { libc::syscall(libc::SYS_capget, &raw const header, data.as_mut_ptr()) })?;
    let [low, _, _, high, _, _] = data;
    Ok(low | high != 0)
}

/// Whether that process tells us its limits. To be asked without capabilities: then its real, effective and
/// saved user and group are our real ones (kernel/sys.c, `check_prlimit_permission`).
pub fn tells_limits(pid: i32) -> bool {
    let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    let none = std::ptr::null::<libc::rlimit64>();
    // SAFETY: nothing is set; `limit` is the structure the call writes.
    unsafe { libc::syscall(libc::SYS_prlimit64, pid, libc::RLIMIT_NOFILE, none, &raw mut limit) == 0 }
}

/// The hard and soft limit of open files: (soft, hard).
pub fn open_file_limit() -> Result<(u64, u64)> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is the structure the call writes.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    Ok((limit.rlim_cur, limit.rlim_max))
}

/// The type that this C library gives the names of resource limits.
#[cfg(target_env = "gnu")]
type Resource = libc::__rlimit_resource_t;
#[cfg(not(target_env = "gnu"))]
type Resource = c_int;

/// Sets a resource limit of this process.
pub fn set_limit(resource: Resource, soft: u64, hard: u64) -> Result<()> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: `limit` is the structure the call reads.
    check(unsafe { libc::setrlimit(resource, &raw const limit) }).map(drop)
}

/// One heap for all threads of this process. glibc gives each thread one of its own, which takes four calls
/// and a page or two; threads here allocate little.
pub fn share_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: sets a number that the allocator looks at when a thread first asks it.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1)
    };
}

/// setsid(2).
pub fn new_session() -> Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::setsid() }).map(drop)
}

/// Ends this process at once.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: never returns and runs no handlers.
    unsafe { libc::_exit(code) }
}

/// SIGALRM for this process after so many seconds (alarm(2)).
pub fn alarm(seconds: u32) {
    // SAFETY: takes no pointers and can not fail.
    unsafe { libc::alarm(seconds) };
}

/// Waits for a signal (pause(2)).
pub fn pause() {
    // SAFETY: takes no pointers.
    unsafe { libc::pause() };
}

/// getpgid(2) of the caller, a call that nothing here needs: a probe traps it.
pub fn group_of_self() -> Result<i32> {
    group_of(0)
}

/// unshare(2) of namespaces, for a process with one thread.
pub fn unshare(namespaces: c_int) -> Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::unshare(namespaces) }).map(drop)
}
