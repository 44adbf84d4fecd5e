//! The ELF's entry point when it is executed instead of loaded: aligns the stack and calls `crate::supervisor::main`.
//!
//! The dynamic loader named in `.interp` has relocated us and run the constructors of libc and std by then, so std works; `main` and its C
//! prologue are all that is missing, and nothing here needs them.

#[cfg(target_arch = "x86_64")]
const LOADER: &[u8; 28] = b"/lib64/ld-linux-x86-64.so.2\0";
#[cfg(target_arch = "aarch64")]
const LOADER: &[u8; 27] = b"/lib/ld-linux-aarch64.so.1\0";

const LENGTH: usize = LOADER.len();

// SAFETY: the section .interp is meant for exactly this string; the linker makes PT_INTERP of it.
#[unsafe(link_section = ".interp")]
#[used]
static INTERPRETER: [u8; LENGTH] = *LOADER;

extern "C" fn start() -> ! {
    crate::supervisor::main()
}

/// Where the kernel enters the ELF (build.rs names this symbol to the linker).
#[cfg(target_arch = "x86_64")]
// SAFETY: exported under a name of our own prefix.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub extern "C" fn sl_supervisor_start() {
    // System V ABI: at entry rsp is 16-byte aligned and rbp undefined; a call wants rsp aligned before it.
    core::arch::naked_asm!("xor ebp, ebp", "and rsp, -16", "call {start}", "ud2", start = sym start)
}

/// Where the kernel enters the ELF (build.rs names this symbol to the linker).
#[cfg(target_arch = "aarch64")]
// SAFETY: exported under a name of our own prefix.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub extern "C" fn sl_supervisor_start() {
    // AAPCS64: sp is 16-byte aligned at entry; the frame and link registers end the chain of frames.
    core::arch::naked_asm!("mov x29, #0", "mov x30, #0", "bl {start}", "brk #1", start = sym start)
}
