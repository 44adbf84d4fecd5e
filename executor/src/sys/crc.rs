//! The machine's own instructions for CRC-32C, found at run time: all are optional parts of their architectures.
//!
//! `fold` multiplies without carries, 32 bytes at once (VPCLMULQDQ: Intel since 2019, AMD since 2020), 16
//! bytes a cycle. `sum_four` uses the instruction for the checksum itself (SSE4.2 on x86-64, the CRC
//! extension on arm64), eight bytes a cycle: one takes three cycles but another may begin in each, so four
//! texts are summed side by side.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m128i, __m256i, _mm_clmulepi64_si128, _mm_crc32_u64, _mm_cvtsi128_si64, _mm_extract_epi64,
    _mm_set_epi64x, _mm_xor_si128, _mm256_broadcastsi128_si256, _mm256_castsi128_si256,
    _mm256_castsi256_si128, _mm256_clmulepi64_epi128, _mm256_extracti128_si256, _mm256_xor_si256,
};

#[cfg(target_arch = "x86_64")]
use super::prefetch::prefetch;

/// What `fold` takes at once: four vectors, so that eight multiplications follow each other before one needs
/// the result of another.
pub const FOLDED: usize = 128;

/// How far ahead `fold` asks for memory: the machine's own asking ends with each page. With it 4 MiB from
/// beyond the second cache take a tenth less; 6 KiB are no better (2026).
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 2048;

/// The factors that move 16 bytes ahead: of their first eight and their last eight.
pub type Factors = [u32; 2];

/// The checksum of a text of whole blocks, begun with `start`; `None` of no block and where the machine can
/// not. Sixteen bytes are moved ahead by multiplying their halves: `by` has the factors for 128, 32 and 16
/// bytes (`checksum.rs` makes them).
pub fn fold(start: u32, blocks: &[[u8; FOLDED]], by: &[Factors; 3]) -> Option<u32> {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("vpclmulqdq")
        && std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("pclmulqdq")
        && std::arch::is_x86_feature_detected!("sse4.2")
    {
        // SAFETY: the processor has the features that the function is compiled for.
        return unsafe { fold_x86(start, blocks, by) };
    }
    let _ = (start, blocks, by);
    None
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "vpclmulqdq,avx2,pclmulqdq,sse4.2")]
fn fold_x86(start: u32, blocks: &[[u8; FOLDED]], by: &[Factors; 3]) -> Option<u32> {
    let [far, beside, half] = by.map(|by| factors(by));
    let (first, rest) = blocks.split_first()?;
    let mut sums = vectors(first);
    let [begin, ..] = &mut sums;
    *begin = _mm256_xor_si256(*begin, _mm256_castsi128_si256(_mm_set_epi64x(0, start.into())));
    let far = _mm256_broadcastsi128_si256(far);
    for block in rest {
        for line in [0, 64] {
            prefetch(block, AHEAD + line);
        }
        for (sum, next) in sums.iter_mut().zip(vectors(block)) {
            *sum = move_ahead(*sum, far, next);
        }
    }
    let beside = _mm256_broadcastsi128_si256(beside);
    let sum = sums.into_iter().reduce(|sum, next| move_ahead(sum, beside, next))?;
    let [sum, next] = [_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum)];
    let products = [_mm_clmulepi64_si128::<0x00>(sum, half), _mm_clmulepi64_si128::<0x11>(sum, half)];
    let sum = products.into_iter().fold(next, |sum, product| _mm_xor_si128(sum, product));
    let words = [_mm_cvtsi128_si64(sum), _mm_extract_epi64::<1>(sum)];
    Some(words.into_iter().fold(0, |crc, word| step_x86(crc, word.cast_unsigned())))
}

/// Both lanes of `sum` times their factors, and `next`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "vpclmulqdq,avx2")]
fn move_ahead(sum: __m256i, factors: __m256i, next: __m256i) -> __m256i {
    let first = _mm256_clmulepi64_epi128::<0x00>(sum, factors);
    let last = _mm256_clmulepi64_epi128::<0x11>(sum, factors);
    _mm256_xor_si256(_mm256_xor_si256(first, last), next)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
fn factors([first, last]: Factors) -> __m128i {
    _mm_set_epi64x(last.into(), first.into())
}

#[cfg(target_arch = "x86_64")]
fn vectors(block: &[u8; FOLDED]) -> [__m256i; 4] {
    // SAFETY: both types have 128 bytes, and any bytes are vectors of integers.
    unsafe { std::mem::transmute::<[u8; FOLDED], [__m256i; 4]>(*block) }
}

/// Words of eight bytes.
pub type Words<'a> = &'a [[u8; 8]];

/// The checksums of four texts of equal length, begun with `start`; `None` where the machine has no such instruction.
pub fn sum_four(start: [u32; 4], texts: [Words<'_>; 4]) -> Option<[u32; 4]> {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("sse4.2") {
        // SAFETY: the processor has the feature that the function is compiled for.
        return Some(unsafe { sum_x86(start, texts) });
    }
    #[cfg(target_arch = "aarch64")]
    if std::arch::is_aarch64_feature_detected!("crc") {
        // SAFETY: the processor has the feature that the function is compiled for.
        return Some(unsafe { sum_arm(start, texts) });
    }
    None
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.2")]
#[expect(clippy::cast_possible_truncation, reason = "the instruction leaves the upper half zero")]
fn step_x86(crc: u32, word: u64) -> u32 {
    _mm_crc32_u64(u64::from(crc), word) as u32
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.2")]
fn sum_x86(start: [u32; 4], texts: [Words<'_>; 4]) -> [u32; 4] {
    let step = |crc: u32, word: [u8; 8]| step_x86(crc, u64::from_le_bytes(word));
    let [a, b, c, d] = texts;
    let mut crcs = start;
    for (((&a, &b), &c), &d) in a.iter().zip(b).zip(c).zip(d) {
        let [crc_a, crc_b, crc_c, crc_d] = crcs;
        crcs = [step(crc_a, a), step(crc_b, b), step(crc_c, c), step(crc_d, d)];
    }
    crcs
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "crc")]
fn sum_arm(start: [u32; 4], texts: [Words<'_>; 4]) -> [u32; 4] {
    use std::arch::aarch64::__crc32cd;
    let step = |crc: u32, word: [u8; 8]| __crc32cd(crc, u64::from_le_bytes(word));
    let [a, b, c, d] = texts;
    let mut crcs = start;
    for (((&a, &b), &c), &d) in a.iter().zip(b).zip(c).zip(d) {
        let [crc_a, crc_b, crc_c, crc_d] = crcs;
        crcs = [step(crc_a, a), step(crc_b, b), step(crc_c, c), step(crc_d, d)];
    }
    crcs
}
