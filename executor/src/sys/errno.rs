//! Error numbers of the kernel as a type. Decides nothing: a call's -1 becomes `Err(Errno)`.

use std::fmt;

/// An error number as in errno(3), positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

/// Result of a kernel call.
pub type Result<T> = std::result::Result<T, Errno>;

impl Errno {
    /// `ERESTARTSYS` of the kernel: never seen by a program as long as a signal waits for its thread. The
    /// signal is handled, then the call is made again, or fails with EINTR if the handler was installed
    /// without `SA_RESTART` (kernel/signal.c, arch/*/kernel/signal.c).
    pub const RESTART: Self = Self(512);

    /// The calling thread's errno.
    pub fn last() -> Self {
        Self(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&std::io::Error::from_raw_os_error(self.0), f)
    }
}

impl From<std::io::Error> for Errno {
    fn from(error: std::io::Error) -> Self {
        Self(error.raw_os_error().unwrap_or(libc::EIO))
    }
}

/// Turns the -1 convention of system calls that return an int into a `Result`.
pub(crate) fn check(value: i32) -> Result<i32> {
    if value < 0 { Err(Errno::last()) } else { Ok(value) }
}

/// The same for calls that return a long or a size.
pub(crate) fn check_size(value: isize) -> Result<usize> {
    usize::try_from(value).map_err(|_| Errno::last())
}

/// The same for syscall(2).
pub(crate) fn check_long(value: libc::c_long) -> Result<i64> {
    if value < 0 { Err(Errno::last()) } else { Ok(value) }
}
