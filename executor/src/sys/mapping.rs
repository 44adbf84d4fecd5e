//! A read-only mapping of a sealed memory file. Sealed means: no write, truncation or growth can ever happen
//! to it, so a mapping of it is as constant as a literal (no SIGBUS, no change under the reader).

use std::os::fd::AsRawFd;

use super::errno::{Errno, Result, check};

/// The bytes of a sealed memory file.
#[derive(Debug)]
pub struct Mapping {
    base: *const u8,
    length: usize,
}

// SAFETY: the memory is never written after construction, so any thread may read it.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the whole file. Refuses one that is not sealed against writing and shrinking, or is empty (EPERM, EINVAL).
    pub fn sealed(fd: &impl AsRawFd) -> Result<Self> {
        let raw = fd.as_raw_fd();
        // SAFETY: F_GET_SEALS takes no argument.
        let seals = check(unsafe { libc::fcntl(raw, libc::F_GET_SEALS) })?;
        let needed = libc::F_SEAL_WRITE | libc::F_SEAL_SHRINK;
        if seals & needed != needed {
            return Err(Errno(libc::EPERM));
        }
        // SAFETY: lseek takes no pointers.
        let end = unsafe { libc::lseek(raw, 0, libc::SEEK_END) };
        let length = usize::try_from(end).map_err(|_| Errno::last())?;
        // SAFETY: a fresh mapping chosen by the kernel aliases nothing of ours.
        let base =
            unsafe { libc::mmap(std::ptr::null_mut(), length, libc::PROT_READ, libc::MAP_PRIVATE, raw, 0) };
        if base == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        Ok(Self { base: base.cast(), length })
    }
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `base` is a live mapping of `length` bytes that nobody can change (sealed) and that Drop
        // alone removes.
        unsafe { std::slice::from_raw_parts(self.base, self.length) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `sealed`, removed once.
        unsafe { libc::munmap(self.base.cast_mut().cast(), self.length) };
    }
}
