//! Reading and writing another process's memory: by `process_vm_readv(2)` and its sibling, or, where a filter
//! forbids those (Docker 20.10's default profile does), by `/proc/TID/mem`, for which the kernel asks the
//! same right. Whether the process is still the one meant is the caller's to check: after the reads, by the
//! notification's id.

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;

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

/// Reads the pieces one after the other into `local`, which holds at least their sum or is filled; returns
/// the bytes read. At most 1,024 pieces (UIO_MAXIOV).
pub fn read_many(tid: u32, remote: &[Remote], local: &mut [u8]) -> Result<usize> {
    let mine = libc::iovec { iov_base: local.as_mut_ptr().cast(), iov_len: local.len() };
    let pid = libc::pid_t::try_from(tid).map_err(|_| Errno(libc::ESRCH))?;
    let count = libc::c_ulong::try_from(remote.len()).unwrap_or(0);
    // SAFETY: `mine` describes one writable slice; `remote` is only read as addresses of the other process,
    // and `Remote` has the layout of iovec on 64-bit targets.
    let result = check_size(unsafe {
        libc::process_vm_readv(pid, &raw const mine, 1, remote.as_ptr().cast(), count, 0)
    });
    if is_forbidden(result) { read_file(tid, remote, local) } else { result }
}

/// Reads two places at once, the cost of one call: fills `first` from `at_first` (EFAULT if it can not), then
/// `second` from `at_second` as far as that can be read; returns the bytes of `second`.
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
    let result =
        check_size(unsafe { libc::process_vm_readv(pid, mine.as_ptr(), 2, theirs.as_ptr().cast(), 2, 0) });
    if is_forbidden(result) {
        read_exact(tid, at_first, first)?;
        // As the call has it: what can not be read at all is nothing read.
        return if second.is_empty() { Ok(0) } else { read(tid, at_second, second).or(Ok(0)) };
    }
    result?.checked_sub(first.len()).ok_or(Errno(libc::EFAULT))
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
    let result = check_size(unsafe {
        libc::process_vm_writev(pid, &raw const mine, 1, remote.as_ptr().cast(), count, 0)
    });
    let written = if is_forbidden(result) { write_file(tid, remote, local) } else { result }?;
    if written == local.len() { Ok(()) } else { Err(Errno(libc::EFAULT)) }
}

/// Writes all of `local` at `remote`; EFAULT when it does not fit.
pub fn write_exact(tid: u32, remote: u64, local: &[u8]) -> Result<()> {
    write_many(tid, &[Remote { base: remote, length: local.len() as u64 }], local)
}

/// EPERM: by a filter, or of this very process; then its file answers the same. ENOSYS: the kernel was built without.
fn is_forbidden(result: Result<usize>) -> bool {
    matches!(result, Err(Errno(libc::EPERM | libc::ENOSYS)))
}

/// EPERM: its memory is not for us; ESRCH: it is gone.
fn open(tid: u32, options: &OpenOptions) -> Result<File> {
    options.open(format!("/proc/{tid}/mem")).map_err(|error| match error.into() {
        Errno(libc::EACCES) => Errno(libc::EPERM),
        Errno(libc::ENOENT) => Errno(libc::ESRCH),
        other => other,
    })
}

/// `read_many` by the file. It reads also what the process itself may not at the moment (`PROT_NONE`), of its
/// own memory.
fn read_file(tid: u32, remote: &[Remote], mut local: &mut [u8]) -> Result<usize> {
    let file = open(tid, OpenOptions::new().read(true))?;
    each(remote, local.len(), |place, wanted| {
        let (part, rest) = std::mem::take(&mut local).split_at_mut(wanted);
        local = rest;
        let mine = libc::iovec { iov_base: part.as_mut_ptr().cast(), iov_len: part.len() };
        // SAFETY: `mine` describes one writable slice.
        check_size(unsafe { libc::preadv(file.as_raw_fd(), &raw const mine, 1, place) })
    })
}

/// `write_many` by the file. It writes also to pages of the process's own that it may only read: those it
/// could make writable itself, never a file's.
fn write_file(tid: u32, remote: &[Remote], mut local: &[u8]) -> Result<usize> {
    let file = open(tid, OpenOptions::new().write(true))?;
    each(remote, local.len(), |place, wanted| {
        let (part, rest) = local.split_at(wanted);
        local = rest;
        let mine = libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() };
        // SAFETY: `mine` is only read from. What is written to is the memory of a task of the sandbox, never ours.
        check_size(unsafe { libc::pwritev(file.as_raw_fd(), &raw const mine, 1, place) })
    })
}

/// Copies piece by piece, by `copy(place, bytes)`, until `room` is used or memory ends; EFAULT where it
/// begins with what is not there, for which the file says EIO.
fn each(remote: &[Remote], room: usize, mut copy: impl FnMut(i64, usize) -> Result<usize>) -> Result<usize> {
    let mut total = 0;
    for piece in remote {
        let wanted = usize::try_from(piece.length).unwrap_or(usize::MAX).min(room - total);
        if wanted == 0 {
            continue;
        }
        let place = i64::try_from(piece.base).map_err(|_| Errno(libc::EFAULT));
        match place.and_then(|place| copy(place, wanted)) {
            Ok(count) if count == wanted => total += count,
            Ok(count) if total + count > 0 => return Ok(total + count),
            Err(error) if total == 0 && error != Errno(libc::EIO) => return Err(error),
            _ if total == 0 => return Err(Errno(libc::EFAULT)),
            _ => return Ok(total),
        }
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::process;

    #[test]
    fn the_file_reads_and_writes_what_the_calls_do() {
        let there: Vec<u8> = (0..=255).collect();
        let base = there.as_ptr() as u64;
        let tid = process::own_tid();
        write_file(tid, &[Remote { base: base + 11, length: 1 }], &[77]).unwrap();
        let pieces = [Remote { base: base + 10, length: 3 }, Remote { base, length: 2 }];
        let mut room = [0; 8];
        assert_eq!(read_file(tid, &pieces, &mut room), read_many(tid, &pieces, &mut [0; 8]));
        assert_eq!(room, [10, 77, 12, 0, 1, 0, 0, 0]);
        // Memory ends: what is there, and nothing at all.
        for from in [0, 1 << 62, u64::MAX - 8] {
            let error = Err(Errno(libc::EFAULT));
            let nowhere = [Remote { base: from, length: 4 }];
            assert_eq!(read_file(tid, &nowhere, &mut room), error);
            assert_eq!(write_file(tid, &nowhere, &[1; 4]), error);
        }
        let cut = [pieces[0], Remote { base: 0, length: 4 }];
        assert_eq!(read_file(tid, &cut, &mut room), Ok(3));
        assert_eq!(read_file(1 << 30, &pieces, &mut room), Err(Errno(libc::ESRCH)));
    }
}
