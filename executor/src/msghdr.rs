//! The header of a message (`struct msghdr`, 64-bit layout) and its parts (`struct iovec`): bytes → bounded
//! values. Pure; says which places of the program's memory to read, and reads none.

use crate::sys::memory::Remote;
use crate::sys::socket::NAME_BYTES;
use crate::sys::{Errno, Result};

/// Bytes of a header.
pub const HEADER_BYTES: usize = 56;
/// Bytes of a part.
pub const PART_BYTES: usize = 16;
/// `UIO_MAXIOV`
const MOST_PARTS: u64 = 1024;
/// `MAX_RW_COUNT`: longer totals are cut.
pub const MOST_TOTAL: u64 = 0x7fff_f000;
const MSG_CMSG_COMPAT: u32 = 0x8000_0000;

/// A header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Where the name is.
    pub name: u64,
    /// Its bytes: 0 (no name at all, unlike in sendto) to 128 (longer ones are cut, as in Linux).
    pub name_bytes: usize,
    /// Where the array of parts is.
    pub parts: u64,
    /// Its cells, at most 1024; `None`: more, which is EMSGSIZE once the name has been read.
    pub part_count: Option<usize>,
    /// Where the control messages are.
    pub control: u64,
    /// Their bytes, as written.
    pub control_bytes: u64,
}

impl Header {
    /// Reads a header passed with `flags`. EINVAL: the name's length is negative, or the flags are for a 32-bit header.
    pub fn read(bytes: &[u8; HEADER_BYTES], flags: i32) -> Result<Self> {
        if flags.cast_unsigned() & MSG_CMSG_COMPAT != 0 {
            return Err(Errno(libc::EINVAL));
        }
        let name_length = u32::try_from(cell(bytes, 8) & 0xffff_ffff).unwrap_or(0).cast_signed();
        let name_length = usize::try_from(name_length).map_err(|_| Errno(libc::EINVAL))?;
        let name = cell(bytes, 0);
        let part_count = cell(bytes, 24);
        Ok(Self {
            name,
            name_bytes: if name == 0 { 0 } else { name_length.min(NAME_BYTES) },
            parts: cell(bytes, 16),
            part_count: usize::try_from(part_count).ok().filter(|_| part_count <= MOST_PARTS),
            control: cell(bytes, 32),
            control_bytes: cell(bytes, 40),
        })
    }
}

fn cell(bytes: &[u8], offset: usize) -> u64 {
    bytes.get(offset..offset + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_ne_bytes)
}

/// Reads an array of parts into `parts`, in place of what was there, and returns their total, cut at
/// `MOST_TOTAL`. EINVAL: a length is negative.
pub fn parts_of(bytes: &[u8], parts: &mut Vec<Remote>) -> Result<u64> {
    parts.clear();
    let mut total = 0u64;
    for part in bytes.chunks_exact(PART_BYTES) {
        let (base, length) = (cell(part, 0), cell(part, 8));
        if i64::try_from(length).is_err() {
            return Err(Errno(libc::EINVAL));
        }
        let length = length.min(MOST_TOTAL - total);
        total += length;
        parts.push(Remote { base, length });
    }
    Ok(total)
}

/// The places that hold `wanted` bytes of the payload from `offset` on; fewer if it ends before.
pub fn places(parts: &[Remote], offset: u64, wanted: u64) -> Vec<Remote> {
    let (mut skip, mut rest) = (offset, wanted);
    let mut places = Vec::with_capacity(parts.len());
    for part in parts {
        let skipped = skip.min(part.length);
        skip -= skipped;
        let length = (part.length - skipped).min(rest);
        rest -= length;
        if length > 0 {
            places.push(Remote { base: part.base.wrapping_add(skipped), length });
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(cells: [u64; 7]) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        for (to, from) in bytes.chunks_exact_mut(8).zip(cells) {
            to.copy_from_slice(&from.to_ne_bytes());
        }
        bytes
    }

    fn part(base: u64, length: u64) -> Remote {
        Remote { base, length }
    }

    #[test]
    fn a_name_is_cut_absent_or_invalid_by_its_length() {
        let read = |name, length| Header::read(&header([name, length, 3, 2, 4, 5, 0]), 0);
        assert_eq!(read(9, 16).unwrap().name_bytes, 16);
        assert_eq!(read(9, 200).unwrap().name_bytes, 128);
        assert_eq!(read(9, 0).unwrap().name_bytes, 0);
        assert_eq!(read(0, 16).unwrap().name_bytes, 0);
        assert_eq!(read(9, 1 << 32 | 16).unwrap().name_bytes, 16);
        assert_eq!(read(9, 0xffff_ffff), Err(Errno(libc::EINVAL)));
        let whole = read(9, 16).unwrap();
        assert_eq!((whole.parts, whole.part_count, whole.control, whole.control_bytes), (3, Some(2), 4, 5));
    }

    #[test]
    fn more_than_1024_parts_and_32_bit_headers_are_refused() {
        let read = |count, flags| Header::read(&header([0, 0, 3, count, 0, 0, 0]), flags);
        assert_eq!(read(1024, 0).unwrap().part_count, Some(1024));
        assert_eq!(read(1025, 0).unwrap().part_count, None);
        assert_eq!(read(u64::MAX, 0).unwrap().part_count, None);
        assert_eq!(read(1, i32::MIN), Err(Errno(libc::EINVAL)));
    }

    #[test]
    fn totals_are_cut_and_negative_lengths_refused() {
        let bytes = |parts: &[(u64, u64)]| -> Vec<u8> {
            parts
                .iter()
                .flat_map(|(base, length)| [base.to_ne_bytes(), length.to_ne_bytes()].concat())
                .collect()
        };
        let mut parts = vec![part(9, 9)];
        let total = parts_of(&bytes(&[(1, 5), (2, MOST_TOTAL), (3, 7)]), &mut parts);
        assert_eq!(parts, [part(1, 5), part(2, MOST_TOTAL - 5), part(3, 0)]);
        assert_eq!(total, Ok(MOST_TOTAL));
        assert_eq!(parts_of(&bytes(&[(1, 1 << 63)]), &mut parts).err(), Some(Errno(libc::EINVAL)));
    }

    #[test]
    fn places_begin_inside_a_part_and_end_inside_another() {
        let parts = [part(100, 10), part(200, 0), part(300, 10), part(400, 10)];
        assert_eq!(places(&parts, 0, 5), [part(100, 5)]);
        assert_eq!(places(&parts, 4, 12), [part(104, 6), part(300, 6)]);
        assert_eq!(places(&parts, 25, 100), [part(405, 5)]);
        assert_eq!(places(&parts, 30, 1), []);
    }
}
