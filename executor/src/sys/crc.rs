//! The machine's own instruction for CRC-32C (SSE4.2 on x86-64, the CRC extension on arm64), found at run time: both are optional parts
//! of their architectures. An instruction takes three cycles but another may begin in each, so four texts are summed side by side.

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
fn sum_x86(start: [u32; 4], texts: [Words<'_>; 4]) -> [u32; 4] {
    use std::arch::x86_64::_mm_crc32_u64;
    let step = |crc: u32, word: [u8; 8]| _mm_crc32_u64(u64::from(crc), u64::from_le_bytes(word)) as u32;
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
