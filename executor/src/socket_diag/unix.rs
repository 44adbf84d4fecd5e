//! Unix sockets: the files and names that they are bound to (linux/unix_diag.h). Of the number of a file 32
//! bits are told.

use std::os::fd::OwnedFd;

use super::{Diag, cookie, half, whole};
use crate::sys::{Errno, Result, fd, mounts, socket};

/// A file, as it is told. On file systems that number files in 64 bits another may be told the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldFile {
    inode: u32,
    device: u32,
}

impl ToldFile {
    /// What is told of that file. Where a file system shows several devices (btrfs one for each subvolume,
    /// overlayfs for each layer), that of stat(2) is not the one that is told, and the mount has it.
    pub fn of(file: &OwnedFd) -> Result<Self> {
        let identity = fd::identity(file)?;
        Ok(Self::new(identity.inode, mounts::device_of(file).unwrap_or(identity.device)))
    }

    /// Whether it may be that file. Asks for the mount only where it has to: all of them are read for that.
    pub fn is(self, file: &OwnedFd) -> Result<bool> {
        let identity = fd::identity(file)?;
        let by_stat = Self::new(identity.inode, identity.device);
        Ok(self == by_stat || self.inode == by_stat.inode && self == Self::of(file)?)
    }

    /// The kernel cuts the number, and has devices in another form than stat(2) (linux/kdev_t.h, MINORBITS 20).
    fn new(inode: u64, device: u64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "as the kernel cuts it")]
        Self { inode: inode as u32, device: libc::major(device) << 20 | libc::minor(device) }
    }
}

/// What is told of a unix socket.
#[derive(Debug, Default)]
pub struct Told {
    /// `SO_COOKIE`.
    pub cookie: u64,
    /// The file that the socket is bound to.
    pub file: Option<ToldFile>,
    /// The name as it was bound: a path, or NUL and an abstract one.
    pub name: Option<Vec<u8>>,
    /// `SO_TYPE`.
    kind: u8,
}

/// The file that a unix socket is bound to.
pub fn file_of(socket: &OwnedFd) -> Result<ToldFile> {
    one(socket)?.and_then(|told| told.file).ok_or(Errno(libc::ENOENT))
}

/// Whether anybody, of our network, may have that abstract name for a socket of the same type as `socket`;
/// also where that can not be asked.
pub fn may_be_bound(socket: &OwnedFd, name: &[u8]) -> bool {
    let Ok(kind) = socket::option(socket, libc::SOL_SOCKET, libc::SO_TYPE) else { return true };
    let mut is_bound = false;
    let asked = each(|told| {
        let its = told.name.as_deref().and_then(|name| name.strip_prefix(b"\0"));
        is_bound |= i32::from(told.kind) == kind && its == Some(name);
    });
    is_bound || asked.is_err()
}

/// Asks for every unix socket of our network.
pub fn each(mut told: impl FnMut(Told)) -> Result<()> {
    Diag::open()?.each(&question(0), |message| told(read(message)))
}

/// Whether the kernel answers such questions at all (the modules sock_diag and unix_diag), tried on a socket
/// of our own.
pub fn can_ask() -> Result<()> {
    let socket = socket::new(libc::AF_UNIX, libc::SOCK_STREAM, 0)?;
    one(&socket)?.map(drop).ok_or(Errno(libc::ENOENT))
}

/// What is told of that socket.
fn one(socket: &OwnedFd) -> Result<Option<Told>> {
    let inode = u32::try_from(fd::identity(socket)?.inode).map_err(|_| Errno(libc::ERANGE))?;
    Diag::open()?.one(&question(inode), read)
}

/// `struct unix_diag_req`
fn question(inode: u32) -> Vec<u8> {
    const SHOW_NAME_AND_VFS: u32 = 3;
    let request: [&[u8]; 6] = [
        &[1, 0, 0, 0],           // AF_UNIX, protocol, pad
        &u32::MAX.to_ne_bytes(), // all states
        &inode.to_ne_bytes(),
        &SHOW_NAME_AND_VFS.to_ne_bytes(),
        &u32::MAX.to_ne_bytes(), // any cookie
        &u32::MAX.to_ne_bytes(),
    ];
    request.concat()
}

/// `struct unix_diag_msg` (family, type, state, pad, inode, cookie) and attributes: length, type, value, padded to 4.
fn read(message: &[u8]) -> Told {
    const UNIX_DIAG_NAME: u16 = 0;
    const UNIX_DIAG_VFS: u16 = 1;
    let mut told = Told {
        kind: message.get(1).copied().unwrap_or(0),
        cookie: cookie(message, 8).unwrap_or(0),
        ..Told::default()
    };
    let mut bytes = message.get(16..).unwrap_or_default();
    while let (Some(length), Some(kind)) = (half(bytes, 0), half(bytes, 2)) {
        let length = usize::from(length.max(4));
        let value = bytes.get(4..length).unwrap_or_default();
        match kind {
            UNIX_DIAG_NAME => told.name = Some(value.to_vec()),
            UNIX_DIAG_VFS => {
                told.file =
                    whole(value, 0).zip(whole(value, 4)).map(|(inode, device)| ToldFile { inode, device });
            }
            _ => {}
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    told
}
