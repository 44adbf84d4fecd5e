//! Vector instructions that not every machine has: loops over large arrays are compiled once for all machines and once for those with AVX2,
//! and run as the present one allows. arm64 has no such choice, its vectors are part of the base.

/// Runs `work`, compiled for the widest vectors of the machine. Worth it for loops that the compiler turns into vector code.
#[inline]
pub fn wide<T>(work: impl FnOnce() -> T) -> T {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has the feature that the function is compiled for.
        return unsafe { with_avx2(work) };
    }
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2<T>(work: impl FnOnce() -> T) -> T {
    work()
}
