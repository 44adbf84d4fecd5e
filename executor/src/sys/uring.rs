//! A ring (io_uring(7)) for one purpose: connecting a blocking socket as far as that goes without waiting. No
//! system call offers it: the socket's own mode is shared with the program and must not be touched. Layouts
//! and numbers are those of `include/uapi/linux/io_uring.h`.

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use super::errno::{Errno, Result, check_long};
use super::fd::own;
use super::socket::Name;

const OP_ASYNC_CANCEL: u8 = 14;
const OP_CONNECT: u8 = 16;
const ENTER_GETEVENTS: u32 = 1;
const OFF_SQ_RING: i64 = 0;
const OFF_CQ_RING: i64 = 0x800_0000;
const OFF_SQES: i64 = 0x1000_0000;
/// Entries of the submission queue; at most two are in use.
const ENTRIES: u32 = 4;

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct SubmissionOffsets {
    head: u32,
    tail: u32,
    ring_mask: u32,
    ring_entries: u32,
    flags: u32,
    dropped: u32,
    array: u32,
    reserved: u32,
    user_addr: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct CompletionOffsets {
    head: u32,
    tail: u32,
    ring_mask: u32,
    ring_entries: u32,
    overflow: u32,
    cqes: u32,
    flags: u32,
    reserved: u32,
    user_addr: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Parameters {
    sq_entries: u32,
    cq_entries: u32,
    flags: u32,
    sq_thread_cpu: u32,
    sq_thread_idle: u32,
    features: u32,
    wq_fd: u32,
    reserved: [u32; 3],
    sq_off: SubmissionOffsets,
    cq_off: CompletionOffsets,
}

/// `struct io_uring_sqe`, 64 bytes, with the fields used here.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Submission {
    opcode: u8,
    flags: u8,
    ioprio: u16,
    fd: i32,
    offset: u64,
    address: u64,
    length: u32,
    op_flags: u32,
    user_data: u64,
    rest: [u64; 3],
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Completion {
    user_data: u64,
    result: i32,
    flags: u32,
}

/// One shared mapping of the ring.
struct Area {
    base: *mut u8,
    length: usize,
}

impl Area {
    fn map(ring: &OwnedFd, length: usize, offset: i64) -> Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a fresh mapping chosen by the kernel aliases nothing of ours.
        let base = unsafe {
            libc::mmap(std::ptr::null_mut(), length, protection, libc::MAP_SHARED, ring.as_raw_fd(), offset)
        };
        if base == libc::MAP_FAILED { Err(Errno::last()) } else { Ok(Self { base: base.cast(), length }) }
    }

    /// A counter of the ring that the kernel shares with us.
    fn counter(&self, offset: u32) -> &AtomicU32 {
        // SAFETY: the kernel gave the offset of an aligned u32 inside this mapping, and touches it atomically only.
        unsafe { AtomicU32::from_ptr(self.base.wrapping_add(offset as usize).cast()) }
    }

    fn cell<T>(&self, offset: u32, index: u32) -> *mut T {
        self.base.wrapping_add(offset as usize).cast::<T>().wrapping_add(index as usize)
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `map`, removed once.
        unsafe { libc::munmap(self.base.cast(), self.length) };
    }
}

/// How far a connect got without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It is over.
    Over(Result<()>),
    /// The connection is being made now; connect(2) will wait for it.
    Begun,
    /// It was being made before, by an earlier call; connect(2) will wait for it.
    Waiting,
}

/// A ring. Used by one thread.
pub struct Ring {
    fd: OwnedFd,
    parameters: Parameters,
    submissions: Area,
    completions: Area,
    entries: Area,
}

// SAFETY: the mappings belong to the ring alone and are used through `&mut self` only, so by one thread at a time.
unsafe impl Send for Ring {}

impl Ring {
    /// Sets one up. ENOSYS, EPERM: the kernel has none, or forbids it (`kernel.io_uring_disabled`, a
    /// container's filter).
    pub fn new() -> Result<Self> {
        let mut parameters = Parameters::default();
        // SAFETY: `parameters` has the layout the call reads and writes.
        let fd =
            check_long(unsafe { libc::syscall(libc::SYS_io_uring_setup, ENTRIES, &raw mut parameters) })?;
        let fd = own(i32::try_from(fd).map_err(|_| Errno(libc::EBADF))?);
        let (sq, cq) = (parameters.sq_off, parameters.cq_off);
        let words = parameters.sq_entries as usize * size_of::<u32>();
        let submissions = Area::map(&fd, sq.array as usize + words, OFF_SQ_RING)?;
        let results = parameters.cq_entries as usize * size_of::<Completion>();
        let completions = Area::map(&fd, cq.cqes as usize + results, OFF_CQ_RING)?;
        let entries = Area::map(&fd, parameters.sq_entries as usize * size_of::<Submission>(), OFF_SQES)?;
        Ok(Self { fd, parameters, submissions, completions, entries })
    }

    /// Connects as far as goes without waiting.
    pub fn connect(&mut self, socket: &impl AsRawFd, name: &Name) -> Attempt {
        const CONNECT: u64 = 1;
        const CANCEL: u64 = 2;
        let bytes = name.as_bytes();
        let connect = Submission {
            opcode: OP_CONNECT,
            fd: socket.as_raw_fd(),
            offset: bytes.len() as u64,
            address: bytes.as_ptr() as u64,
            user_data: CONNECT,
            ..Submission::default()
        };
        if let Err(error) = self.submit(connect, 0) {
            return Attempt::Over(Err(error));
        }
        let mut result = self.take();
        if result.is_none() {
            let cancel = Submission {
                opcode: OP_ASYNC_CANCEL,
                fd: -1,
                address: CONNECT,
                user_data: CANCEL,
                ..Submission::default()
            };
            let mut wanted = self.submit(cancel, 2);
            loop {
                match self.take() {
                    Some(Completion { user_data: CONNECT, result: value, .. }) => {
                        result = Some(Completion { user_data: CONNECT, result: value, flags: 0 });
                    }
                    Some(_) if result.is_some() => break,
                    Some(_) => {}
                    // The cancelled request answers in its own time, but it does.
                    None if wanted.is_ok() && result.is_none() => wanted = self.enter(0, 1),
                    None => break,
                }
            }
        }
        match result.map_or(libc::ECANCELED, |completion| -completion.result) {
            0 => Attempt::Over(Ok(())),
            libc::ECANCELED | libc::EINPROGRESS | libc::EAGAIN | libc::EINTR => Attempt::Begun,
            libc::EALREADY => Attempt::Waiting,
            error => Attempt::Over(Err(Errno(error))),
        }
    }

    fn submit(&mut self, submission: Submission, wait_for: u32) -> Result<()> {
        let offsets = self.parameters.sq_off;
        let tail = self.submissions.counter(offsets.tail);
        let position = tail.load(Ordering::Relaxed);
        let index = position & (self.parameters.sq_entries - 1);
        // SAFETY: `index` is below the number of entries mapped, and the kernel does not look at it before
        // the tail has moved.
        unsafe { self.entries.cell::<Submission>(0, index).write(submission) };
        // SAFETY: as above, for the array of indices.
        unsafe { self.submissions.cell::<u32>(offsets.array, index).write(index) };
        tail.store(position.wrapping_add(1), Ordering::Release);
        self.enter(1, wait_for)
    }

    fn enter(&self, submit: u32, wait_for: u32) -> Result<()> {
        let flags = if wait_for > 0 { ENTER_GETEVENTS } else { 0 };
        let none = std::ptr::null::<libc::sigset_t>();
        loop {
            // SAFETY: without a signal set the last two arguments are not used; what the submission points to
            // lives in the caller.
            let result = check_long(unsafe {
                libc::syscall(libc::SYS_io_uring_enter, self.fd.as_raw_fd(), submit, wait_for, flags, none, 0)
            });
            match result {
                Err(Errno(libc::EINTR)) => {}
                result => return result.map(drop),
            }
        }
    }

    fn take(&mut self) -> Option<Completion> {
        let offsets = self.parameters.cq_off;
        let head = self.completions.counter(offsets.head);
        let position = head.load(Ordering::Relaxed);
        if position == self.completions.counter(offsets.tail).load(Ordering::Acquire) {
            return None;
        }
        let index = position & (self.parameters.cq_entries - 1);
        // SAFETY: `index` is below the number of completions mapped; the kernel has published this one and
        // leaves it alone until the head moves.
        let completion = unsafe { self.completions.cell::<Completion>(offsets.cqes, index).read() };
        head.store(position.wrapping_add(1), Ordering::Release);
        Some(completion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::socket;
    use std::net::{SocketAddr, TcpListener, TcpStream};

    fn name(address: SocketAddr) -> Name {
        let SocketAddr::V4(address) = address else { panic!("not IPv4") };
        let mut bytes = [0u8; 16];
        bytes[..2].copy_from_slice(&2u16.to_ne_bytes());
        bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
        bytes[4..8].copy_from_slice(&address.ip().octets());
        Name::new(&bytes)
    }

    fn tcp() -> OwnedFd {
        socket::new(libc::AF_INET, libc::SOCK_STREAM, 0).unwrap()
    }

    #[test]
    fn a_connection_is_made_refused_or_left_pending_and_the_ring_goes_on() {
        let mut ring = Ring::new().unwrap();
        let open = TcpListener::bind("127.0.0.1:0").unwrap();
        let closed = name(TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
        let full = tcp();
        socket::bind(&full, &name("127.0.0.1:0".parse().unwrap())).unwrap();
        socket::listen(&full, 0).unwrap();
        let full = socket::local_name(&full).map(|name| (full, name)).unwrap();
        let mut waiting: Vec<OwnedFd> = Vec::new();
        for _ in 0..40 {
            let socket = tcp();
            assert_eq!(ring.connect(&socket, &name(open.local_addr().unwrap())), Attempt::Over(Ok(())));
            assert_eq!(ring.connect(&tcp(), &closed), Attempt::Over(Err(Errno(libc::ECONNREFUSED))));
            assert_eq!(TcpStream::from(socket).peer_addr().unwrap(), open.local_addr().unwrap());
            let socket = tcp();
            if ring.connect(&socket, &full.1) == Attempt::Begun {
                assert_eq!(ring.connect(&socket, &full.1), Attempt::Waiting);
                waiting.push(socket);
            }
        }
        // The queue of a listener with backlog 0 holds one or two.
        assert!(waiting.len() >= 38, "{}", waiting.len());
    }
}
