//! Which socket files were bound inside this sandbox: only those may be connected to by path. Knows files,
//! not paths: a path can be made to name something else a moment later.

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use crate::sys::fd::{self, FileIdentity};
use crate::sys::{Errno, Result, socket};

/// Most socket files remembered.
const MOST: usize = 4096;

/// The socket files. Each is held open, so that its inode number can not become another file's.
#[derive(Debug)]
pub struct Inside {
    files: HashMap<(u64, u64), OwnedFd>,
    most: usize,
}

impl Inside {
    /// Remembers at most an eighth of `descriptors`, since each file takes one, or `MOST`; those whose last
    /// name is gone are forgotten first.
    pub fn new(descriptors: u64) -> Self {
        Self { files: HashMap::new(), most: usize::try_from(descriptors / 8).unwrap_or(MOST).min(MOST) }
    }

    /// Remembers the file that the socket has just been bound to, if `file` (opened by its path) really is
    /// that file. The kernel tells which file a socket is bound to (`sock_diag(7)`, `UDIAG_SHOW_VFS`);
    /// without that the file is not remembered and can not be connected to.
    pub fn remember(&mut self, bound: &OwnedFd, file: OwnedFd) -> Result<()> {
        let opened = fd::identity(&file)?;
        let inode = u32::try_from(fd::identity(bound)?.inode).map_err(|_| Errno(libc::ERANGE))?;
        if bound_file(inode)? != (opened.inode & 0xffff_ffff, kernel_device(opened.device)) {
            return Err(Errno(libc::ESTALE));
        }
        if self.files.len() >= self.most {
            self.files.retain(|_, file| fd::has_name(file).unwrap_or(false));
        }
        if self.files.len() >= self.most {
            return Err(Errno(libc::ENOSPC));
        }
        self.files.insert((opened.device, opened.inode), file);
        Ok(())
    }

    /// Whether that file was bound inside.
    pub fn has(&self, file: &FileIdentity) -> bool {
        self.files.contains_key(&(file.device, file.inode))
    }
}

/// `dev_t` as the kernel stores it (linux/kdev_t.h, MINORBITS 20) from stat(2)'s.
fn kernel_device(device: u64) -> u64 {
    u64::from(libc::major(device)) << 20 | u64::from(libc::minor(device))
}

/// (inode, device) of the file a unix socket is bound to; `inode` names the socket itself.
fn bound_file(inode: u32) -> Result<(u64, u64)> {
    let diag = ask(inode, false)?;
    let mut buffer = [0u8; 512];
    let length = socket::receive(&diag, &mut buffer)?;
    messages(buffer.get(..length).unwrap_or_default())
        .find_map(|message| message.file)
        .ok_or(Errno(libc::ENOENT))
}

/// The names of the sockets that are bound to that file, as their owners wrote them; whoever moves or links
/// the file does not change them.
pub fn bound_names(file: &FileIdentity) -> Result<Vec<Vec<u8>>> {
    let wanted = (file.inode & 0xffff_ffff, kernel_device(file.device));
    let mut names = Vec::new();
    each(|message| {
        if message.file == Some(wanted)
            && let Some(name) = message.name
        {
            names.push(name.split(|byte| *byte == 0).next().unwrap_or_default().to_vec());
        }
    })?;
    Ok(names)
}

/// Whether anybody, of our network, may have that abstract name for a socket of the same type as `socket`;
/// also where that can not be asked.
pub fn may_be_bound(socket: &OwnedFd, name: &[u8]) -> bool {
    let Ok(kind) = socket::option(socket, libc::SOL_SOCKET, libc::SO_TYPE) else { return true };
    let mut is_bound = false;
    let asked = each(|message| {
        let its = message.name.as_deref().and_then(|name| name.strip_prefix(b"\0"));
        is_bound |= i32::from(message.kind) == kind && its == Some(name);
    });
    is_bound || asked.is_err()
}

/// Asks for every unix socket of our network.
fn each(mut told: impl FnMut(Message)) -> Result<()> {
    let diag = ask(0, true)?;
    let mut buffer = vec![0u8; 32 * 1024];
    loop {
        let length = socket::receive(&diag, &mut buffer)?;
        for message in messages(buffer.get(..length).unwrap_or_default()) {
            match message.end {
                None => told(message),
                Some(end) => return end,
            }
        }
        if length == 0 {
            return Err(Errno(libc::EIO));
        }
    }
}

/// Whether the kernel answers such questions at all (the modules sock_diag and unix_diag), tried on a socket
/// of our own.
pub fn can_ask() -> Result<()> {
    let socket = socket::new(libc::AF_UNIX, libc::SOCK_STREAM, 0)?;
    let inode = u32::try_from(fd::identity(&socket)?.inode).map_err(|_| Errno(libc::ERANGE))?;
    let mut buffer = [0u8; 512];
    let length = socket::receive(&ask(inode, false)?, &mut buffer)?;
    let first = messages(buffer.get(..length).unwrap_or_default()).next();
    if first.is_some_and(|message| message.end.is_none()) { Ok(()) } else { Err(Errno(libc::ENOENT)) }
}

/// Asks for one socket, or for `all` (`linux/unix_diag.h`, `linux/netlink.h`).
fn ask(inode: u32, all: bool) -> Result<OwnedFd> {
    const NLM_F_REQUEST: u16 = 1;
    const NLM_F_DUMP: u16 = 0x300;
    const SHOW_NAME_AND_VFS: u32 = 3;
    const NETLINK_SOCK_DIAG: i32 = 4;
    let diag = socket::new(libc::AF_NETLINK, libc::SOCK_DGRAM, NETLINK_SOCK_DIAG)?;
    let flags = if all { NLM_F_REQUEST | NLM_F_DUMP } else { NLM_F_REQUEST };
    let request: [&[u8]; 11] = [
        &40u32.to_ne_bytes(), // nlmsghdr: length, type, flags, sequence, port
        &SOCK_DIAG_BY_FAMILY.to_ne_bytes(),
        &flags.to_ne_bytes(),
        &0u32.to_ne_bytes(),
        &0u32.to_ne_bytes(),
        &[1, 0, 0, 0],           // unix_diag_req: AF_UNIX, protocol, pad
        &u32::MAX.to_ne_bytes(), // all states
        &inode.to_ne_bytes(),
        &SHOW_NAME_AND_VFS.to_ne_bytes(),
        &u32::MAX.to_ne_bytes(), // any cookie
        &u32::MAX.to_ne_bytes(),
    ];
    socket::send(&diag, None, &request.concat(), &[], 0)?;
    Ok(diag)
}

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_DONE: u16 = 3;

/// What one message of an answer says.
#[derive(Default)]
struct Message {
    file: Option<(u64, u64)>,
    /// The name as it was bound: a path, or NUL and an abstract one.
    name: Option<Vec<u8>>,
    /// `SO_TYPE`.
    kind: u8,
    /// The answer ends here, or in an error.
    end: Option<Result<()>>,
}

/// The messages of an answer.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message> {
    std::iter::from_fn(move || {
        let length = usize::try_from(whole(bytes, 0)?).ok()?.max(16);
        let message = bytes.get(..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        if half(message, 4) != Some(SOCK_DIAG_BY_FAMILY) {
            let is_done = half(message, 4) == Some(NLMSG_DONE);
            let end = Some(if is_done { Ok(()) } else { Err(Errno(libc::ENOENT)) });
            return Some(Message { end, ..Message::default() });
        }
        let kind = message.get(17).copied().unwrap_or(0);
        Some(Message { kind, ..attributes(message.get(32..).unwrap_or_default()) }) // nlmsghdr (16), unix_diag_msg (16)
    })
}

/// Attributes: length, type, value, padded to 4.
fn attributes(mut bytes: &[u8]) -> Message {
    const UNIX_DIAG_NAME: u16 = 0;
    const UNIX_DIAG_VFS: u16 = 1;
    let mut message = Message::default();
    while let (Some(length), Some(kind)) = (half(bytes, 0), half(bytes, 2)) {
        let length = usize::from(length.max(4));
        let value = bytes.get(4..length).unwrap_or_default();
        match kind {
            UNIX_DIAG_NAME => {
                message.name = Some(value.to_vec());
            }
            UNIX_DIAG_VFS => {
                message.file =
                    whole(value, 0).zip(whole(value, 4)).map(|(file, device)| (file.into(), device.into()));
            }
            _ => {}
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    message
}

fn half(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..offset + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

fn whole(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..offset + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::os::unix::net::UnixListener;

    fn open(path: &std::path::Path) -> OwnedFd {
        fd::open_path(&CString::new(path.to_str().unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn only_the_file_that_a_socket_is_bound_to_is_remembered_for_it() {
        let folder = std::env::temp_dir().join(format!("sandlock-inside-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (ours, other) = (folder.join("ours"), folder.join("other"));
        let first = OwnedFd::from(UnixListener::bind(&ours).unwrap());
        let _second = UnixListener::bind(&other).unwrap();
        let mut inside = Inside::new(16);
        assert_eq!(inside.remember(&first, open(&other)), Err(Errno(libc::ESTALE)));
        assert!(!inside.has(&fd::identity(&open(&other)).unwrap()));
        assert_eq!(inside.remember(&first, open(&ours)), Ok(()));
        assert!(inside.has(&fd::identity(&open(&ours)).unwrap()));
        let linked = folder.join("linked");
        std::fs::hard_link(&other, &linked).unwrap();
        let names = bound_names(&fd::identity(&open(&linked)).unwrap()).unwrap();
        assert_eq!(names, [other.to_str().unwrap().as_bytes()]);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_without_a_name_makes_room_and_one_with_a_name_does_not() {
        let folder = std::env::temp_dir().join(format!("sandlock-inside-room-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut inside = Inside::new(16); // room for two
        let mut remember = |name: &str| {
            let path = folder.join(name);
            let socket = OwnedFd::from(UnixListener::bind(&path).unwrap());
            inside.remember(&socket, open(&path))
        };
        assert_eq!((remember("a"), remember("b")), (Ok(()), Ok(())));
        assert_eq!(remember("c"), Err(Errno(libc::ENOSPC)));
        std::fs::remove_file(folder.join("a")).unwrap();
        assert_eq!((remember("d"), remember("e")), (Ok(()), Err(Errno(libc::ENOSPC))));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
