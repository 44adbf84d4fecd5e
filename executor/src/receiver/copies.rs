//! What is copied of a caller's memory: once, before anything is decided. Knows lengths, not meanings.

use crate::sys::memory::{self, Remote};
use crate::sys::seccomp::Notification;
use crate::sys::{Errno, Result, socket};

/// Room for a message, kept from one to the next, so that sending allocates nothing.
#[derive(Default)]
pub(crate) struct Copied {
    /// The payload; grows to what programs send, at most `MOST_BYTES` of calls/outgoing.rs.
    pub(crate) data: Vec<u8>,
    /// Where the payload lies in the caller.
    pub(crate) parts: Vec<Remote>,
    /// `parts` as the caller wrote them.
    pub(crate) array: Vec<u8>,
}

impl Copied {
    /// For another thread: what was copied.
    pub(crate) fn data_only(&self) -> Self {
        Self { data: self.data.clone(), ..Self::default() }
    }

    /// For another thread, which reads the payload itself.
    pub(crate) fn parts_only(&self) -> Self {
        Self { parts: self.parts.clone(), ..Self::default() }
    }
}

/// A copied socket address: at most 128 bytes.
pub(crate) struct Address {
    bytes: [u8; socket::NAME_BYTES],
    length: usize,
}

impl Address {
    /// Room for an address of `length` bytes, of which the kernel looks at the low 32 bits. EINVAL unless
    /// 0..=128 (net/socket.c, move_addr_to_kernel).
    pub(crate) fn of_length(length: u64) -> Result<Self> {
        let length = usize::try_from(length & 0xffff_ffff).unwrap_or(usize::MAX);
        if length > socket::NAME_BYTES {
            return Err(Errno(libc::EINVAL));
        }
        Ok(Self { bytes: [0; socket::NAME_BYTES], length })
    }

    pub(crate) fn as_mut_bytes(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.length).unwrap_or_default()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Copies a socket address.
pub(crate) fn address(notification: &Notification, pointer: u64, length: u64) -> Result<Address> {
    let mut address = Address::of_length(length)?;
    memory::read_exact(notification.tid, pointer, address.as_mut_bytes())?;
    Ok(address)
}
