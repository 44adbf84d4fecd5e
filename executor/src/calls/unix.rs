//! Unix and netlink names in calls made on behalf. Paths mean what they mean to the caller (its working directory; its root is ours, since nothing in the
//! sandbox may chroot), and are followed once, to a file that is then held.

use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::receiver::Receiver;
use crate::sys::seccomp::Notification;
use crate::sys::socket::Name;
use crate::sys::{Errno, Result, fd};
use crate::task;

/// Makes the caller's working directory that of this thread. The supervisor uses relative paths for nothing else.
pub(super) fn enter_directory(notification: &Notification) -> Result<()> {
    fd::change_directory(&task::directory(notification.tid)?)
}

/// Opens the socket file at the caller's `path`, if it was bound inside the sandbox. EACCES: it is an outside socket. Errors
/// of the path itself are the kernel's.
pub(super) fn open_inside(receiver: &Receiver, notification: &Notification, path: &Name) -> Result<OwnedFd> {
    let path = CString::new(path.as_bytes()).map_err(|_| Errno(libc::EINVAL))?;
    enter_directory(notification)?;
    receiver.still_waiting(notification)?;
    let file = fd::open_path(&path)?;
    let identity = fd::identity(&file)?;
    if identity.mode & libc::S_IFMT != libc::S_IFSOCK {
        return Err(Errno(libc::ECONNREFUSED));
    }
    if receiver.inside.has(&identity) { Ok(file) } else { Err(Errno(libc::EACCES)) }
}

/// Abstract names: the supervisor lives in a domain of its own whose scope is the sandbox, so the kernel keeps it from outside sockets.
/// Where the kernel can not (Landlock ABI < 6), nothing abstract is reached.
pub(super) fn abstract_allowed(receiver: &Receiver) -> Result<()> {
    if receiver.scoped { Ok(()) } else { Err(Errno(libc::EACCES)) }
}

/// A socket name that leads to exactly this open file.
pub(super) fn pinned(file: &OwnedFd) -> Name {
    let mut bytes = (1u16).to_ne_bytes().to_vec(); // AF_UNIX
    bytes.extend_from_slice(format!("/proc/self/fd/{}\0", file.as_raw_fd()).as_bytes());
    Name::new(&bytes)
}

/// `struct sockaddr_nl` of the kernel: family, padding, port id 0, no groups.
pub(super) fn netlink_kernel() -> Name {
    let [low, high] = (16u16).to_ne_bytes(); // AF_NETLINK
    Name::new(&[low, high, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
}
