//! A mount namespace of one's own with some mounts made read-only (mount_namespaces(7), mount(2)). Decides nothing about which.

use std::ffi::CStr;

use super::errno::{Result, check};

const NONE: *const libc::c_char = std::ptr::null();

/// Gives this process, while it has one thread, a mount namespace: it sees what the host mounts later, not the other way round. EPERM: no `CAP_SYS_ADMIN`.
pub fn own_namespace() -> Result<()> {
    // SAFETY: takes no pointers; the process has one thread, so nothing else is moved.
    check(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    let flags = libc::MS_REC | libc::MS_SLAVE;
    // SAFETY: the path ends in NUL; the other pointers may be null for a change of propagation.
    check(unsafe { libc::mount(NONE, c"/".as_ptr(), NONE, flags, std::ptr::null()) }).map(drop)
}

/// Makes the mount at `path` read-only, keeping its other flags.
pub fn make_read_only(path: &CStr, flags: libc::c_ulong) -> Result<()> {
    let flags = flags | libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY;
    // SAFETY: the path ends in NUL; the other pointers may be null for a remount.
    check(unsafe { libc::mount(NONE, path.as_ptr(), NONE, flags, std::ptr::null()) }).map(drop)
}

/// Whether the calling task may write to the file, by its real user (access(2)).
pub fn may_write(path: &CStr) -> bool {
    // SAFETY: the path ends in NUL.
    unsafe { libc::access(path.as_ptr(), libc::W_OK) == 0 }
}
