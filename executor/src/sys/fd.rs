//! Descriptors: pipes, sealed memory files, flags, polling. Decides nothing about what they carry.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::errno::{Errno, Result, check, check_long, check_size};

/// Takes ownership of a descriptor number that a kernel call has just returned to us.
pub(crate) fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: every caller passes a number that the kernel has just created for it and that nothing else owns.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Borrows a descriptor that stays open for the whole life of the process.
pub fn borrow(fd: RawFd) -> BorrowedFd<'static> {
    // SAFETY: callers pass 0..=7 in the supervisor, which are placed before it starts and never closed, or a number
    // that an `OwnedFd` of the same scope keeps open.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// pipe2(2) with O_CLOEXEC: (read end, write end).
pub fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for the two descriptors the call writes.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    let [read, write] = ends;
    Ok((own(read), own(write)))
}

/// A memory file that holds `bytes` and that nobody can change any more (`memfd_create(2)`, all seals).
pub fn sealed(name: &CStr, bytes: &[u8]) -> Result<OwnedFd> {
    let file = unsealed(name, bytes)?;
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    // SAFETY: F_ADD_SEALS takes an int.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) })?;
    Ok(file)
}

/// The same before it is sealed.
pub fn unsealed(name: &CStr, bytes: &[u8]) -> Result<OwnedFd> {
    // SAFETY: `name` ends in NUL.
    let raw =
        check(unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING) })?;
    let file = own(raw);
    write_all(&file, bytes)?;
    Ok(file)
}

/// Writes all of `bytes`, over short writes and EINTR.
pub fn write_all(fd: &impl AsRawFd, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        match write(fd, bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(Errno(libc::EINTR)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// write(2).
pub fn write(fd: &impl AsRawFd, bytes: &[u8]) -> Result<usize> {
    // SAFETY: the pointer and the length are those of one slice.
    check_size(unsafe { libc::write(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) })
}

/// read(2).
pub fn read(fd: &impl AsRawFd, bytes: &mut [u8]) -> Result<usize> {
    // SAFETY: the pointer and the length are those of one writable slice.
    check_size(unsafe { libc::read(fd.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len()) })
}

/// A duplicate with the lowest number ≥ `lowest`, CLOEXEC.
pub fn duplicate_from(fd: &impl AsRawFd, lowest: RawFd) -> Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes an int.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, lowest) }).map(own)
}

/// The file status flags (`F_GETFL`).
pub fn status_flags(fd: &impl AsRawFd) -> Result<i32> {
    // SAFETY: F_GETFL takes no argument.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })
}

/// Sets the file status flags (`F_SETFL`).
pub fn set_status_flags(fd: &impl AsRawFd, flags: i32) -> Result<()> {
    // SAFETY: F_SETFL takes an int.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags) }).map(drop)
}

/// /dev/null, CLOEXEC.
pub fn null() -> Result<OwnedFd> {
    // SAFETY: the path ends in NUL.
    check(unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) }).map(own)
}

/// Whether this process has a controlling terminal: `/dev/tty` is ENXIO without one (tty(4)).
pub fn has_terminal() -> bool {
    let flags = libc::O_RDONLY | libc::O_NOCTTY | libc::O_NONBLOCK | libc::O_CLOEXEC;
    // SAFETY: the path ends in NUL.
    check(unsafe { libc::open(c"/dev/tty".as_ptr(), flags) }).map(own).is_ok()
}

/// Puts /dev/null on 0, 1 and 2, so that a pipe the caller gave us ends when its other users end.
pub fn close_stdio(null: &impl AsRawFd) -> Result<()> {
    for number in 0..3 {
        // SAFETY: takes no pointers; nothing in this process owns 0, 1 or 2.
        check(unsafe { libc::dup2(null.as_raw_fd(), number) })?;
    }
    Ok(())
}

/// Puts /dev/null on whichever of 0, 1 and 2 is not open, so that no file of ours gets such a number.
pub fn open_missing_stdio() -> Result<()> {
    for number in 0..3 {
        // SAFETY: F_GETFD takes no argument.
        if check(unsafe { libc::fcntl(number, libc::F_GETFD) }).is_err() {
            // SAFETY: the path ends in NUL. The lowest free number is `number`; it stays open for good.
            check(unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) })?;
        }
    }
    Ok(())
}

/// Closes every descriptor from `first` on (`close_range(2)`).
pub fn close_from(first: u32) -> Result<()> {
    // SAFETY: takes no pointers; called before anything above `first` is owned by this process.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) }.try_into().unwrap_or(-1))
        .map(drop)
}

/// open(2) with `O_PATH | O_CLOEXEC`; `path` is followed through symbolic links.
pub fn open_path(path: &CStr) -> Result<OwnedFd> {
    // SAFETY: the path ends in NUL.
    check(unsafe { libc::open(path.as_ptr(), libc::O_PATH | libc::O_CLOEXEC) }).map(own)
}

/// readlink(2) into `target`; the bytes written, cut where it is too small. `path` must hold a NUL (ENOENT).
pub fn read_link(path: &[u8], target: &mut [u8]) -> Result<usize> {
    let path = CStr::from_bytes_until_nul(path).map_err(|_| Errno(libc::ENOENT))?;
    // SAFETY: the path ends in NUL; pointer and length are those of one writable slice.
    check_size(unsafe { libc::readlink(path.as_ptr(), target.as_mut_ptr().cast(), target.len()) })
}

/// `st_mode` of a symbolic link itself (lstat(2)). `path` must hold a NUL (ENOENT).
pub fn link_mode(path: &[u8]) -> Result<u32> {
    let path = CStr::from_bytes_until_nul(path).map_err(|_| Errno(libc::ENOENT))?;
    let mut stat = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the path ends in NUL, and `stat` has the size the call writes.
    check(unsafe { libc::lstat(path.as_ptr(), stat.as_mut_ptr()) })?;
    // SAFETY: lstat succeeded, so it has filled the structure.
    Ok(unsafe { stat.assume_init() }.st_mode)
}

/// Links of a file (`st_nlink` of stat(2)), symbolic links followed.
pub fn links(path: &CStr) -> Result<u64> {
    let mut stat = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the path ends in NUL, and `stat` has the size the call writes.
    check(unsafe { libc::stat(path.as_ptr(), stat.as_mut_ptr()) })?;
    // SAFETY: stat succeeded, so it has filled the structure.
    let stat = unsafe { stat.assume_init() };
    #[allow(clippy::useless_conversion, reason = "narrower on some architectures")]
    Ok(stat.st_nlink.into())
}

/// Whether the calling task may write to the file, or make files in the directory, by its real user (access(2)).
pub fn may_write(path: &CStr) -> bool {
    // SAFETY: the path ends in NUL.
    unsafe { libc::access(path.as_ptr(), libc::W_OK) == 0 }
}

/// fchdir(2).
pub fn change_directory(fd: &impl AsRawFd) -> Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::fchdir(fd.as_raw_fd()) }).map(drop)
}

/// umask(2); returns the old one.
pub fn set_umask(mask: u32) -> u32 {
    // SAFETY: takes no pointers and can not fail.
    unsafe { libc::umask(mask) }
}

/// What fstat(2) says of a file: its identity and type bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileIdentity {
    /// Device number as in stat(2).
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// `st_mode`.
    pub mode: u32,
}

/// The identity of an open file; works on `O_PATH` descriptors.
pub fn identity(fd: &impl AsRawFd) -> Result<FileIdentity> {
    let stat = stat_of(fd)?;
    Ok(FileIdentity { device: stat.st_dev, inode: stat.st_ino, mode: stat.st_mode })
}

/// When a file was made, to the second; none: its file system does not say (tmpfs of older kernels, ext4 with
/// small inodes), or nobody may ask.
pub fn birth(fd: &impl AsRawFd) -> Option<SystemTime> {
    let told = more_of(fd, libc::STATX_BTIME).ok()?;
    let seconds = (told.stx_mask & libc::STATX_BTIME != 0).then_some(told.stx_btime.tv_sec);
    let since = seconds.map(|seconds| Duration::from_secs(seconds.try_into().unwrap_or(0)));
    // What no clock of ours can tell is as good as none.
    since.and_then(|since| UNIX_EPOCH.checked_add(since))
}

/// The number of the mount through which a file was opened, as `/proc/self/mountinfo` has it.
pub fn mount_of(fd: &impl AsRawFd) -> Result<u64> {
    let told = more_of(fd, libc::STATX_MNT_ID)?;
    if told.stx_mask & libc::STATX_MNT_ID != 0 { Ok(told.stx_mnt_id) } else { Err(Errno(libc::ENOSYS)) }
}

/// statx(2) of an open file.
fn more_of(fd: &impl AsRawFd, mask: u32) -> Result<libc::statx> {
    let mut told = std::mem::MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: the path is empty and ends in NUL; `told` has the size the call writes.
    check_long(unsafe {
        libc::syscall(
            libc::SYS_statx,
            fd.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            mask,
            told.as_mut_ptr(),
        )
    })?;
    // SAFETY: numbers only, all of which zero is one of; what the call does not know it leaves.
    Ok(unsafe { told.assume_init() })
}

/// Whether an open file still has a name. (Its link in `/proc/self/fd` leads to it without one as well.)
pub fn has_name(fd: &impl AsRawFd) -> Result<bool> {
    Ok(stat_of(fd)?.st_nlink > 0)
}

/// fstat(2).
fn stat_of(fd: &impl AsRawFd) -> Result<libc::stat> {
    let mut stat = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `stat` has the size the call writes.
    check(unsafe { libc::fstat(fd.as_raw_fd(), stat.as_mut_ptr()) })?;
    // SAFETY: fstat succeeded, so it has filled the structure.
    Ok(unsafe { stat.assume_init() })
}

/// One descriptor to wait for and what was seen on it.
pub use libc::pollfd as Poll;

/// A `Poll` for readability.
pub fn readable(fd: &impl AsRawFd) -> Poll {
    Poll { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 }
}

/// A `Poll` for the other end being gone, and nothing else.
pub fn hangup(fd: &impl AsRawFd) -> Poll {
    Poll { fd: fd.as_raw_fd(), events: 0, revents: 0 }
}

/// poll(2); `timeout_ms` < 0 waits for ever. EINTR is returned as "nothing ready".
pub fn poll(polls: &mut [Poll], timeout_ms: i32) -> Result<usize> {
    let count = libc::nfds_t::try_from(polls.len()).unwrap_or(0);
    // SAFETY: the pointer and the count are those of one slice.
    match check(unsafe { libc::poll(polls.as_mut_ptr(), count, timeout_ms) }) {
        Ok(ready) => Ok(usize::try_from(ready).unwrap_or(0)),
        Err(Errno(libc::EINTR)) => {
            for poll in polls {
                poll.revents = 0;
            }
            Ok(0)
        }
        Err(error) => Err(error),
    }
}
