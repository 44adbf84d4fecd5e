//! Pointers that the host passes through the C interface, as slices. The host keeps the buffers alive and
//! untouched during the call (docs/native.md), which is what every function here relies on.

use std::ffi::{CStr, c_char};

use super::errno::{Errno, Result};

/// `length` readable bytes. EFAULT: null.
pub fn bytes<'a>(pointer: *const u8, length: u64) -> Result<&'a [u8]> {
    let length = usize::try_from(length).map_err(|_| Errno(libc::EINVAL))?;
    if length == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() {
        return Err(Errno(libc::EFAULT));
    }
    // SAFETY: not null; the caller of the C function vouches for `length` readable bytes during the call.
    Ok(unsafe { std::slice::from_raw_parts(pointer, length) })
}

/// `length` writable bytes. EFAULT: null.
pub fn bytes_mut<'a>(pointer: *mut u8, length: u64) -> Result<&'a mut [u8]> {
    let length = usize::try_from(length).map_err(|_| Errno(libc::EINVAL))?;
    if length == 0 {
        return Ok(&mut []);
    }
    if pointer.is_null() {
        return Err(Errno(libc::EFAULT));
    }
    // SAFETY: not null; the caller of the C function vouches for `length` writable bytes that nothing else uses.
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer, length) })
}

/// A string ended by NUL. EFAULT: null.
pub fn string<'a>(pointer: *const c_char) -> Result<&'a CStr> {
    if pointer.is_null() {
        return Err(Errno(libc::EFAULT));
    }
    // SAFETY: not null; the caller of the C function vouches for a terminated string.
    Ok(unsafe { CStr::from_ptr(pointer) })
}
