//! seccomp(2): installing a filter with a listener, and the listener's ioctls (`seccomp_unotify(2)`,
//! `include/uapi/linux/seccomp.h`). Decides nothing about what is trapped or answered.

use std::os::fd::{AsRawFd, OwnedFd};

use super::errno::{Errno, Result, check_long};
use super::fd::{self, own};
use super::tick;

/// One classic BPF instruction.
pub use libc::sock_filter as Instruction;

/// A trapped system call, as the kernel reports it.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Notification {
    /// Names this call in all other requests.
    pub id: u64,
    /// The calling thread, in our PID namespace; 0 when it is not visible from there.
    pub tid: u32,
    flags: u32,
    /// System call number.
    pub nr: i32,
    /// `AUDIT_ARCH_*`.
    pub arch: u32,
    /// Of the instruction behind the call.
    pub instruction_pointer: u64,
    /// The six arguments, as registers.
    pub args: [u64; 6],
}

#[repr(C)]
struct Addition {
    id: u64,
    flags: u32,
    ours: u32,
    theirs: u32,
    their_flags: u32,
}

#[repr(C)]
struct Response {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

// Requests of ioctl(2) are made by syscall(2): each C library has another type for them.
const IOC_RECV: libc::c_ulong = 0xc050_2100; // SECCOMP_IOWR(0, struct seccomp_notif), 80 bytes
const IOC_SEND: libc::c_ulong = 0xc018_2101; // SECCOMP_IOWR(1, struct seccomp_notif_resp), 24 bytes
const IOC_ID_VALID: libc::c_ulong = 0x4008_2102; // SECCOMP_IOW(2, __u64), Linux 5.8
const IOC_SET_FLAGS: libc::c_ulong = 0x4008_2104; // SECCOMP_IOW(4, __u64), Linux 6.6
const IOC_ADDFD: libc::c_ulong = 0x4018_2103; // SECCOMP_IOW(3, struct seccomp_notif_addfd), 24 bytes, Linux 5.9
/// `SECCOMP_ADDFD_FLAG_SEND`, Linux 5.14
const ADDFD_SEND: u32 = 2;
const SYNC_WAKE_UP: u64 = 1;
/// `SECCOMP_USER_NOTIF_FLAG_CONTINUE`, Linux 5.5
const CONTINUE: u32 = 1;

const SET_MODE_FILTER: u32 = 1;
/// `SECCOMP_FILTER_FLAG_NEW_LISTENER`
pub const NEW_LISTENER: u32 = 1 << 3;
const WAIT_KILLABLE_RECV: u32 = 1 << 5; // Linux 5.19

/// Installs `program` for the calling thread and returns the listener's number, CLOEXEC. Needs
/// `no_new_privs`. Fit for a child between clone and exec. EBUSY: a listener is already there, we are inside
/// another sandbox.
///
/// A notification that was received is then only interrupted by a fatal signal (`WAIT_KILLABLE_RECV`), so
/// that a call made on behalf is not replayed; kernels before 5.19 do without.
pub fn install(program: &[Instruction]) -> Result<i32> {
    match install_exactly(program, true) {
        Err(Errno(libc::EINVAL)) => install_exactly(program, false),
        result => result,
    }
}

/// As `install`, without a second try: EINVAL where the kernel has no `WAIT_KILLABLE_RECV` and `killable` asks for it.
pub fn install_exactly(program: &[Instruction], killable: bool) -> Result<i32> {
    let length = u16::try_from(program.len()).map_err(|_| Errno(libc::EINVAL))?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    let flags = NEW_LISTENER | if killable { WAIT_KILLABLE_RECV } else { 0 };
    // SAFETY: `program` describes a slice that the kernel only reads.
    let number =
        check_long(unsafe { libc::syscall(libc::SYS_seccomp, SET_MODE_FILTER, flags, &raw const program) })?;
    i32::try_from(number).map_err(|_| Errno(libc::EBADF))
}

/// Whether the kernel has `WAIT_KILLABLE_RECV`, so that `install` asks for it: flags are looked at before the
/// program, which is missing here (kernel/seccomp.c, `seccomp_set_mode_filter`).
pub fn has_killable_waits() -> bool {
    let flags = NEW_LISTENER | WAIT_KILLABLE_RECV;
    let none = std::ptr::null::<libc::sock_fprog>();
    // SAFETY: the kernel refuses the null pointer (EFAULT).
    let result = check_long(unsafe { libc::syscall(libc::SYS_seccomp, SET_MODE_FILTER, flags, none) });
    result == Err(Errno(libc::EFAULT))
}

/// The supervisor's end: trapped calls come out of it, answers go in.
#[derive(Debug)]
pub struct Listener(OwnedFd);

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

impl Listener {
    /// Takes the descriptor over that `install` returned in a child sharing our table.
    pub fn adopt(number: i32) -> Self {
        Self(own(number))
    }

    /// A descriptor for a listener that does not exist yet: whoever is to use it can be made now.
    pub fn reserved() -> Result<Self> {
        // Anything that is open will do.
        fd::pipe().map(|(end, _)| Self(end))
    }

    /// Becomes that listener, under the number that this one has.
    pub fn take_over(&self, other: Self) -> Result<()> {
        // SAFETY: takes no pointers. What had our number is a placeholder that nobody has used yet.
        check_long(unsafe { libc::dup3(other.as_raw_fd(), self.as_raw_fd(), libc::O_CLOEXEC) }.into())
            .map(|_| drop(other))
    }

    /// Wakes the other side on the same processor (`SYNC_WAKE_UP`); EINVAL: kernels before 6.6 have no such flag.
    pub fn wake_synchronously(&self) -> Result<()> {
        // SAFETY: the argument is passed by value.
        check_long(unsafe { libc::syscall(libc::SYS_ioctl, self.as_raw_fd(), IOC_SET_FLAGS, SYNC_WAKE_UP) })
            .map(drop)
    }

    /// Takes one notification; blocks while there is none. ENOENT: the caller has gone meanwhile, or all of
    /// them have. Before Linux 6.11 it never returns when all of them go while it waits.
    pub fn receive(&self) -> Result<Notification> {
        let mut notification = Notification::default();
        // SAFETY: `notification` has the layout and, being zero, the content that the ioctl demands.
        check_long(unsafe {
            libc::syscall(libc::SYS_ioctl, self.as_raw_fd(), IOC_RECV, &raw mut notification)
        })?;
        Ok(notification)
    }

    /// Whether no task is left that could be heard here.
    pub fn is_abandoned(&self) -> bool {
        let mut polls = [fd::hangup(self)];
        // An error is told by the next receive.
        fd::poll(&mut polls, 0).is_ok_and(|count| count > 0)
    }

    /// Whether that call is still waiting: its task has neither died nor left the call.
    pub fn is_waiting(&self, id: u64) -> bool {
        loop {
            // SAFETY: the ioctl reads one u64.
            match check_long(unsafe {
                libc::syscall(libc::SYS_ioctl, self.as_raw_fd(), IOC_ID_VALID, &raw const id)
            }) {
                Err(Errno(libc::EINTR)) => {}
                result => return result.is_ok(),
            }
        }
    }

    /// Answers with the call's result. `false`: the caller is gone, as `is_waiting` would have told just before.
    pub fn answer(&self, id: u64, result: Result<i64>) -> bool {
        let (value, error) = match result {
            Ok(value) => (value, 0),
            Err(Errno(error)) => (0, -error),
        };
        self.send(&Response { id, value, error, flags: 0 })
    }

    /// Lets the call run in the caller, as if it had not been trapped: the kernel reads the registers as they
    /// were, but memory and the descriptor table anew. `false`: the caller is gone.
    pub fn let_run(&self, id: u64) -> bool {
        self.send(&Response { id, value: 0, error: 0, flags: CONTINUE })
    }

    /// Gives the caller a descriptor of the same file as ours, with its lowest free number, which is
    /// returned. EMFILE: the caller may have no more; ENOENT: it is gone.
    pub fn give(&self, id: u64, ours: &impl AsRawFd, close_on_exec: bool) -> Result<i32> {
        self.add(id, ours, close_on_exec, 0)
    }

    /// The same, and answers its call with that number. EINVAL: before Linux 5.14.
    pub fn answer_with(&self, id: u64, ours: &impl AsRawFd, close_on_exec: bool) -> Result<()> {
        self.add(id, ours, close_on_exec, ADDFD_SEND).map(drop)
    }

    fn add(&self, id: u64, ours: &impl AsRawFd, close_on_exec: bool, flags: u32) -> Result<i32> {
        let addition = Addition {
            id,
            flags,
            ours: ours.as_raw_fd().cast_unsigned(),
            theirs: 0,
            their_flags: if close_on_exec { libc::O_CLOEXEC.cast_unsigned() } else { 0 },
        };
        // The call is taken for answered as soon as this begins: if a signal ended it, the caller would be
        // told 0 and have no descriptor (kernel/seccomp.c, seccomp_notify_addfd).
        tick::stop();
        loop {
            // SAFETY: `addition` has the layout the ioctl reads.
            match check_long(unsafe {
                libc::syscall(libc::SYS_ioctl, self.as_raw_fd(), IOC_ADDFD, &raw const addition)
            }) {
                Err(Errno(libc::EINTR)) => {}
                // A descriptor's number, which the kernel keeps far below.
                result => return result.map(|number| i32::try_from(number).unwrap_or(i32::MAX)),
            }
        }
    }

    fn send(&self, response: &Response) -> bool {
        loop {
            // SAFETY: `response` has the layout the ioctl reads.
            match check_long(unsafe {
                libc::syscall(libc::SYS_ioctl, self.as_raw_fd(), IOC_SEND, &raw const *response)
            }) {
                Err(Errno(libc::EINTR)) => {}
                result => return result.is_ok(),
            }
        }
    }
}
