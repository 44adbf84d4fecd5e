//! Unix and netlink names in calls made on behalf. Paths mean what they mean to the caller: its working
//! directory, its root. They are followed once, to a file that is then held; whether it may be reached is
//! asked of that file.

use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use crate::abstract_names::{Anchor, name_in};
use crate::event::Call;
use crate::named::Named;
use crate::receiver::Receiver;
use crate::socket_diag::unix::may_be_bound;
use crate::sys::fd::FileIdentity;
use crate::sys::seccomp::Notification;
use crate::sys::socket::Name;
use crate::sys::{Errno, Result, fd};
use crate::table::UnixRule;
use crate::task;

const DENIED: Errno = Errno(libc::EACCES);

/// Makes the caller's working directory that of this thread. The supervisor uses relative paths for nothing
/// else. EACCES: the caller has another root or a mount namespace of its own, where paths mean something
/// else.
pub(super) fn enter_directory(notification: &Notification) -> Result<()> {
    let is_ours = fd::identity(&task::root(notification.tid)?)? == fd::identity(&fd::open_path(c"/")?)?;
    if !is_ours || task::mounts(&notification.tid.to_string())? != task::mounts("self")? {
        return Err(DENIED);
    }
    fd::change_directory(&task::directory(notification.tid)?)
}

/// Opens the socket file at the caller's `path`, if it was bound inside the sandbox or the policy names it.
/// EACCES: it is another one. Errors of the path itself are the kernel's.
pub(super) fn open_allowed(
    receiver: &mut Receiver,
    notification: &Notification,
    call: Call,
    path: &Name,
) -> Result<OwnedFd> {
    let path = CString::new(path.as_bytes()).map_err(|_| Errno(libc::EINVAL))?;
    enter_directory(notification)?;
    receiver.still_waiting(notification)?;
    let file = fd::open_path(&path)?;
    let identity = fd::identity(&file)?;
    if identity.mode & libc::S_IFMT != libc::S_IFSOCK {
        return Err(Errno(libc::ECONNREFUSED));
    }
    if receiver.inside.has(&identity) {
        return Ok(file);
    }
    // By the name its owner bound it to, which links and moves of the file do not change. A socket bound to a
    // relative name is named by no rule. Asked only where it matters: the kernel lists every unix socket of
    // the machine to answer.
    let is_asked = !receiver.named.is_empty() || receiver.observes();
    let names = if is_asked { receiver.inside.names_outside(&file).unwrap_or_default() } else { Vec::new() };
    let there = names.iter().find(|name| leads_to(name, &identity));
    let is_named = is_named(&receiver.named, &names, there, &file);
    if is_named && receiver.watch.is_none() {
        return Ok(file);
    }
    receiver.judged_unix(notification, call, &there.cloned().unwrap_or_else(|| path_of(&file)), is_named)?;
    Ok(file)
}

/// Whether a rule covers the name that the owner gave, and where the file is, among our mounts: at that name,
/// or at another that rules cover, to which it was moved. In other mounts, or below another root, the owner's
/// name is that of another file.
fn is_named(rules: &[Named], names: &[Vec<u8>], there: Option<&Vec<u8>>, file: &OwnedFd) -> bool {
    let is_covered = |name: &[u8]| rules.iter().any(|rule| rule.covers(name));
    there.is_some_and(|name| is_covered(name))
        || names.iter().any(|name| is_covered(name)) && is_covered(&path_of(file))
}

/// Whether an absolute name leads to that file, as we see files.
fn leads_to(name: &[u8], file: &FileIdentity) -> bool {
    let opened = CString::new(name).map(|path| fd::open_path(&path));
    name.first() == Some(&b'/')
        && matches!(opened, Ok(Ok(opened)) if fd::identity(&opened).as_ref() == Ok(file))
}

/// The path of an open file, to be told.
fn path_of(file: &OwnedFd) -> Vec<u8> {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
    link.map_or(Vec::new(), |path| path.into_os_string().into_vec())
}

/// How an abstract name may be reached.
pub(super) enum Reach {
    /// By us: the supervisor lives in a domain whose scope is the sandbox, so the kernel keeps it from outside sockets.
    Inside,
    /// By us, as long as the socket is anchored that has it: there is no such scope (Landlock ABI < 6).
    Own(Anchor),
    /// From outside that domain: the policy names it.
    Named,
}

/// Decides about a call on `socket` to an abstract name. Without a scope, EACCES: somebody outside has it;
/// ECONNREFUSED: nobody has.
pub(super) fn abstract_reach(
    receiver: &mut Receiver,
    notification: &Notification,
    call: Call,
    socket: &OwnedFd,
    name: &Name,
) -> Result<Reach> {
    let bytes = name_in(name.as_bytes()).unwrap_or_default();
    let is_named = receiver.table.unix_rules().any(|rule| rule == UnixRule::Abstract(bytes));
    let observes = receiver.observes();
    if !is_named {
        match &mut receiver.abstract_names {
            None if !observes => return Ok(Reach::Inside),
            None => {}
            Some(names) => {
                if let Some(anchor) = names.anchor(&mut receiver.tasks, socket, bytes) {
                    return Ok(Reach::Own(anchor));
                }
                if !observes && !may_be_bound(socket, bytes) {
                    return Err(Errno(libc::ECONNREFUSED));
                }
            }
        }
    }
    if !is_named || receiver.watch.is_some() {
        receiver.judged_unix(notification, call, &[b"@", bytes].concat(), is_named)?;
    }
    Ok(Reach::Named)
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
