//! Little-endian reads from untrusted bytes by 64-bit offset. A read outside gives a defect instead of a
//! panic; `verify` checks places before it reads there, so that defect says something is wrong with the
//! checks, not only with the table.

use super::Defect;
use super::format_gen::{
    DEFECT_SHORT, DIRECTORY_BYTES, DIRECTORY_COUNT, DIRECTORY_OFFSET, DIRECTORY_SIZE, HEADER_BYTES,
};

/// The bytes of a table.
#[derive(Clone, Copy)]
pub(super) struct View<'a>(pub(super) &'a [u8]);

/// Where a section lies, by the directory: bytes from the start of the file, and its number of cells.
#[derive(Clone, Copy)]
pub(super) struct Section {
    pub(super) offset: u64,
    pub(super) count: u64,
    pub(super) bytes: u64,
}

impl<'a> View<'a> {
    pub(super) fn len(self) -> u64 {
        self.0.len() as u64
    }

    /// The bytes from `from` to `to`.
    pub(super) fn range(self, from: u64, to: u64) -> Result<&'a [u8], Defect> {
        let outside = Defect { code: DEFECT_SHORT, offset: from };
        let from = usize::try_from(from).map_err(|_| outside)?;
        let to = usize::try_from(to).map_err(|_| outside)?;
        self.0.get(from..to).ok_or(outside)
    }

    fn array<const N: usize>(self, offset: u64) -> Result<[u8; N], Defect> {
        let outside = Defect { code: DEFECT_SHORT, offset };
        self.range(offset, offset + N as u64)?.try_into().map_err(|_| outside)
    }

    pub(super) fn u8(self, offset: u64) -> Result<u32, Defect> {
        self.array::<1>(offset).map(|[byte]| u32::from(byte))
    }

    pub(super) fn u16(self, offset: u64) -> Result<u32, Defect> {
        self.array(offset).map(|bytes| u32::from(u16::from_le_bytes(bytes)))
    }

    pub(super) fn u32(self, offset: u64) -> Result<u32, Defect> {
        self.array(offset).map(u32::from_le_bytes)
    }

    pub(super) fn u64(self, offset: u64) -> Result<u64, Defect> {
        self.array(offset).map(u64::from_le_bytes)
    }

    /// An address of 16 bytes in network order.
    pub(super) fn address(self, offset: u64) -> Result<u128, Defect> {
        self.array(offset).map(u128::from_be_bytes)
    }

    /// A section; trusts the directory, which is checked before anything else asks.
    pub(super) fn section(self, kind: u32) -> Result<Section, Defect> {
        let record = record_offset(kind);
        Ok(Section {
            offset: u64::from(self.u32(record + u64::from(DIRECTORY_OFFSET))?),
            count: u64::from(self.u32(record + u64::from(DIRECTORY_COUNT))?),
            bytes: u64::from(self.u32(record + u64::from(DIRECTORY_SIZE))?),
        })
    }
}

impl Section {
    /// Offset of cell `index` for cells of `cell` bytes.
    pub(super) fn at(self, index: u64, cell: u32) -> u64 {
        self.offset + index * u64::from(cell)
    }
}

/// Offset of a section's record in the directory.
pub(super) fn record_offset(kind: u32) -> u64 {
    u64::from(HEADER_BYTES + (kind - 1) * DIRECTORY_BYTES)
}

/// `Err` with this defect unless the condition holds.
pub(super) fn ensure(holds: bool, code: u32, offset: u64) -> Result<(), Defect> {
    if holds { Ok(()) } else { Err(Defect { code, offset }) }
}
