//! CRC-32C (Castagnoli; reflected polynomial 0x82f63b78, initial value and final xor 0xffffffff) of a table, eight bytes a step by eight
//! tables of 256: table k holds the effect of a byte that is followed by k zero bytes.

use super::format_gen::HEADER_CHECKSUM;

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
pub(super) fn table_checksum(bytes: &[u8]) -> u32 {
    let (before, rest) = bytes.split_at_checked(HEADER_CHECKSUM as usize).unwrap_or((bytes, &[]));
    let (_, after) = rest.split_at_checked(4).unwrap_or((&[], rest));
    !update(update(update(!0, before), &[0; 4]), after)
}

fn update(start: u32, bytes: &[u8]) -> u32 {
    let (steps, rest) = bytes.as_chunks::<8>();
    let [t0, t1, t2, t3, t4, t5, t6, t7] = &TABLES;
    let crc = steps.iter().fold(start, |crc, step| {
        let [b0, b1, b2, b3, b4, b5, b6, b7] = (u64::from_le_bytes(*step) ^ u64::from(crc)).to_le_bytes();
        // The first byte of the step is followed by seven more. Only the first four wait for the step before.
        let early = at(t3, b4) ^ at(t2, b5) ^ at(t1, b6) ^ at(t0, b7);
        early ^ at(t7, b0) ^ at(t6, b1) ^ at(t5, b2) ^ at(t4, b3)
    });
    rest.iter().fold(crc, |crc, &byte| {
        let [low, ..] = crc.to_le_bytes();
        (crc >> 8) ^ at(t0, low ^ byte)
    })
}

#[expect(clippy::indexing_slicing, reason = "a byte is always an index of 256 cells; the check vanishes")]
fn at(table: &[u32; 256], byte: u8) -> u32 {
    table[usize::from(byte)]
}

#[cfg(test)]
mod tests {
    use super::update;

    #[test]
    fn known_texts_have_the_published_checksums() {
        // RFC 3720 appendix B.4 and the usual check value.
        assert_eq!(!update(!0, b"123456789"), 0xe306_9283);
        assert_eq!(!update(!0, &[0; 32]), 0x8a91_36aa);
        assert_eq!(!update(!0, &[0xff; 32]), 0x62a8_ab43);
    }
}
