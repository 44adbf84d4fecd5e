//! Asking for memory that is read soon, so that what takes long begins early. Nothing that a program can see
//! depends on it.

/// Asks for the cache line of `bytes[at]`; one that is not there is no fault, only a wasted request.
#[inline]
pub fn prefetch(bytes: &[u8], at: usize) {
    let place = bytes.as_ptr().wrapping_add(at);
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instruction reads nothing that a program can see and faults at no address; every x86-64
    // machine has it (SSE).
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(place.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above (Arm ARM, PRFM: a hint that generates no synchronous fault); it writes neither memory nor flags.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{}]", in(reg) place, options(nostack, preserves_flags, readonly));
    }
}
