//! The ELF's entry point when it is executed instead of loaded: aligns the stack and calls `crate::probe::main` or `crate::supervisor::main`, by the name it was
//! executed under.
//!
//! The dynamic loader named in `.interp` has relocated us and run the constructors of libc by then, so std works; `main` and its C
//! prologue are all that is missing, and nothing here needs them.

use std::ffi::{CStr, c_char};

#[cfg(target_arch = "x86_64")]
const LOADER: &[u8; 28] = b"/lib64/ld-linux-x86-64.so.2\0";
#[cfg(target_arch = "aarch64")]
const LOADER: &[u8; 27] = b"/lib/ld-linux-aarch64.so.1\0";

const LENGTH: usize = LOADER.len();

// SAFETY: the section .interp is meant for exactly this string; the linker makes PT_INTERP of it.
#[unsafe(link_section = ".interp")]
#[used]
static INTERPRETER: [u8; LENGTH] = *LOADER;

/// `stack` is where the kernel left the arguments: their number, then pointers to them. (std's own copy is filled by a constructor that the loader does
/// not run for the program it starts.)
extern "C" fn start(stack: *const *const c_char) -> ! {
    let first = stack.wrapping_add(1);
    // SAFETY: after the number stand that many pointers and a null one (System V ABI), so the first can be read.
    let name = unsafe { first.read() };
    // SAFETY: an argument ends in NUL and stays where it is as long as the process lives.
    if !name.is_null() && unsafe { CStr::from_ptr(name) } == crate::probe::NAME {
        crate::probe::main()
    }
    crate::supervisor::main()
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
