//! The C functions that the binding calls (docs/native.md). Each checks its arguments, catches panics and
//! returns 0 or a positive result, or -errno. Nothing of the sandbox is decided here.

use std::ffi::{CStr, CString, c_char};
use std::net::IpAddr;
use std::os::fd::IntoRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use crate::becoming;
use crate::event::RECORD_BYTES;
use crate::front::Front;
use crate::locks::lock;
use crate::probe;
use crate::sys::foreign::{bytes, bytes_mut, string};
use crate::sys::{Errno, Result, process, signal};
use crate::table::{Protocol, Table, Verdict};

/// Version of this interface.
const VERSION: i32 = 4;
const QUERY_BYTES: usize = 24;

static FRONTS: Mutex<Vec<Option<Arc<Front>>>> = Mutex::new(Vec::new());

/// Runs `body`; a panic becomes EIO, so that it can not unwind into the caller.
fn guarded(flags: u32, body: impl FnOnce() -> Result<i32>) -> i32 {
    let result = if flags == 0 {
        catch_unwind(AssertUnwindSafe(body)).unwrap_or(Err(Errno(libc::EIO)))
    } else {
        Err(Errno(libc::EINVAL))
    };
    result.unwrap_or_else(|Errno(error)| -error)
}

fn front(handle: i32) -> Result<Arc<Front>> {
    let fronts = lock(&FRONTS);
    let index = usize::try_from(handle).map_err(|_| Errno(libc::EBADF))?;
    fronts.get(index).and_then(Clone::clone).ok_or(Errno(libc::EBADF))
}

/// The version of this interface.
// SAFETY: exported under a name of our own prefix.
#[unsafe(no_mangle)]
pub extern "C" fn sl_abi_version() -> i32 {
    VERSION
}

/// Checks a table. EINVAL: `defect` (16 bytes) holds code u32, reserved u32, offset u64.
// SAFETY: exported under a name of our own prefix.
#[unsafe(no_mangle)]
pub extern "C" fn sl_table_verify(table: *const u8, length: u64, defect: *mut u8, flags: u32) -> i32 {
    guarded(flags, || match Table::open(bytes(table, length)?) {
        Ok(_) => Ok(0),
        Err(found) => {
            let code = u64::from(found.code).to_le_bytes();
            let offset = found.offset.to_le_bytes();
            for (to, from) in bytes_mut(defect, 16)?.iter_mut().zip(code.into_iter().chain(offset)) {
                *to = from;
            }
            Err(Errno(libc::EINVAL))
        }
    })
}

/// Looks up `count` queries of 24 bytes and writes one byte for each: 1 allow, 0 deny.
// SAFETY: exported under a name of our own prefix.
#[unsafe(no_mangle)]
pub extern "C" fn sl_table_lookup(
    table: *const u8,
    length: u64,
    queries: *const u8,
    count: u32,
    verdicts: *mut u8,
    flags: u32,
) -> i32 {
    guarded(flags, || {
        let table = Table::open(bytes(table, length)?).map_err(|_| Errno(libc::EINVAL))?;
        let queries = bytes(queries, u64::from(count) * QUERY_BYTES as u64)?;
        let verdicts = bytes_mut(verdicts, u64::from(count))?;
        for (verdict, query) in verdicts.iter_mut().zip(queries.chunks_exact(QUERY_BYTES)) {
            let (protocol, address, port) = parse(query).ok_or(Errno(libc::EINVAL))?;
            *verdict = u8::from(table.lookup(protocol, address, port) == Verdict::Allow);
        }
        Ok(0)
    })
}

fn parse(query: &[u8]) -> Option<(Protocol, IpAddr, u16)> {
    let protocol = match query.first()? {
        0 => Protocol::Tcp,
        1 => Protocol::Udp,
        2 => Protocol::Icmp,
        3 => Protocol::TcpBind,
        4 => Protocol::UdpBind,
        _ => return None,
    };
    let address = match query.get(1)? {
        4 => IpAddr::from(<[u8; 4]>::try_from(query.get(8..12)?).ok()?),
        6 => IpAddr::from(<[u8; 16]>::try_from(query.get(8..24)?).ok()?),
        _ => return None,
    };
    Some((protocol, address, u16::from_le_bytes(query.get(2..4)?.try_into().ok()?)))
}

/// Starts a sandbox, whose supervisor is the program `sandlock-exec` at that path; returns its handle.
// SAFETY: exported under a name of our own prefix.
#[unsafe(no_mangle)]
pub extern "C" fn sl_start(
    program: *const c_char,
    table: *const u8,
    table_length: u64,
    request: *const u8,
    request_length: u64,
    flags: u32,
) -> i32 {
    guarded(flags, || {
        let program: CString = string(program).map(CStr::to_owned)?;
        let front = Front::start(program, bytes(table, table_length)?, bytes(request, request_length)?)?;
        let mut fronts = lock(&FRONTS);
        let index = fronts.iter().position(Option::is_none).unwrap_or(fronts.len());
        if index == fronts.len() {
            fronts.push(None);
        }
        if let Some(place) = fronts.get_mut(index) {
            *place = Some(Arc::new(front));
        }
        i32::try_from(index).map_err(|_| Errno(libc::EMFILE))
    })
}

/// Becomes the launcher, the program `sandlock-exec` at that path: executes it in place of this process, with
/// this table and these arguments, each ended by NUL. Returns only on failure.
// SAFETY: exported under a name of our own prefix.
#[unsafe(no_mangle)]
pub extern "C" fn sl_become(
    program: *const c_char,
    table: *const u8,
    table_length: u64,
    arguments: *const u8,
    arguments_length: u64,
    flags: u32,
) -> i32 {
    guarded(flags, || {
        let program = string(program)?;
        let (table, words) = (bytes(table, table_length)?, bytes(arguments, arguments_length)?);
        Err(becoming::launcher(program, table, words))
    })
}

/// The same with a command line of `sandlock exec` after that word, if it can be run as it is; 0: something is
/// to be done before, or it can not be run at all.
// SAFETY: exported under a name of our own prefix.
#[unsafe(no_mangle)]
pub extern "C" fn sl_become_at_once(
    program: *const c_char,
    arguments: *const u8,
    arguments_length: u64,
    flags: u32,
) -> i32 {
    guarded(flags, || {
        let words = bytes(arguments, arguments_length)?;
        becoming::launcher_at_once(string(program)?, words).map_or(Ok(0), Err)
    })
}

/// Waits for the next record, at most `timeout_ms` (< 0: for ever): 1 = written to `record` (64 bytes), 0 =
/// there are no more. EAGAIN: the time is over.
// SAFETY: exported under a name of our own prefix.
#[unsafe(no_mangle)]
pub extern "C" fn sl_next(handle: i32, record: *mut u8, timeout_ms: i32, flags: u32) -> i32 {
    guarded(flags, || {
        let Some(next) = front(handle)?.next(timeout_ms)? else { return Ok(0) };
        bytes_mut(record, RECORD_BYTES as u64)?.copy_from_slice(&next);
        Ok(1)
    })
}

/// A descriptor to read records from; the caller owns it.
// SAFETY: exported under a name of our own prefix.
#[unsafe(no_mangle)]
pub extern "C" fn sl_events(handle: i32, flags: u32) -> i32 {
    guarded(flags, || Ok(front(handle)?.events()?.into_raw_fd()))
}

/// A pipe for the host's end of the command's stdio: writes the numbers of its read and write end (i32 each);
/// the caller owns both.
// SAFETY: exported under a name of our own prefix.
#[unsafe(no_mangle)]
pub extern "C" fn sl_pipe(ends: *mut u8, flags: u32) -> i32 {
    guarded(flags, || {
        let ends = bytes_mut(ends, 8)?;
        let (read, write) = crate::sys::fd::pipe()?;
        let numbers = [read.into_raw_fd(), write.into_raw_fd()].map(i32::to_le_bytes);
        ends.copy_from_slice(&numbers.concat());
        Ok(0)
    })
}

/// Sends a signal to the command.
// SAFETY: exported under a name of our own prefix.
#[unsafe(no_mangle)]
pub extern "C" fn sl_signal(handle: i32, signal: i32, flags: u32) -> i32 {
    guarded(flags, || {
        let signal = u8::try_from(signal).ok().filter(|signal| (1..=64).contains(signal));
        front(handle)?.signal(signal.ok_or(Errno(libc::EINVAL))?).map(|()| 0)
    })
}

/// Ends the whole tree.
// SAFETY: exported under a name of our own prefix.
#[unsafe(no_mangle)]
pub extern "C" fn sl_kill(handle: i32, flags: u32) -> i32 {
    guarded(flags, || front(handle)?.kill().map(|()| 0))
}

/// Gives the handle up; a running tree is ended.
// SAFETY: exported under a name of our own prefix.
#[unsafe(no_mangle)]
pub extern "C" fn sl_close(handle: i32, flags: u32) -> i32 {
    guarded(flags, || {
        front(handle)?;
        let mut fronts = lock(&FRONTS);
        let index = usize::try_from(handle).map_err(|_| Errno(libc::EBADF))?;
        drop(fronts.get_mut(index).and_then(Option::take));
        Ok(0)
    })
}

/// Tries what a sandbox needs of the kernel, in processes of their own, which the program `sandlock-exec` at
/// that path is executed for; writes one answer of 24 bytes for each thing tried and returns their number.
// SAFETY: exported under a name of our own prefix.
#[unsafe(no_mangle)]
pub extern "C" fn sl_probe(program: *const c_char, answers: *mut u8, length: u64, flags: u32) -> i32 {
    guarded(flags, || {
        let program: CString = string(program).map(CStr::to_owned)?;
        probe::ask(&program, bytes_mut(answers, length)?)
    })
}

/// Ends this process with `status` (0..=255) at once.
// SAFETY: exported under a name of our own prefix.
#[unsafe(no_mangle)]
pub extern "C" fn sl_exit(status: i32, flags: u32) -> i32 {
    guarded(flags, || {
        if !(0..=255).contains(&status) {
            return Err(Errno(libc::EINVAL));
        }
        process::exit_now(status)
    })
}

/// Ends this process by `signal`, without a core file.
// SAFETY: exported under a name of our own prefix.
#[unsafe(no_mangle)]
pub extern "C" fn sl_raise(signal: i32, flags: u32) -> i32 {
    guarded(flags, || {
        if !(1..=64).contains(&signal) {
            return Err(Errno(libc::EINVAL));
        }
        signal::end_by(signal)
    })
}
