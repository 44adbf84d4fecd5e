//! Which sockets the tasks of the sandbox have open, as `/proc` shows them: by the links of their
//! descriptors, `socket:[INODE]`. What it tells was so a moment ago. Knows numbers, not what the sockets are.

use std::collections::{HashMap, HashSet};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;

use crate::sys::{Errno, Result, fd, process};

/// A place where a socket is open: a task and a number there.
pub type Place = (u32, i32);

/// The inode of the socket behind a descriptor; none: it is no socket.
pub fn inode_of(tid: u32, number: i32) -> Result<Option<u64>> {
    let mut path = [0u8; 48];
    write!(path.as_mut_slice(), "/proc/{tid}/fd/{number}\0").map_err(|_| Errno(libc::EBADF))?;
    let mut target = [0u8; 32];
    match fd::read_link(&path, &mut target) {
        Ok(length) => match inode_in(target.get(..length).unwrap_or_default()) {
            // It can neither be read nor written, as its link tells: an O_PATH descriptor, which is none for
            // a call on sockets.
            None if fd::link_mode(&path)? & 0o700 == 0 => Err(Errno(libc::EBADF)),
            inode => Ok(inode),
        },
        Err(Errno(libc::EACCES)) => Err(Errno(libc::EPERM)),
        Err(Errno(libc::ENOENT | libc::ESRCH)) => Err(Errno(libc::EBADF)),
        Err(error) => Err(error),
    }
}

/// `socket:[INODE]`. Paths begin with a slash.
fn inode_in(link: &[u8]) -> Option<u64> {
    let number = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// Tells each inode and place where a task of the sandbox has a socket open, until `found` says that it is
/// enough: first by the tables of processes, then by those of threads that have their own, or may have.
pub fn each(mut found: impl FnMut(u64, Place) -> bool) -> Result<()> {
    let processes = descendants()?;
    if processes.iter().any(|process| each_of(&format!("/proc/{process}/fd"), *process, &mut found)) {
        return Ok(());
    }
    for process in &processes {
        let Ok(threads) = numbers::<u32>(&format!("/proc/{process}/task")) else { continue };
        for thread in threads.filter(|thread| process::share_files(*process, *thread) != Ok(true)) {
            if each_of(&format!("/proc/{process}/task/{thread}/fd"), thread, &mut found) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The inodes of all that are open.
pub fn all() -> Result<HashSet<u64>> {
    let mut open = HashSet::new();
    each(|inode, _| {
        open.insert(inode);
        false
    })?;
    Ok(open)
}

/// Where a socket is open; none: nowhere any more.
pub fn place_of(inode: u64) -> Option<Place> {
    let mut place = None;
    let search = each(|other, at| {
        if other == inode {
            place = Some(at);
        }
        place.is_some()
    });
    search.ok().and(place)
}

fn each_of(folder: &str, task: u32, found: &mut impl FnMut(u64, Place) -> bool) -> bool {
    // What may not be looked at is not ours, or can not use what it has.
    numbers::<i32>(folder).into_iter().flatten().any(|number| {
        let link = std::fs::read_link(format!("{folder}/{number}"));
        let inode = link.ok().and_then(|link| inode_in(link.as_os_str().as_bytes()));
        inode.is_some_and(|inode| found(inode, (task, number)))
    })
}

/// The processes of the sandbox: all of those descend from this one, which is their subreaper. One whose
/// parent has ended just now is taken for one.
fn descendants() -> Result<Vec<u32>> {
    let own = process::own_pid().cast_unsigned();
    let parents: HashMap<u32, u32> =
        numbers("/proc")?.filter_map(|process| Some((process, parent_of(process)?))).collect();
    let is_inside = |process: u32| {
        let mut ancestor = process;
        for _ in 0..parents.len() {
            match parents.get(&ancestor) {
                Some(parent) if *parent == own => return true,
                Some(0) => return false,
                Some(parent) => ancestor = *parent,
                None => return true,
            }
        }
        false
    };
    Ok(parents.keys().copied().filter(|process| *process != own && is_inside(*process)).collect())
}

/// The fourth field of `/proc/PID/stat`, the second behind the name, which may hold anything.
fn parent_of(process: u32) -> Option<u32> {
    let text = std::fs::read(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = text.split_at_checked(text.iter().rposition(|byte| *byte == b')')?)?;
    std::str::from_utf8(fields).ok()?.split_ascii_whitespace().nth(2)?.parse().ok()
}

/// The entries of a folder of `/proc` that are numbers.
fn numbers<N: std::str::FromStr>(folder: &str) -> Result<impl Iterator<Item = N> + use<N>> {
    let entries = std::fs::read_dir(folder).map_err(Errno::from)?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::child;

    #[test]
    fn links_and_parents_are_read() {
        assert_eq!(inode_in(b"/tmp/socket:[7]"), None);
        assert_eq!(inode_in(b"socket:[7]"), Some(7));
        assert_eq!(parent_of(process::own_pid().cast_unsigned()), Some(process::parent().cast_unsigned()));
    }

    #[test]
    fn a_socket_is_found_where_a_task_has_it_and_nowhere_else() {
        let socket = crate::sys::socket::new(libc::AF_UNIX, libc::SOCK_STREAM, 0).unwrap();
        let inode = fd::identity(&socket).unwrap().inode;
        let number = std::os::fd::AsRawFd::as_raw_fd(&socket);
        let other = child::fork(|| {
            process::pause();
            0
        })
        .unwrap();
        // Other tests fork as well, so the place is not always this one's.
        let (_, at) = place_of(inode).unwrap();
        assert_eq!(at, number);
        process::kill(other, libc::SIGKILL).unwrap();
        process::wait_for(other).unwrap();
    }
}
