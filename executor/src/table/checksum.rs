//! CRC-32C (Castagnoli; reflected polynomial 0x82f63b78, initial value and final xor 0xffffffff) of a table,
//! eight bytes a step by eight tables of 256: table k holds the effect of a byte that is followed by k zero
//! bytes.
//!
//! A step waits for the one before, so long texts are cut into four parts whose steps the machine runs side
//! by side. Where it has instructions of its own, these do the work (`sys/crc.rs`); the tables are for other
//! machines and short ends. The checksum is linear: that of two texts in a row is that of the first, moved
//! past as many zero bytes as the second has, xor that of the second begun with 0.

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

/// The checksum of a table, all its bytes with the field of the checksum taken as zero. It is taken piece by
/// piece ahead of the checks, so that these find in a near cache what they read.
pub(super) struct Sum<'a> {
    update: fn(u32, &[u8]) -> u32,
    crc: u32,
    /// Where `rest` begins.
    at: usize,
    rest: &'a [u8],
}

/// Bytes that are summed at once at least: few beside the second cache of any machine, many beside what
/// joining parts takes.
const PIECE: usize = 1 << 15;

impl<'a> Sum<'a> {
    pub(super) fn of(table: &'a [u8]) -> Self {
        let (before, rest) = table.split_at_checked(HEADER_CHECKSUM as usize).unwrap_or((table, &[]));
        let (_, rest) = rest.split_at_checked(4).unwrap_or((&[], rest));
        let crc = update_plain(update_plain(!0, before), &[0; 4]);
        // To ask what the machine has takes as long as to sum a piece without (`sys/wide.rs`).
        let update = if table.len() < PIECE { update_plain } else { update };
        Self { update, crc, at: table.len() - rest.len(), rest }
    }

    /// Sums what lies before `end`, and some of what follows.
    pub(super) fn reach(&mut self, end: usize) {
        while self.at < end && !self.rest.is_empty() {
            let (piece, rest) = self.rest.split_at_checked(PIECE).unwrap_or((self.rest, &[]));
            self.crc = (self.update)(self.crc, piece);
            self.at += piece.len();
            self.rest = rest;
        }
    }

    /// Sums what is left.
    pub(super) fn finish(self) -> u32 {
        !(self.update)(self.crc, self.rest)
    }
}

/// The checksum of a table at once.
#[cfg(feature = "fuzz")]
pub fn table_checksum(table: &[u8]) -> u32 {
    Sum::of(table).finish()
}

/// The factors that move 16 bytes ahead by `distance` bytes, for a multiplication without carries. Both
/// factors are in reflected order, and so is the product, but with one bit more: it is that of the
/// polynomials times x³³ when one factor has 64 bits and the other 32. Of 16 bytes the first eight are 64
/// bits farther ahead than the last.
const fn factors(distance: u64) -> crc::Factors {
    [power(8 * distance + 64 - 33), power(8 * distance - 33)]
}

/// What `crc::fold` multiplies by.
const FOLDS: [crc::Factors; 3] = [factors(crc::FOLDED as u64), factors(32), factors(16)];

/// Texts below this are not cut: joining the parts takes as long as a few hundred bytes.
const CUT_FROM: usize = 4096;

/// What moves past a quarter of a piece.
const PAST_PART: u32 = power(2 * PIECE as u64);

fn update(start: u32, bytes: &[u8]) -> u32 {
    let (blocks, rest) = bytes.as_chunks();
    match crc::fold(start, blocks, &FOLDS) {
        Some(crc) => update_plain(crc, rest),
        None => update_cut(start, bytes),
    }
}

/// By four parts side by side.
fn update_cut(start: u32, bytes: &[u8]) -> u32 {
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
    let past = if four.len() == PIECE { PAST_PART } else { power(2 * four.len() as u64) };
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
const fn multiply(a: u32, b: u32) -> u32 {
    let mut product = 0;
    let mut power = b;
    let mut bit = 0;
    while bit < 32 {
        product ^= if (a << bit) >> 31 == 0 { 0 } else { power };
        power = (power >> 1) ^ if power & 1 == 0 { 0 } else { POLYNOMIAL };
        bit += 1;
    }
    product
}

/// x to a power, by squaring. One of 8 × n moves a checksum past n zero bytes.
const fn power(exponent: u64) -> u32 {
    let mut square = 1 << 30;
    let mut factor = 1 << 31;
    let mut rest = exponent;
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
    use super::{FOLDS, PIECE, Sum, sum_four, update, update_cut, update_plain};
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
    fn a_text_has_the_same_checksum_in_blocks_in_parts_and_byte_by_byte() {
        let text = text(70_000);
        let lengths = (0..=4170).chain([8191, 2 * PIECE - 1, 2 * PIECE, 69_900]);
        for length in lengths {
            let start = length % 64;
            let text = text.get(start..start + length).unwrap();
            let expected = update_plain(0x1234_5678, text);
            assert_eq!(update(0x1234_5678, text), expected, "{length}");
            assert_eq!(update_cut(0x1234_5678, text), expected, "{length}");
        }
    }

    #[test]
    fn multiplying_without_carries_sums_blocks_wherever_they_begin() {
        let text = text(64 + 40 * 128);
        for begin in 0..64 {
            for length in [0, 1, 2, 3, 4, 5, 40] {
                let text = text.get(begin..begin + length * 128).unwrap();
                let (blocks, _) = text.as_chunks();
                // Not every machine can; there is nothing to compare then.
                if let Some(found) = crc::fold(0x9abc_def0, blocks, &FOLDS) {
                    assert_eq!(found, update_plain(0x9abc_def0, text), "{length} blocks from {begin}");
                }
            }
        }
    }

    #[test]
    fn a_table_that_is_summed_piece_by_piece_has_the_checksum_of_the_whole() {
        let text = text(3 * 32_768 + 77);
        for ends in
            [vec![], vec![0], vec![1, 2, 40_000], vec![32_801, 65_569, usize::MAX], vec![98_304, 98_400]]
        {
            let mut sum = Sum::of(&text);
            for &end in &ends {
                sum.reach(end);
            }
            let mut zeroed = text.clone();
            zeroed[24..28].fill(0);
            assert_eq!(sum.finish(), !update_plain(!0, &zeroed), "{ends:?}");
        }
    }
}
