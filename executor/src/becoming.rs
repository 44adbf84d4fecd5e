//! How a process of Node becomes the launcher: what it hands over, and how the launcher takes it. The table
//! goes in a sealed memory file, so that the bytes that were looked at are those that are run, and nothing is
//! read twice.
//!
//! What the caller gave to Node the launcher finds as Node found it, as far as it is still to be told:
//! standard streams stay open (Node closes them on exec), and so do files and directories, with the locks on
//! them. Signals that Node handles have their defaults again, by the kernel; those it ignores the launcher
//! ignores as well.
//!
//! Must not: change what a process whose launcher can not be executed still needs to say so.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd as _, OwnedFd};

use crate::front::TABLE_NAME;
use crate::launcher::ready;
use crate::sys::child::{self, Vector};
use crate::sys::mapping::Mapping;
use crate::sys::{Errno, Result, fd};

/// The name under which the launcher takes its table so: what a user typed, as ps(1) shows it.
pub const NAME: &CStr = c"sandlock exec";
/// Its first argument: where the table is. What a user can say follows.
const OPTION: &str = "--table-fd=";
const INVALID: Errno = Errno(libc::EINVAL);
/// The first descriptor that is nobody's by custom.
const FIRST: i32 = 3;

/// `launcher` where `words` are a command line of `sandlock exec` that can be run as it is; `None`: they are
/// none, and nothing was done.
pub fn launcher_at_once(program: &CStr, words: &[u8]) -> Option<Errno> {
    let table = ready::table_of(split(words).ok()?)?;
    Some(launcher(program, &table, words))
}

/// Executes the launcher at `program` in place of this process, with its environment. `words` are the
/// arguments, each ended by NUL. Returns only on failure, when some descriptors close on exec no more; EINVAL:
/// the last NUL is missing.
pub fn launcher(program: &CStr, table: &[u8], words: &[u8]) -> Errno {
    let prepared = || {
        let table = fd::sealed(TABLE_NAME, table)?;
        let option = CString::new(format!("{OPTION}{}", table.as_raw_fd())).map_err(|_| INVALID)?;
        let mut arguments = vec![NAME.to_owned(), option];
        arguments.append(&mut split(words)?);
        child::keep(table.as_raw_fd())?;
        (0..FIRST).try_for_each(child::keep)?;
        child::keep_files_from(FIRST);
        Ok((table, Vector::new(arguments)))
    };
    match prepared() {
        Ok((_table, arguments)) => child::execute_here(program, &arguments),
        Err(error) => error,
    }
}

/// The table, by the launcher's first argument. EINVAL: it is none that `launcher` wrote, or names no memory
/// file; EPERM: that can still be written to.
pub fn take_table(argument: Option<&CString>) -> Result<OwnedFd> {
    let text = argument.and_then(|argument| argument.to_str().ok());
    let number = text.and_then(|text| text.strip_prefix(OPTION)).and_then(|number| number.parse().ok());
    let number: i32 = number.filter(|number| *number >= FIRST).ok_or(INVALID)?;
    Mapping::sealed(&number)?;
    // It is open, and we were started with it: nothing else in this process has that number.
    Ok(fd::own(number))
}

/// Words that each end in NUL.
fn split(words: &[u8]) -> Result<Vec<CString>> {
    let words = words.strip_suffix(b"\0").ok_or(INVALID)?;
    words.split(|byte| *byte == 0).map(|word| CString::new(word).map_err(|_| INVALID)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::IntoRawFd as _;

    fn taken(text: &str) -> Result<Vec<u8>> {
        let table = take_table(Some(&CString::new(text).unwrap()))?;
        Mapping::sealed(&table).map(|table| table.as_ref().to_vec())
    }

    #[test]
    fn a_sealed_memory_file_is_taken() {
        let number = fd::sealed(c"table", b"bytes").unwrap().into_raw_fd();
        assert_eq!(taken(&format!("--table-fd={number}")), Ok(b"bytes".to_vec()));
    }

    #[test]
    fn nothing_else_is_taken() {
        let invalid = Err(Errno(libc::EINVAL));
        assert_eq!(take_table(None).map(|_| ()), Err(Errno(libc::EINVAL)));
        for number in ["", "x", "2", "-1", "99999999999"] {
            assert_eq!(taken(&format!("--table-fd={number}")), invalid, "{number}");
        }
        let sealed = fd::sealed(c"table", b"bytes").unwrap();
        assert_eq!(taken(&sealed.as_raw_fd().to_string()), invalid);
        let file: OwnedFd = std::fs::File::open("/proc/self/exe").unwrap().into();
        assert_eq!(taken(&format!("--table-fd={}", file.as_raw_fd())), invalid);
        let empty = fd::sealed(c"table", b"").unwrap();
        assert_eq!(taken(&format!("--table-fd={}", empty.as_raw_fd())), invalid);
        let open = fd::unsealed(c"table", b"bytes").unwrap();
        assert_eq!(taken(&format!("--table-fd={}", open.as_raw_fd())), Err(Errno(libc::EPERM)));
    }

    #[test]
    fn a_launcher_that_can_not_be_executed_is_an_error() {
        assert_eq!(launcher(c"/nonexistent", b"bytes", b"a\0"), Errno(libc::ENOENT));
        assert_eq!(launcher(c"/nonexistent", b"bytes", b"a"), Errno(libc::EINVAL));
        assert_eq!(launcher(c"/nonexistent", b"bytes", b""), Errno(libc::EINVAL));
    }
}
