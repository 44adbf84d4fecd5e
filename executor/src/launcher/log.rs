//! The file of `--log`, as src/log.ts writes it: lines are collected while records keep coming and written
//! together. Before each write it is seen whether the path still leads to the open file; if not, it is opened
//! anew, so that rotation needs no signal.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{Result, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};

use super::failures::{Failure, io_text, path};

/// Collected bytes from which on they are written.
const FLUSH_AT: usize = 64 * 1024;

/// A log that is written to. What can not be written is told once; from then on nothing is.
#[derive(Debug)]
pub(super) struct Log {
    path: CString,
    /// `None`: it can not be written any more.
    file: Option<File>,
    lines: Vec<u8>,
}

impl Log {
    /// Opens the file for appending, creating it.
    pub(super) fn open(name: &CString) -> std::result::Result<Self, Failure> {
        let file = OpenOptions::new().append(true).create(true).open(path(name)).map_err(|error| {
            Failure::usage(format!("can not write {}: {}", name.to_string_lossy(), io_text(&error)))
        })?;
        Ok(Self { path: name.clone(), file: Some(file), lines: Vec::new() })
    }

    /// Adds a line. What is returned is to be told, as by `flush`.
    pub(super) fn add(&mut self, line: &str) -> Option<String> {
        self.lines.extend_from_slice(line.as_bytes());
        if self.lines.len() >= FLUSH_AT { self.flush() } else { None }
    }

    /// Writes what was added. Returns what is to be told if that fails.
    pub(super) fn flush(&mut self) -> Option<String> {
        let lines = std::mem::take(&mut self.lines);
        if lines.is_empty() {
            return None;
        }
        if let Some(moved) = self.moved() {
            self.file = Some(moved);
        }
        let error = self.file.as_ref()?.write_all(&lines).err()?;
        self.file = None;
        let name = self.path.to_string_lossy();
        Some(format!("sandlock: the log ends here: {name}: {}\n", io_text(&error)))
    }

    /// Whether `flush` would write something.
    pub(super) fn is_pending(&self) -> bool {
        !self.lines.is_empty()
    }

    /// The file that the path leads to now, if it is another. Where none can be opened there, the old one is
    /// written to: nothing is lost. Nor is anything else than a regular file opened: the command may have put
    /// it there, and we would wait for it.
    fn moved(&self) -> Option<File> {
        let of = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let open = self.file.as_ref()?.metadata().ok()?;
        match fs::metadata(path(&self.path)) {
            Ok(now) if !now.is_file() || of(now.clone()) == of(open) => return None,
            _ => {}
        }
        let anew = libc::O_NONBLOCK | libc::O_NOCTTY;
        let opened: Result<File> =
            OpenOptions::new().append(true).create(true).custom_flags(anew).open(path(&self.path));
        opened.ok().filter(|file| file.metadata().is_ok_and(|metadata| metadata.is_file()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_to_where_the_path_leads_and_nowhere_else() {
        let folder = std::env::temp_dir().join(format!("sandlock-log-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let [name, old] = ["log", "old"].map(|name| folder.join(name));
        let mut log = Log::open(&CString::new(name.to_str().unwrap()).unwrap()).unwrap();
        assert_eq!((log.add("1\n"), log.is_pending()), (None, true));
        assert_eq!(fs::read_to_string(&name).unwrap(), "");
        assert_eq!((log.flush(), log.is_pending()), (None, false));
        fs::rename(&name, &old).unwrap();
        assert_eq!((log.add("2\n"), log.flush()), (None, None));
        assert_eq!(fs::read_to_string(&old).unwrap(), "1\n");
        assert_eq!(fs::read_to_string(&name).unwrap(), "2\n");
        fs::remove_file(&name).unwrap();
        fs::create_dir(&name).unwrap();
        let long = "3".repeat(FLUSH_AT);
        assert_eq!((log.add(&long), log.is_pending()), (None, false));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_log_that_can_not_be_written_is_told_once() {
        assert_eq!(
            Log::open(&CString::from(c"/")).unwrap_err().text,
            "can not write /: it is a directory, not a file"
        );
        let mut full = Log::open(&CString::from(c"/dev/full")).unwrap();
        full.add("1\n");
        let told = "sandlock: the log ends here: /dev/full: no space left on device\n";
        assert_eq!(full.flush().as_deref(), Some(told));
        assert_eq!((full.add("2\n"), full.flush()), (None, None));
    }
}
