//! Reading and writing another process's memory (`process_vm_readv(2)`). Whether the process is still the one meant is the caller's to
//! check: after the reads, by the notification's id.

use super::errno::{Errno, Result, check_size};

/// Reads exactly `local.len()` bytes at `remote` in task `tid`; EFAULT when any of them can not be read.
pub fn read_exact(tid: u32, remote: u64, local: &mut [u8]) -> Result<()> {
    if local.is_empty() {
        return Ok(());
    }
    let count = read(tid, remote, local)?;
    if count == local.len() { Ok(()) } else { Err(Errno(libc::EFAULT)) }
}

/// Reads up to `local.len()` bytes; may be short where memory ends.
pub fn read(tid: u32, remote: u64, local: &mut [u8]) -> Result<usize> {
    read_many(tid, &[Remote { base: remote, length: local.len() as u64 }], local)
}

/// A piece of the other process's memory, laid out as `struct iovec` of a 64-bit kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Remote {
    /// Address there.
    pub base: u64,
    /// Bytes.
    pub length: u64,
}

/// Reads the pieces one after the other into `local`, which holds at least their sum or is filled; returns the bytes read.
/// At most 1,024 pieces (UIO_MAXIOV).
pub fn read_many(tid: u32, remote: &[Remote], local: &mut [u8]) -> Result<usize> {
    let mine = libc::iovec { iov_base: local.as_mut_ptr().cast(), iov_len: local.len() };
    let pid = libc::pid_t::try_from(tid).map_err(|_| Errno(libc::ESRCH))?;
    let count = libc::c_ulong::try_from(remote.len()).unwrap_or(0);
    // SAFETY: `mine` describes one writable slice; `remote` is only read as addresses of the other process, and `Remote`
    // has the layout of iovec on 64-bit targets.
    check_size(unsafe { libc::process_vm_readv(pid, &raw const mine, 1, remote.as_ptr().cast(), count, 0) })
}

/// Reads two places at once, the cost of one call: fills `first` from `at_first` (EFAULT if it can not), then `second` from `at_second` as far as
/// that can be read; returns the bytes of `second`.
pub fn read_both(
    tid: u32,
    at_first: u64,
    first: &mut [u8],
    at_second: u64,
    second: &mut [u8],
) -> Result<usize> {
    let mine = [
        libc::iovec { iov_base: first.as_mut_ptr().cast(), iov_len: first.len() },
        libc::iovec { iov_base: second.as_mut_ptr().cast(), iov_len: second.len() },
    ];
    let theirs = [
        Remote { base: at_first, length: first.len() as u64 },
        Remote { base: at_second, length: second.len() as u64 },
    ];
    if first.is_empty() && second.is_empty() {
        return Ok(0);
    }
    let pid = libc::pid_t::try_from(tid).map_err(|_| Errno(libc::ESRCH))?;
    // SAFETY: `mine` describes two writable slices; `theirs` is only read as addresses of the other process.
    let count =
        check_size(unsafe { libc::process_vm_readv(pid, mine.as_ptr(), 2, theirs.as_ptr().cast(), 2, 0) })?;
    count.checked_sub(first.len()).ok_or(Errno(libc::EFAULT))
}

/// Writes all of `local` over the pieces, one after the other; EFAULT when it does not fit. At most 1,024 pieces.
pub fn write_many(tid: u32, remote: &[Remote], local: &[u8]) -> Result<()> {
    if local.is_empty() {
        return Ok(());
    }
    let mine = libc::iovec { iov_base: local.as_ptr().cast_mut().cast(), iov_len: local.len() };
    let pid = libc::pid_t::try_from(tid).map_err(|_| Errno(libc::ESRCH))?;
    let count = libc::c_ulong::try_from(remote.len()).unwrap_or(0);
    // SAFETY: `mine` is only read from; `remote` has addresses of the other process, in the layout of iovec.
    let written = check_size(unsafe {
        libc::process_vm_writev(pid, &raw const mine, 1, remote.as_ptr().cast(), count, 0)
    })?;
    if written == local.len() { Ok(()) } else { Err(Errno(libc::EFAULT)) }
}

/// Writes all of `local` at `remote`; EFAULT when it does not fit.
pub fn write_exact(tid: u32, remote: u64, local: &[u8]) -> Result<()> {
    let mine = libc::iovec { iov_base: local.as_ptr().cast_mut().cast(), iov_len: local.len() };
    let theirs = Remote { base: remote, length: local.len() as u64 };
    let pid = libc::pid_t::try_from(tid).map_err(|_| Errno(libc::ESRCH))?;
    // SAFETY: `mine` is only read from; `theirs` is an address of the other process.
    let written = check_size(unsafe {
        libc::process_vm_writev(pid, &raw const mine, 1, (&raw const theirs).cast(), 1, 0)
    })?;
    if written == local.len() { Ok(()) } else { Err(Errno(libc::EFAULT)) }
}
