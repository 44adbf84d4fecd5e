//! Vector instructions that not every machine has: loops over large arrays are compiled once for all
//! machines, once for those with AVX2 and once for those with AVX-512, and run as the present one allows.
//! arm64 has no such choice, its vectors are part of the base.

/// From so many cells on it is worth asking what the machine has: some ten questions to the processor, which
/// the host of a virtual one answers. They take 16 µs there (2026), in which a loop does as many cells
/// without.
#[cfg(target_arch = "x86_64")]
const MANY: usize = 1 << 15;

/// Runs `work`, a loop over so many cells, compiled for the widest vectors of the machine. Worth it where the
/// compiler turns the loop into vector code.
#[inline]
#[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables, reason = "there is no choice"))]
pub fn wide<T>(cells: usize, work: impl FnOnce() -> T) -> T {
    #[cfg(target_arch = "x86_64")]
    if cells >= MANY {
        if std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512vl")
            && std::arch::is_x86_feature_detected!("avx512dq")
        {
            // SAFETY: the processor has the features that the function is compiled for.
            return unsafe { with_avx512(work) };
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has the feature that the function is compiled for.
            return unsafe { with_avx2(work) };
        }
    }
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512bw,avx512vl,avx512dq")]
fn with_avx512<T>(work: impl FnOnce() -> T) -> T {
    work()
}
