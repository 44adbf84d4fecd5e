//! What the program is started with: arguments and environment as C's `main` is given them, and where ps(1)
//! finds its name. Decides nothing about what they mean.

use std::ffi::{CStr, CString, c_char};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// How this program was started.
pub struct Start {
    /// Its own name first.
    pub arguments: Vec<CString>,
    /// `NAME=value` each.
    pub environment: Vec<CString>,
}

/// Copies both. They are those of C's `main`: rows of strings that a null pointer ends.
pub fn start(arguments: *const *const c_char, environment: *const *const c_char) -> Start {
    let start = Start { arguments: strings(arguments), environment: strings(environment) };
    // SAFETY: the first of the pointers, perhaps the null one; it was read by `strings` already.
    COMMAND_LINE.store(unsafe { arguments.read() }.cast_mut().cast(), Ordering::Relaxed);
    let bytes = start.arguments.iter().map(|argument| argument.count_bytes() + 1).sum();
    COMMAND_LINE_BYTES.store(bytes, Ordering::Relaxed);
    start
}

/// Where the kernel finds what ps(1) shows of us: the arguments, one behind the other.
static COMMAND_LINE: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
static COMMAND_LINE_BYTES: AtomicUsize = AtomicUsize::new(0);

/// Shows `name` as this process's command line, as far as the one it was started by has room. For a copy of
/// the process that is something else than what was started.
pub fn show_as(name: &CStr) {
    let first = COMMAND_LINE.load(Ordering::Relaxed);
    let mut letters = name.to_bytes().iter();
    for index in 1..COMMAND_LINE_BYTES.load(Ordering::Relaxed) {
        let letter = letters.next().copied().unwrap_or(0);
        // SAFETY: one of the bytes that the kernel put there for this process, whose last one stays NUL;
        // nothing of ours points to them, `start` has copied them.
        unsafe { first.wrapping_add(index - 1).write(letter) };
    }
}

/// The strings up to the null pointer.
fn strings(row: *const *const c_char) -> Vec<CString> {
    let mut strings = Vec::new();
    for index in 0.. {
        // SAFETY: the row has a pointer here: none before was the null one that ends it.
        let string = unsafe { row.wrapping_add(index).read() };
        if string.is_null() {
            break;
        }
        // SAFETY: a string of the kernel's ends in NUL and stays where it is as long as the process lives.
        strings.push(unsafe { CStr::from_ptr(string) }.to_owned());
    }
    strings
}
