//! CRC-32C (Castagnoli; reflected polynomial 0x82f63b78, initial value and final xor 0xffffffff) of a table, eight bytes a step by eight
//! tables of 256: table k holds the effect of a byte that is followed by k zero bytes.
//!
//! A step waits for the one before, so long texts are cut into four parts whose steps the machine runs side by side, by its own instruction
//! where it has one (`sys/crc.rs`). The checksum is linear: that of two texts in a row is that of the first, moved past as many zero
//! bytes as the second has, xor that of the second begun with 0.

use super::format_gen::HEADER_CHECKSUM;
use crate::sys::crc;

const POLYNOMIAL: u32 = 0x82f6_3b78;

static TABLES: [[u32; 256]; 8] = tables();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which refuses an index outside")]
#[expect(clippy::cast_possible_truncation, reason = "byte runs from 0 to 255")]
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ if crc & 1 == 0 { 0 } else { POLYNOMIAL };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[table - 1][byte];
            tables[table][byte] = (crc >> 8) ^ tables[0][(crc & 0xff) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

/// The checksum of a table: of all its bytes, the field of the checksum taken as zero.
pub fn table_checksum(bytes: &[u8]) -> u32 {
    let (before, rest) = bytes.split_at_checked(HEADER_CHECKSUM as usize).unwrap_or((bytes, &[]));
    let (_, after) = rest.split_at_checked(4).unwrap_or((&[], rest));
    !update(update(update(!0, before), &[0; 4]), after)
}

/// Texts below this are not cut: joining the parts takes as long as a few hundred bytes.
const CUT_FROM: usize = 4096;

fn update(start: u32, bytes: &[u8]) -> u32 {
    let part = bytes.len() / 32;
    let (steps, _) = bytes.as_chunks::<8>();
    let Some((four, rest)) = bytes.split_at_checked(part * 32).filter(|_| bytes.len() >= CUT_FROM) else {
        return update_plain(start, bytes);
    };
    let mut parts = steps.chunks_exact(part);
    let (Some(a), Some(b), Some(c), Some(d)) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return update_plain(start, bytes);
    };
    let start_each = [start, 0, 0, 0];
    let crcs = crc::sum_four(start_each, [a, b, c, d]).unwrap_or_else(|| sum_four(start_each, [a, b, c, d]));
    let past = zero_bytes(four.len() / 4);
    let joined = crcs.into_iter().reduce(|joined, crc| multiply(joined, past) ^ crc);
    update_plain(joined.unwrap_or(start), rest)
}

/// As `crc::sum_four`, on any machine.
fn sum_four(start: [u32; 4], texts: [crc::Words<'_>; 4]) -> [u32; 4] {
    let [a, b, c, d] = texts;
    let mut crcs = start;
    for (((&a, &b), &c), &d) in a.iter().zip(b).zip(c).zip(d) {
        let [crc_a, crc_b, crc_c, crc_d] = crcs;
        crcs = [step(crc_a, a), step(crc_b, b), step(crc_c, c), step(crc_d, d)];
    }
    crcs
}

fn update_plain(start: u32, bytes: &[u8]) -> u32 {
    let (steps, rest) = bytes.as_chunks::<8>();
    let crc = steps.iter().fold(start, |crc, bytes| step(crc, *bytes));
    let [t0, ..] = &TABLES;
    rest.iter().fold(crc, |crc, &byte| {
        let [low, ..] = crc.to_le_bytes();
        (crc >> 8) ^ at(t0, low ^ byte)
    })
}

fn step(crc: u32, bytes: [u8; 8]) -> u32 {
    let [t0, t1, t2, t3, t4, t5, t6, t7] = &TABLES;
    let [b0, b1, b2, b3, b4, b5, b6, b7] = (u64::from_le_bytes(bytes) ^ u64::from(crc)).to_le_bytes();
    // The first byte of the step is followed by seven more. Only the first four wait for the step before.
    let early = at(t3, b4) ^ at(t2, b5) ^ at(t1, b6) ^ at(t0, b7);
    early ^ at(t7, b0) ^ at(t6, b1) ^ at(t5, b2) ^ at(t4, b3)
}

/// The product of two polynomials modulo that of the checksum; bit 31 is the coefficient of x⁰.
fn multiply(a: u32, b: u32) -> u32 {
    let mut power = b;
    (0..32).fold(0, |product, bit| {
        let next = product ^ if (a << bit) >> 31 == 0 { 0 } else { power };
        power = (power >> 1) ^ if power & 1 == 0 { 0 } else { POLYNOMIAL };
        next
    })
}

/// The factor that moves a checksum past `count` zero bytes: x to the power of 8 × count, by squaring.
fn zero_bytes(count: usize) -> u32 {
    let mut square = 1 << 23;
    let mut factor = 1 << 31;
    let mut rest = count;
    while rest > 0 {
        if rest & 1 == 1 {
            factor = multiply(factor, square);
        }
        square = multiply(square, square);
        rest >>= 1;
    }
    factor
}

#[expect(clippy::indexing_slicing, reason = "a byte is always an index of 256 cells; the check vanishes")]
fn at(table: &[u32; 256], byte: u8) -> u32 {
    table[usize::from(byte)]
}

#[cfg(test)]
mod tests {
    use super::{sum_four, update, update_plain};
    use crate::sys::crc;

    #[test]
    fn known_texts_have_the_published_checksums() {
        // RFC 3720 appendix B.4 and the usual check value.
        assert_eq!(!update(!0, b"123456789"), 0xe306_9283);
        assert_eq!(!update(!0, &[0; 32]), 0x8a91_36aa);
        assert_eq!(!update(!0, &[0xff; 32]), 0x62a8_ab43);
    }

    fn text(length: u32) -> Vec<u8> {
        let mut state = 1_u32;
        (0..length)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_be_bytes()[0]
            })
            .collect()
    }

    #[test]
    fn the_instruction_of_the_machine_and_the_tables_sum_alike() {
        let text = text(4 * 8 * 257);
        let (words, _) = text.as_chunks::<8>();
        let start = [0, 1, u32::MAX, 0x1234_5678];
        for length in [0, 1, 2, 255, 257] {
            let mut parts = words.chunks_exact(257).filter_map(|part| part.get(..length));
            let texts = std::array::from_fn(|_| parts.next().unwrap());
            // Every x86-64 machine since 2008 has it; where it is missing there is nothing to compare.
            let Some(found) = crc::sum_four(start, texts) else { return };
            assert_eq!(found, sum_four(start, texts), "{length}");
        }
    }

    #[test]
    fn a_text_that_is_cut_into_parts_has_the_checksum_of_the_whole() {
        let text = text(70_000);
        for length in (4090..4170).chain([8191, 65_536, 69_999, 70_000]) {
            let text = text.get(..length).unwrap();
            assert_eq!(update(0x1234_5678, text), update_plain(0x1234_5678, text), "{length}");
        }
    }
}
