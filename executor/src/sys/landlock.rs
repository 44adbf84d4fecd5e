//! Landlock (landlock(7)): the version the kernel offers and the rulesets this program needs. The numbers are those of
//! `include/uapi/linux/landlock.h`. Decides nothing about when a ruleset is entered.

use std::os::fd::{AsRawFd, OwnedFd};

use super::errno::{Errno, Result, check_long};
use super::fd::own;

const ACCESS_FS_MAKE_BLOCK: u64 = 1 << 11; // ABI 1, Linux 5.13
const ACCESS_FS_REFER: u64 = 1 << 13; // ABI 2, Linux 5.19
const ACCESS_NET_BIND_TCP: u64 = 1 << 0; // ABI 4, Linux 6.7
const ACCESS_NET_CONNECT_TCP: u64 = 1 << 1; // ABI 4, Linux 6.7
const SCOPE_ABSTRACT_UNIX_SOCKET: u64 = 1 << 0; // ABI 6, Linux 6.12
const SCOPE_SIGNAL: u64 = 1 << 1; // ABI 6, Linux 6.12

// The system call numbers are the same on every architecture since Linux 5.1.
const CREATE_RULESET: libc::c_long = 444;
const ADD_RULE: libc::c_long = 445;
const RESTRICT_SELF: libc::c_long = 446;

#[repr(C)]
struct RulesetAttributes {
    handled_access_fs: u64,
    handled_access_net: u64,
    scoped: u64,
}

#[repr(C)]
struct NetPortAttributes {
    allowed_access: u64,
    port: u64,
}

/// What of Landlock the kernel has, by its ABI version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Abi(pub u32);

impl Abi {
    /// Asks the kernel. 0: no Landlock (not built in, or not enabled at boot).
    pub fn of_kernel() -> Self {
        const VERSION: u32 = 1;
        let none = std::ptr::null::<RulesetAttributes>();
        // SAFETY: with the version flag the kernel wants a null pointer and size 0.
        let version = unsafe { libc::syscall(CREATE_RULESET, none, 0usize, VERSION) };
        Self(u32::try_from(version).unwrap_or(0))
    }

    /// There are domains, each of which keeps ptrace(2) and its kin inside, and what `/proc/PID` shows of memory
    /// and descriptors (ABI 1, Linux 5.13).
    pub fn has_domains(self) -> bool {
        self.0 >= 1
    }

    /// TCP connect and bind can be handled (ABI 4, Linux 6.7).
    pub fn has_tcp(self) -> bool {
        self.0 >= 4
    }

    /// Signals and abstract unix sockets can be scoped (ABI 6, Linux 6.12).
    pub fn has_scopes(self) -> bool {
        self.0 >= 6
    }
}

#[repr(C, packed)]
struct PathBeneathAttributes {
    allowed_access: u64,
    parent_fd: i32,
}

fn create(handled_access_fs: u64, handled_access_net: u64, scoped: u64) -> Result<OwnedFd> {
    let attributes = RulesetAttributes { handled_access_fs, handled_access_net, scoped };
    // A kernel that does not know the tail of the structure refuses it only when it is not zero (E2BIG).
    let size = size_of::<RulesetAttributes>();
    // SAFETY: `attributes` is a structure of `size` bytes that the kernel reads.
    let fd = check_long(unsafe { libc::syscall(CREATE_RULESET, &raw const attributes, size, 0) })?;
    Ok(own(i32::try_from(fd).map_err(|_| Errno(libc::EBADF))?))
}

/// The ruleset of the front's domain: whoever is in it can signal only what is in it as well.
pub fn signals() -> Result<OwnedFd> {
    create(0, 0, SCOPE_SIGNAL)
}

/// The ruleset of the supervisor's domain, nested in the front's: whoever is in it reaches by abstract unix
/// socket only what is in it as well.
pub fn abstract_names() -> Result<OwnedFd> {
    create(0, 0, SCOPE_ABSTRACT_UNIX_SOCKET)
}

/// What the command's domain leaves of TCP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// Every connect is left alone.
    pub connects_anywhere: bool,
    /// Ports that may be connected to, at any address.
    pub connect: Vec<u16>,
    /// Sockets may be bound to port 0, so that the kernel chooses one.
    pub binds_any: bool,
}

/// The ruleset of the command's domain, nested in the supervisor's: TCP connect and bind with what `ports`
/// leaves of them, both scopes, as far as `abi` has them.
pub fn inner(abi: Abi, ports: &Ports) -> Result<OwnedFd> {
    let scopes = if abi.has_scopes() { SCOPE_SIGNAL | SCOPE_ABSTRACT_UNIX_SOCKET } else { 0 };
    let connect = if ports.connects_anywhere { 0 } else { ACCESS_NET_CONNECT_TCP };
    let ruleset = create(0, ACCESS_NET_BIND_TCP | connect, scopes)?;
    for port in &ports.connect {
        allow_port(&ruleset, ACCESS_NET_CONNECT_TCP, *port)?;
    }
    if ports.binds_any {
        allow_port(&ruleset, ACCESS_NET_BIND_TCP, 0)?;
    }
    Ok(ruleset)
}

/// The ruleset of the command's domain where Landlock has no TCP (ABI 1 to 3): for what every domain does,
/// which is to keep ptrace(2) inside and so `/proc/PID/mem` and `/proc/PID/fd`. It has to handle something: making block
/// devices, for which the command has no capability either. That files move between directories is refused by
/// every domain (EXDEV), unless it is allowed, which ABI 2 can.
pub fn processes(abi: Abi) -> Result<OwnedFd> {
    const PATH_BENEATH: u32 = 1; // LANDLOCK_RULE_PATH_BENEATH
    let moves = if abi.0 >= 2 { ACCESS_FS_REFER } else { 0 };
    let ruleset = create(ACCESS_FS_MAKE_BLOCK | moves, 0, 0)?;
    if moves != 0 {
        let root = super::fd::open_path(c"/")?;
        let rule = PathBeneathAttributes { allowed_access: moves, parent_fd: root.as_raw_fd() };
        // SAFETY: `rule` is the structure that this type of rule takes; the kernel only reads it.
        let result =
            unsafe { libc::syscall(ADD_RULE, ruleset.as_raw_fd(), PATH_BENEATH, &raw const rule, 0) };
        check_long(result)?;
    }
    Ok(ruleset)
}

fn allow_port(ruleset: &OwnedFd, allowed_access: u64, port: u16) -> Result<()> {
    const NET_PORT: u32 = 2; // LANDLOCK_RULE_NET_PORT
    let rule = NetPortAttributes { allowed_access, port: u64::from(port) };
    // SAFETY: `rule` is the structure that this type of rule takes; the kernel only reads it.
    let result = unsafe { libc::syscall(ADD_RULE, ruleset.as_raw_fd(), NET_PORT, &raw const rule, 0) };
    check_long(result).map(drop)
}

/// Enters the ruleset's domain with the calling thread, for ever. Needs `no_new_privs`. Fit for a child
/// between clone and exec.
pub fn enter(ruleset: &impl AsRawFd) -> Result<()> {
    // SAFETY: takes no pointers.
    check_long(unsafe { libc::syscall(RESTRICT_SELF, ruleset.as_raw_fd(), 0) }).map(drop)
}
