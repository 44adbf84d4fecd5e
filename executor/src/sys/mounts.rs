//! A mount namespace of one's own with some mounts made read-only (mount_namespaces(7), mount(2)). Decides
//! nothing about which.

use std::ffi::{CStr, CString};
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

/// A mount, as the kernel numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Its number, which no other mount ever has.
    pub id: u64,
    /// That of the mount it is on.
    pub parent: u64,
}

/// Most mounts that `each` tells.
const MOST: usize = 512;
const FILE_SYSTEM: u64 = 1; // STATMOUNT_SB_BASIC
const MOUNT_BASIC: u64 = 1 << 1; // STATMOUNT_MNT_BASIC
const MOUNT_POINT: u64 = 1 << 4; // STATMOUNT_MNT_POINT

/// `struct mnt_id_req` (linux/mount.h), version 0.
#[repr(C)]
struct Asked {
    size: u32,
    spare: u32,
    id: u64,
    /// What is asked for, or the number after which a list begins.
    parameter: u64,
}

impl Asked {
    fn of(id: u64, parameter: u64) -> Self {
        Self { size: 24, spare: 0, id, parameter }
    }
}

/// `struct statmount` (linux/mount.h): 512 bytes of which these are used, and the strings behind them.
#[repr(C)]
struct Told {
    size: u32,
    _options: u32,
    mask: u64,
    _device: [u32; 2],
    /// The number of the file system's kind.
    magic: u64,
    _flags_and_kind: [u32; 2],
    id: u64,
    parent: u64,
    _more: [u64; 6],
    _root: u32,
    /// Where in `strings` the path is.
    point: u32,
    _rest: [u64; 50],
    strings: [u8; libc::PATH_MAX as usize],
}

// The kernel's own: include/uapi/linux/mount.h, asm-generic/unistd.h.
const STATMOUNT: libc::c_long = 457;
const LISTMOUNT: libc::c_long = 458;
const _: () = assert!(std::mem::offset_of!(Told, strings) == 512 && std::mem::offset_of!(Told, point) == 108);

impl Told {
    fn new() -> Self {
        let told = std::mem::MaybeUninit::<Self>::zeroed();
        // SAFETY: numbers only, all of which zero is one of.
        unsafe { told.assume_init() }
    }

    /// statmount(2) of one mount: all of `wanted`, or an error.
    fn ask(&mut self, id: u64, wanted: u64) -> Result<()> {
        let asked = Asked::of(id, wanted);
        let told: *mut Self = self;
        // SAFETY: the request has the size it says; the kernel writes at most that many bytes to `told`.
        check_long(unsafe { libc::syscall(STATMOUNT, &raw const asked, told, size_of::<Self>(), 0) })?;
        if self.mask & wanted == wanted { Ok(()) } else { Err(Errno(libc::ENODATA)) }
    }

    fn string(&self, at: u32) -> Result<&CStr> {
        let bytes = usize::try_from(at).ok().and_then(|at| self.strings.get(at..));
        bytes.and_then(|bytes| CStr::from_bytes_until_nul(bytes).ok()).ok_or(Errno(libc::EOVERFLOW))
    }
}

/// Tells every mount that this process can get at, with the number of its file system's kind (statfs(2)), in no
/// order: the kernel has numbers at hand, texts it writes. ENOSYS: before Linux 6.8; E2BIG: there are too many.
pub fn each(mut tell: impl FnMut(Mount, u64)) -> Result<()> {
    const ROOT: u64 = u64::MAX; // LSMT_ROOT: below our root, and it
    let asked = Asked::of(ROOT, 0);
    let mut ids = [0u64; MOST];
    // SAFETY: the request has the size it says; the kernel writes at most as many numbers as there is room for.
    let count = check_long(unsafe { libc::syscall(LISTMOUNT, &raw const asked, ids.as_mut_ptr(), MOST, 0) })?;
    let ids = usize::try_from(count).ok().filter(|count| *count < MOST).and_then(|count| ids.get(..count));
    let mut told = Told::new();
    for id in ids.ok_or(Errno(libc::E2BIG))? {
        told.ask(*id, MOUNT_BASIC | FILE_SYSTEM)?;
        tell(Mount { id: *id, parent: told.parent }, told.magic);
    }
    Ok(())
}

/// Where a mount is, from our root.
pub fn path(mount: Mount) -> Result<CString> {
    let mut told = Told::new();
    told.ask(mount.id, MOUNT_POINT)?;
    told.string(told.point).map(CStr::to_owned)
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
