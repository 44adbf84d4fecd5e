//! What the front asks the supervisor to run (docs/native.md, "Request"), and how it is handed over: the
//! bytes of the caller's request behind a prefix of our own, in a sealed memory file.

use std::ffi::CString;

use crate::sys::signal::Mask;
use crate::sys::{Errno, Result};

/// Bit of `options`: the front is a command line on a terminal.
pub const TERMINAL: u32 = 1;
/// Bit of `options`: run as root also where the kernel's settings can not be kept from the command, which can
/// then run programs outside.
pub const WITHOUT_SETTINGS: u32 = 8;
/// Bit of `options`: run also where the memory of the user's other processes can not be kept from the command,
/// which can then act as one of them.
pub const WITHOUT_PROCESSES: u32 = 128;

/// Bit of `options`: tell allowed calls as well. Every protocol is then supervised: what the kernel decides
/// alone, nobody could tell.
pub const TELL_ALLOWED: u32 = 16;
/// Bit of `options`: tell what the table would decide, and refuse nothing by it. Everything else of the
/// sandbox stays: calls are made on behalf, sockets are those that the facts of the table allow. Every
/// protocol is supervised here, too.
pub const OBSERVE: u32 = 32;
/// Bit of `options`: look at every call that could carry a destination, also where the kernel alone could
/// hold the policy, so that every refusal is told.
pub const SUPERVISE: u32 = 64;

/// `linger` without an end.
pub const FOREVER: u32 = u32::MAX;

const OPTIONS: u32 = TERMINAL | WITHOUT_SETTINGS | WITHOUT_PROCESSES | TELL_ALLOWED | OBSERVE | SUPERVISE;

/// Bytes before the strings.
const HEADER_BYTES: usize = 32;

/// The command and the state it starts in.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// Arguments, the first names the program.
    pub arguments: Vec<CString>,
    /// `NAME=value` each.
    pub environment: Vec<CString>,
    /// Working directory; empty: the caller's.
    pub directory: CString,
    /// Bits, see `TERMINAL`.
    pub options: u32,
    /// Soft limit of open files; 0: min(1024, hard), what Node found before it raised it.
    pub open_files: u32,
    /// How long processes may outlive the command, in seconds; `FOREVER`: as long as they like.
    pub linger: u32,
    /// Descriptors of the host that become the command's standard input, output and error.
    pub stdio: [i32; 3],
    /// Signal mask of the thread that asked.
    pub mask: Mask,
}

const INVALID: Errno = Errno(libc::EINVAL);

impl Request {
    /// Reads a request. EINVAL: it is not as documented.
    pub fn parse(bytes: &[u8], mask: Mask) -> Result<Self> {
        let word = |index: usize| {
            let bytes = bytes.get(index * 4..index * 4 + 4).and_then(|bytes| bytes.try_into().ok());
            bytes.map(u32::from_le_bytes).ok_or(INVALID)
        };
        let (arguments, environment, options) = (word(0)?, word(1)?, word(2)?);
        let (open_files, linger) = (word(3)?, word(4)?);
        let stdio = [word(5)?, word(6)?, word(7)?].map(u32::cast_signed);
        let text = bytes.get(HEADER_BYTES..).ok_or(INVALID)?.strip_suffix(b"\0").ok_or(INVALID)?;
        let mut strings =
            text.split(|byte| *byte == 0).map(|string| CString::new(string).map_err(|_| INVALID));
        let mut take = |count: u32| -> Result<Vec<CString>> {
            (0..count).map(|_| strings.next().unwrap_or(Err(INVALID))).collect()
        };
        let arguments = take(arguments)?;
        let environment = take(environment)?;
        let [directory] = <[CString; 1]>::try_from(take(1)?).map_err(|_| INVALID)?;
        if strings.next().is_some()
            || arguments.is_empty()
            || options & !OPTIONS != 0
            || stdio.iter().any(|number| *number < 0)
        {
            return Err(INVALID);
        }
        Ok(Self { arguments, environment, directory, options, open_files, linger, stdio, mask })
    }

    /// Writes a request in the caller's own directory, for `parse`.
    pub fn encode(arguments: &[CString], environment: &[CString], options: u32, linger: u32) -> Vec<u8> {
        let count = |strings: &[CString]| u32::try_from(strings.len()).unwrap_or(u32::MAX);
        let header = [count(arguments), count(environment), options, 0, linger, 0, 1, 2];
        let mut bytes: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
        for string in arguments.iter().chain(environment) {
            bytes.extend_from_slice(string.as_bytes_with_nul());
        }
        bytes.push(0);
        bytes
    }

    /// The bytes the supervisor gets: the mask, then the request as it came.
    pub fn hand_over(mask: Mask, request: &[u8]) -> Vec<u8> {
        [&mask.to_le_bytes(), request].concat()
    }

    /// Reads what `hand_over` made.
    pub fn received(bytes: &[u8]) -> Result<Self> {
        let (mask, request) = bytes.split_first_chunk::<8>().ok_or(INVALID)?;
        Self::parse(request, Mask::from_le_bytes(*mask))
    }

    /// The files to try, in order: the program itself when it holds a slash, else it in each directory of
    /// PATH, as execvp(3) does. An unset PATH is "/bin:/usr/bin"; an empty entry is the working directory.
    pub fn candidates(&self) -> Vec<CString> {
        let Some(program) = self.arguments.first() else { return Vec::new() };
        if program.as_bytes().contains(&b'/') || program.is_empty() {
            return vec![program.clone()];
        }
        let path = self.environment.iter().find_map(|entry| entry.as_bytes().strip_prefix(b"PATH="));
        path.unwrap_or(b"/bin:/usr/bin")
            .split(|byte| *byte == b':')
            .filter_map(|folder| {
                let folder: &[u8] = if folder.is_empty() { b"." } else { folder };
                CString::new([folder, b"/", program.as_bytes()].concat()).ok()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(argc: u32, envc: u32, options: u32, strings: &[&str]) -> Vec<u8> {
        let mut bytes: Vec<u8> =
            [argc, envc, options, 7, 9, 4, 1, 2].iter().flat_map(|word| word.to_le_bytes()).collect();
        for string in strings {
            bytes.extend_from_slice(string.as_bytes());
            bytes.push(0);
        }
        bytes
    }

    #[test]
    fn a_request_is_read_back_as_it_was_written() {
        let written = bytes(2, 1, 1, &["ls", "", "PATH=/a::/b", "/tmp"]);
        let request = Request::received(&Request::hand_over(5, &written)).unwrap();
        assert_eq!(request.arguments, [c"ls".to_owned(), c"".to_owned()]);
        assert_eq!(request.environment, [c"PATH=/a::/b".to_owned()]);
        assert_eq!(request.directory, c"/tmp".to_owned());
        assert_eq!((request.options, request.open_files, request.linger, request.mask), (1, 7, 9, 5));
        assert_eq!(request.stdio, [4, 1, 2]);
        let candidates = [c"/a/ls".to_owned(), c"./ls".to_owned(), c"/b/ls".to_owned()];
        assert_eq!(request.candidates(), candidates);
    }

    #[test]
    fn what_is_encoded_is_parsed() {
        let (arguments, environment) = ([c"ls".to_owned(), c"".to_owned()], [c"A=b".to_owned()]);
        let request = Request::parse(&Request::encode(&arguments, &environment, 9, 7), 1).unwrap();
        assert_eq!((&request.arguments[..], &request.environment[..]), (&arguments[..], &environment[..]));
        assert_eq!((request.directory.as_c_str(), request.options, request.linger), (c"", 9, 7));
    }

    #[test]
    fn a_program_with_a_slash_is_not_searched_for() {
        let request = Request::parse(&bytes(1, 1, 0, &["./x", "PATH=/a", ""]), 0).unwrap();
        assert_eq!(request.candidates(), [c"./x".to_owned()]);
    }

    #[test]
    fn a_request_with_a_wrong_count_or_unknown_option_is_invalid() {
        let cases = [
            bytes(0, 0, 0, &[""]),
            bytes(1, 0, 0, &["x"]),
            bytes(1, 0, 0, &["x", "", "more"]),
            bytes(u32::MAX, 0, 0, &["x", ""]),
            bytes(1, 0, 256, &["x", ""]),
            b"short".to_vec(),
            bytes(1, 0, 0, &[]),
        ];
        for case in cases {
            assert_eq!(Request::parse(&case, 0), Err(INVALID), "{case:?}");
        }
    }
}
