//! Which socket files were bound inside this sandbox: only those may be connected to by path. Knows files, not paths: a path can be made to name
//! something else a moment later.

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use crate::sys::fd::{self, FileIdentity};
use crate::sys::{Errno, Result, socket};

/// Most socket files remembered; the ones whose name is gone are forgotten first.
const MOST: usize = 4096;

/// The socket files. Each is held open, so that its inode number can not become another file's.
#[derive(Debug, Default)]
pub struct Inside {
    files: HashMap<(u64, u64), OwnedFd>,
}

impl Inside {
    /// Remembers the file that the socket has just been bound to, if `file` (opened by its path) really is that file. The kernel tells which file a
    /// socket is bound to (`sock_diag(7)`, `UDIAG_SHOW_VFS`); without that the file is not remembered and can not be connected to.
    pub fn remember(&mut self, bound: &OwnedFd, file: OwnedFd) -> Result<()> {
        let opened = fd::identity(&file)?;
        let inode = u32::try_from(fd::identity(bound)?.inode).map_err(|_| Errno(libc::ERANGE))?;
        if bound_file(inode)? != (opened.inode & 0xffff_ffff, kernel_device(opened.device)) {
            return Err(Errno(libc::ESTALE));
        }
        if self.files.len() >= MOST {
            self.files.retain(|_, file| {
                std::fs::exists(format!("/proc/self/fd/{}", number(file))).unwrap_or(false)
            });
        }
        if self.files.len() >= MOST {
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

fn number(file: &OwnedFd) -> i32 {
    std::os::fd::AsRawFd::as_raw_fd(file)
}

/// `dev_t` as the kernel stores it (linux/kdev_t.h, MINORBITS 20) from stat(2)'s.
fn kernel_device(device: u64) -> u64 {
    u64::from(libc::major(device)) << 20 | u64::from(libc::minor(device))
}

/// (inode, device) of the file a unix socket is bound to; `inode` names the socket itself. One request of `linux/unix_diag.h`.
fn bound_file(inode: u32) -> Result<(u64, u64)> {
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    const NLM_F_REQUEST: u16 = 1;
    const SHOW_VFS: u32 = 2;
    const UNIX_DIAG_VFS: u16 = 1;
    const NETLINK_SOCK_DIAG: i32 = 4;
    let diag = socket::new(libc::AF_NETLINK, libc::SOCK_DGRAM, NETLINK_SOCK_DIAG)?;
    let request: [&[u8]; 11] = [
        &40u32.to_ne_bytes(), // nlmsghdr: length, type, flags, sequence, port
        &SOCK_DIAG_BY_FAMILY.to_ne_bytes(),
        &NLM_F_REQUEST.to_ne_bytes(),
        &0u32.to_ne_bytes(),
        &0u32.to_ne_bytes(),
        &[1, 0, 0, 0],           // unix_diag_req: AF_UNIX, protocol, pad
        &u32::MAX.to_ne_bytes(), // all states
        &inode.to_ne_bytes(),
        &SHOW_VFS.to_ne_bytes(),
        &u32::MAX.to_ne_bytes(), // any cookie
        &u32::MAX.to_ne_bytes(),
    ];
    socket::send(&diag, None, &request.concat(), &[], 0)?;
    let mut buffer = [0u8; 512];
    let length = socket::receive(&diag, &mut buffer)?;
    let answer = buffer.get(..length).unwrap_or_default();
    if half(answer, 4) != Some(SOCK_DIAG_BY_FAMILY) {
        return Err(Errno(libc::ENOENT));
    }
    // nlmsghdr (16), unix_diag_msg (16), then attributes: length, type, value, padded to 4.
    let mut offset = 32;
    while let (Some(bytes), Some(kind)) = (half(answer, offset), half(answer, offset + 2)) {
        if kind == UNIX_DIAG_VFS {
            let (Some(file), Some(device)) = (whole(answer, offset + 4), whole(answer, offset + 8)) else {
                break;
            };
            return Ok((u64::from(file), u64::from(device)));
        }
        offset += usize::from(bytes.max(4)).next_multiple_of(4);
    }
    Err(Errno(libc::ENOENT))
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
        let mut inside = Inside::default();
        assert_eq!(inside.remember(&first, open(&other)), Err(Errno(libc::ESTALE)));
        assert!(!inside.has(&fd::identity(&open(&other)).unwrap()));
        assert_eq!(inside.remember(&first, open(&ours)), Ok(()));
        assert!(inside.has(&fd::identity(&open(&ours)).unwrap()));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
