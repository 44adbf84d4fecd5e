//! The header of a message and its parts: 56 bytes of header, then flags, then an array of parts, then an
//! offset and a length into the payload.
//!
//! Demanded: what is to be read stays inside Linux's bounds; the places of a piece of the payload, laid end
//! to end, are what walking the parts byte by byte would give.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sandlock::fuzz::{HEADER_BYTES, Header, MOST_TOTAL, Remote, parts_of, places};

fuzz_target!(|input: &[u8]| {
    let Some((header, rest)) = input.split_first_chunk::<HEADER_BYTES>() else { return };
    let Some((flags, rest)) = rest.split_first_chunk::<4>() else { return };
    let flags = i32::from_le_bytes(*flags);
    match Header::read(header, flags) {
        Ok(header) => {
            assert!(flags >= 0, "a 32-bit header was taken");
            assert!(header.name_bytes <= 128);
            assert!(header.name != 0 || header.name_bytes == 0, "a name without a place");
            assert!(header.part_count.is_none_or(|count| count <= 1024));
        }
        Err(error) => assert_eq!(error.0, libc::EINVAL),
    }
    let Some((piece, array)) = rest.split_first_chunk::<4>() else { return };
    let mut parts = Vec::new();
    let Ok(total) = parts_of(array, &mut parts) else { return };
    assert_eq!(parts.iter().map(|part| part.length).sum::<u64>(), total);
    assert!(total <= MOST_TOTAL);
    // Small lengths, so that a walk byte by byte ends.
    let parts: Vec<Remote> =
        parts.iter().map(|part| Remote { base: part.base, length: part.length % 64 }).collect();
    let (offset, wanted) = (u64::from(piece[0]) * 4 + u64::from(piece[1]), u64::from(piece[2]));
    let bytes = |parts: &[Remote]| -> Vec<u64> {
        parts.iter().flat_map(|part| (0..part.length).map(|at| part.base.wrapping_add(at))).collect()
    };
    let whole = bytes(&parts);
    let expected: Vec<u64> = whole.into_iter().skip(offset as usize).take(wanted as usize).collect();
    let places = places(&parts, offset, wanted);
    assert!(places.iter().all(|place| place.length > 0));
    assert_eq!(bytes(&places), expected);
});
