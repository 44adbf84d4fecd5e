//! The ELF's entry point when it is executed instead of loaded: aligns the stack, collects arguments and environment and calls `crate::main`.
//!
//! The dynamic loader named in `.interp` has relocated us and run the constructors of libc by then, so std works; `main` and its C
//! prologue are all that is missing, and nothing here needs them.

use std::ffi::{CStr, CString, c_char};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use super::process::Start;

#[cfg(target_arch = "x86_64")]
const LOADER: &[u8; 28] = b"/lib64/ld-linux-x86-64.so.2\0";
#[cfg(target_arch = "aarch64")]
const LOADER: &[u8; 27] = b"/lib/ld-linux-aarch64.so.1\0";

const LENGTH: usize = LOADER.len();

// SAFETY: the section .interp is meant for exactly this string; the linker makes PT_INTERP of it.
#[unsafe(link_section = ".interp")]
#[used]
static INTERPRETER: [u8; LENGTH] = *LOADER;

/// `stack` is where the kernel left the arguments: their number, pointers to them, a null one, pointers to the environment, a null one (System V ABI). std's own
/// copy is filled by a constructor that the loader does not run for the program it starts.
extern "C" fn start(stack: *const *const c_char) -> ! {
    let mut next = stack.wrapping_add(1);
    let arguments = strings(&mut next);
    // SAFETY: the first of the pointers, perhaps the null one; it was read by `strings` already.
    COMMAND_LINE.store(unsafe { stack.wrapping_add(1).read() }.cast_mut().cast(), Ordering::Relaxed);
    COMMAND_LINE_BYTES
        .store(arguments.iter().map(|argument| argument.count_bytes() + 1).sum(), Ordering::Relaxed);
    let environment = strings(&mut next);
    crate::main(Start { arguments, environment })
}

/// Where the kernel finds what ps(1) shows of us: the arguments, one behind the other.
static COMMAND_LINE: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
static COMMAND_LINE_BYTES: AtomicUsize = AtomicUsize::new(0);

/// Shows `name` as this process's command line, as far as the one it was started by has room. For a copy of the process that is something else than what was started.
pub fn show_as(name: &CStr) {
    let first = COMMAND_LINE.load(Ordering::Relaxed);
    let mut letters = name.to_bytes().iter();
    for index in 1..COMMAND_LINE_BYTES.load(Ordering::Relaxed) {
        let letter = letters.next().copied().unwrap_or(0);
        // SAFETY: one of the bytes that the kernel put there for this process, whose last one stays NUL; nothing of ours points to them, `start` has copied them.
        unsafe { first.wrapping_add(index - 1).write(letter) };
    }
}

/// The strings from `next` to the null pointer; `next` then stands behind it.
fn strings(next: &mut *const *const c_char) -> Vec<CString> {
    let mut strings = Vec::new();
    loop {
        // SAFETY: `next` was at the beginning of a row of pointers and has not passed the null one that ends it.
        let string = unsafe { next.read() };
        *next = next.wrapping_add(1);
        if string.is_null() {
            return strings;
        }
        // SAFETY: a string of the kernel's ends in NUL and stays where it is as long as the process lives.
        strings.push(unsafe { CStr::from_ptr(string) }.to_owned());
    }
}

/// Where the kernel enters the ELF (build.rs names this symbol to the linker).
#[cfg(target_arch = "x86_64")]
// SAFETY: exported under a name of our own prefix.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub extern "C" fn sl_supervisor_start() {
    // System V ABI: at entry rsp is 16-byte aligned and rbp undefined; a call wants rsp aligned before it.
    core::arch::naked_asm!("xor ebp, ebp", "mov rdi, rsp", "and rsp, -16", "call {start}", "ud2", start = sym start)
}

/// Where the kernel enters the ELF (build.rs names this symbol to the linker).
#[cfg(target_arch = "aarch64")]
// SAFETY: exported under a name of our own prefix.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub extern "C" fn sl_supervisor_start() {
    // AAPCS64: sp is 16-byte aligned at entry; the frame and link registers end the chain of frames.
    core::arch::naked_asm!("mov x29, #0", "mov x30, #0", "mov x0, sp", "bl {start}", "brk #1", start = sym start)
}
