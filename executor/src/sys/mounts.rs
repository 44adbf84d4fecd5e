//! A mount namespace of one's own with some mounts made read-only (mount_namespaces(7), mount(2)). Decides
//! nothing about which.

use std::ffi::CStr;
use std::os::fd::AsRawFd;

use super::errno::{Errno, Result, check, check_long};
use super::fd::mount_of;

/// The device of the file system that a file was opened in, as stat(2) would have it, by
/// `/proc/self/mountinfo`: `ID PARENT MAJOR:MINOR …`.
pub fn device_of(file: &impl AsRawFd) -> Result<u64> {
    let id = mount_of(file)?.to_string();
    let text = std::fs::read("/proc/self/mountinfo")?;
    let mut lines = text.split(|byte| *byte == b'\n').filter_map(|line| str::from_utf8(line).ok());
    let device = lines.find_map(|line| {
        let mut fields = line.split(' ');
        (fields.next()? == id).then_some(())?;
        let (major, minor) = fields.nth(1)?.split_once(':')?;
        Some(libc::makedev(major.parse().ok()?, minor.parse().ok()?))
    });
    device.ok_or(Errno(libc::ENOENT))
}

const NONE: *const libc::c_char = std::ptr::null();

/// Gives this process, while it has one thread, a mount namespace: it sees what the host mounts later.
/// Whether the host never sees what is mounted here: it would where our root is no mount point (chroot(2)),
/// since propagation is told to mount points. Flags of mounts are ours alone in any case. EPERM: no
/// `CAP_SYS_ADMIN`.
pub fn own_namespace() -> Result<bool> {
    // SAFETY: takes no pointers; the process has one thread, so nothing else is moved.
    check(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    let flags = libc::MS_REC | libc::MS_SLAVE;
    // SAFETY: the path ends in NUL; the other pointers may be null for a change of propagation.
    match check(unsafe { libc::mount(NONE, c"/".as_ptr(), NONE, flags, std::ptr::null()) }) {
        Err(Errno(libc::EINVAL)) => Ok(false),
        result => result.map(|_| true),
    }
}

/// Makes the mount at `path` and all that is mounted below it read-only, keeping their other flags, and cuts
/// them off from what the host mounts there later. All or none. ENOSYS: before Linux 5.12.
pub fn seal(path: &CStr) -> Result<()> {
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_RDONLY,
        attr_clr: 0,
        propagation: libc::MS_PRIVATE,
        userns_fd: 0,
    };
    let flags = libc::AT_RECURSIVE;
    let size = size_of::<libc::mount_attr>();
    // SAFETY: the path ends in NUL; `attributes` is a structure of `size` bytes that the kernel reads.
    check_long(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            flags,
            &raw const attributes,
            size,
        )
    })
    .map(drop)
}

/// Makes the mount at `path` read-only, keeping its other flags.
pub fn make_read_only(path: &CStr, flags: libc::c_ulong) -> Result<()> {
    let flags = flags | libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY;
    // SAFETY: the path ends in NUL; the other pointers may be null for a remount.
    check(unsafe { libc::mount(NONE, path.as_ptr(), NONE, flags, std::ptr::null()) }).map(drop)
}

/// Keeps what the host mounts later at `path`, or at anything mounted below it, from appearing here.
pub fn make_private(path: &CStr) -> Result<()> {
    let flags = libc::MS_REC | libc::MS_PRIVATE;
    // SAFETY: the path ends in NUL; the other pointers may be null for a change of propagation.
    check(unsafe { libc::mount(NONE, path.as_ptr(), NONE, flags, std::ptr::null()) }).map(drop)
}

/// Lays a file with this text over the file at `path`, read-only, for this process and what it creates. Needs
/// a mount namespace of our own and one thread: for a moment a file system in memory, in which the file lives
/// on, covers `/tmp`.
pub fn cover(path: &CStr, text: &[u8]) -> Result<()> {
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    let place = c"/tmp";
    let options = c"mode=755,size=16m";
    // SAFETY: every string ends in NUL.
    check(unsafe {
        libc::mount(c"sandlock".as_ptr(), place.as_ptr(), c"tmpfs".as_ptr(), flags, options.as_ptr().cast())
    })?;
    let bound = std::fs::write("/tmp/file", text).map_err(Errno::from).and_then(|()| {
        // SAFETY: every string ends in NUL; the other pointers may be null for a bind.
        check(unsafe {
            libc::mount(c"/tmp/file".as_ptr(), path.as_ptr(), NONE, libc::MS_BIND, std::ptr::null())
        })
    });
    // SAFETY: the path ends in NUL.
    check(unsafe { libc::umount2(place.as_ptr(), libc::MNT_DETACH) })?;
    bound?;
    make_read_only(path, flags)
}
