//! Whatever keeps the command from running, as a sentence and an exit status: those of `sandlock exec`
//! (src/outcome.ts, src/errors.ts).

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::stages_gen::STAGES;
use crate::sys::Errno;

/// Bad table or usage.
const USAGE: i32 = 2;
/// sandlock itself failed; the command did not run, or was ended.
const FAILED: i32 = 125;
/// The command exists and can not be executed.
const NOT_EXECUTABLE: i32 = 126;
/// The command was not found.
const NOT_FOUND: i32 = 127;

/// What to print and how to exit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) text: String,
    pub(super) status: i32,
}

impl Failure {
    pub(super) fn usage(text: String) -> Self {
        Self { text, status: USAGE }
    }

    /// From a record `failed`; `program` is the command's first word.
    pub(super) fn of_stage(stage: &str, error: Errno, program: &str) -> Self {
        if stage == "exec" {
            return Self::of_exec(error, program);
        }
        let fits = |(name, errnos, _): &&(&str, &[i32], &str)| {
            (*name == stage || name.is_empty()) && (errnos.is_empty() || errnos.contains(&error.0))
        };
        let reason = STAGES.iter().find(fits).map_or("", |(_, _, text)| text);
        let detail =
            if error == Errno(0) { String::new() } else { format!(" ({stage}: {})", name_of(error)) };
        Self { text: format!("{reason}{detail}"), status: FAILED }
    }

    fn of_exec(error: Errno, program: &str) -> Self {
        let named = name_of(error);
        let (reason, status) = match error.0 {
            libc::ENOENT if program.contains(char::is_whitespace) => (
                "not found; a command's arguments are words of their own, and what is for a shell follows: sh -c",
                NOT_FOUND,
            ),
            libc::ENOENT if program.contains('/') => {
                ("no such file, or its interpreter is missing", NOT_FOUND)
            }
            libc::ENOENT => ("not found", NOT_FOUND),
            libc::EACCES => ("permission denied", NOT_EXECUTABLE),
            libc::ENOEXEC => ("not a program", NOT_EXECUTABLE),
            libc::E2BIG => ("too many arguments", NOT_EXECUTABLE),
            _ => (named.as_str(), NOT_EXECUTABLE),
        };
        Self { text: format!("{program}: {reason}"), status }
    }
}

/// The text of an error as Node words it (libuv's `UV_ERRNO_MAP`); of others the C library's, in lower case.
pub(super) fn kernel_text(error: Errno) -> String {
    let known = match error.0 {
        libc::E2BIG => "argument list too long",
        libc::EACCES => "permission denied",
        libc::EAGAIN => "resource temporarily unavailable",
        libc::EBADF => "bad file descriptor",
        libc::EBUSY => "resource busy or locked",
        libc::EFBIG => "file too large",
        libc::EINVAL => "invalid argument",
        libc::EIO => "i/o error",
        libc::EISDIR => "it is a directory, not a file",
        libc::ELOOP => "too many symbolic links encountered",
        libc::EMFILE => "too many open files",
        libc::ENAMETOOLONG => "name too long",
        libc::ENFILE => "file table overflow",
        libc::ENODEV => "no such device",
        libc::ENOENT => "no such file or directory",
        libc::ENOMEM => "not enough memory",
        libc::ENOSPC => "no space left on device",
        libc::ENOTDIR => "not a directory",
        libc::ENXIO => "no such device or address",
        libc::EOVERFLOW => "value too large for defined data type",
        libc::EPERM => "operation not permitted",
        libc::EPIPE => "broken pipe",
        libc::EROFS => "read-only file system",
        libc::ETXTBSY => "text file is busy",
        _ => "",
    };
    if !known.is_empty() {
        return known.to_owned();
    }
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

/// The same of an error of the standard library.
pub(super) fn io_text(error: &std::io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |number| kernel_text(Errno(number)))
}

pub(super) fn path(text: &CStr) -> &Path {
    Path::new(OsStr::from_bytes(text.to_bytes()))
}

/// `ECONNREFUSED` for 111; the number itself when it has no name here.
pub(super) fn name_of(error: Errno) -> String {
    macro_rules! names {
        ($($name:ident)*) => {
            match error.0 {
                $(libc::$name => stringify!($name).to_owned(),)*
                number => format!("errno {number}"),
            }
        };
    }
    names! {
        EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL
        ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP EPROTO EOVERFLOW
        EILSEQ ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT EOPNOTSUPP EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN
        ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ETIMEDOUT ECONNREFUSED EHOSTUNREACH EALREADY EINPROGRESS ESTALE
        EDQUOT ECANCELED EOWNERDEAD ENOTRECOVERABLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_explained_by_the_first_line_that_fits() {
        let of = |stage: &str, error: i32| Failure::of_stage(stage, Errno(error), "ls").text;
        assert_eq!(
            of("nested", libc::EBUSY),
            "already inside a sandbox that supervises system calls; a second one can not start in it (nested: EBUSY)"
        );
        assert_eq!(of("nested", libc::EPERM), "can not start inside this sandbox (nested: EPERM)");
        assert_eq!(of("new", 999), "the sandbox could not be started; nothing was run (new: errno 999)");
        assert!(!of("supervisor", 0).contains("errno"));
    }

    #[test]
    fn a_command_that_can_not_be_executed_has_the_status_of_a_shell() {
        let of = |error: i32, program: &str| {
            let Failure { text, status } = Failure::of_stage("exec", Errno(error), program);
            (text, status)
        };
        assert_eq!(of(libc::ENOENT, "ls"), ("ls: not found".into(), 127));
        assert_eq!(
            of(libc::ENOENT, "./ls"),
            ("./ls: no such file, or its interpreter is missing".into(), 127)
        );
        let line = of(libc::ENOENT, "curl http://x/");
        assert!(line.0.starts_with("curl http://x/: not found; a command's arguments are words"), "{line:?}");
        assert_eq!(line.1, 127);
        assert_eq!(of(libc::EACCES, "ls"), ("ls: permission denied".into(), 126));
        assert_eq!(of(libc::ELOOP, "ls"), ("ls: ELOOP".into(), 126));
        assert_eq!(kernel_text(Errno(libc::ENOENT)), "no such file or directory");
    }
}
