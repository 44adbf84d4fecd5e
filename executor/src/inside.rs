//! Which socket files were bound inside this sandbox: only those may be connected to by path, and those
//! outside that rules name. Knows files, not paths: a path can be made to name something else a moment later.

use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::time::{Duration, SystemTime};

use crate::socket_diag::unix::{self, ToldFile};
use crate::sys::fd::{self, FileIdentity};
use crate::sys::{Errno, Result, socket};

/// Most socket files remembered.
const MOST: usize = 4096;
/// Sockets remembered before the closed ones are looked for, at first (as in `bound.rs`).
const FIRST: usize = 1024;
/// How far the clock of a file server may be behind ours.
const BEHIND: Duration = Duration::from_secs(2);

/// The socket files. Each is held open, so that its inode number can not become another file's.
#[derive(Debug)]
pub struct Inside {
    files: HashMap<(u64, u64), OwnedFd>,
    most: usize,
    /// Every socket that was bound to a path, by `SO_COOKIE`, whatever became of its file.
    sockets: HashSet<u64>,
    room: usize,
}

impl Inside {
    /// Remembers at most an eighth of `descriptors`, since each file takes one, or `MOST`; those whose last
    /// name is gone are forgotten first.
    pub fn new(descriptors: u64) -> Self {
        let most = usize::try_from(descriptors / 8).unwrap_or(MOST).min(MOST);
        Self { files: HashMap::new(), most, sockets: HashSet::new(), room: FIRST }
    }

    /// Remembers the file that the socket was bound to just now, not before `begun`, if `file` (opened by its
    /// path) really is that file. The kernel tells which file a socket is bound to, but of its number 32
    /// bits only: who makes 2³² files has one that is told like another's, and could put that in its place.
    /// So the file must have been born in this bind; where files have no birth, no other socket may be
    /// told with the same. A file that is not remembered can not be connected to.
    pub fn remember(&mut self, bound: &OwnedFd, file: OwnedFd, begun: SystemTime) -> Result<()> {
        let opened = fd::identity(&file)?;
        let told = unix::file_of(bound)?;
        if !told.is(&file)? || !is_new(told, fd::birth(&file), begun)? {
            return Err(Errno(libc::ESTALE));
        }
        if self.files.len() >= self.most {
            self.files.retain(|_, file| fd::has_name(file).unwrap_or(false));
        }
        if self.files.len() >= self.most {
            return Err(Errno(libc::ENOSPC));
        }
        self.files.insert((opened.device, opened.inode), file);
        Ok(())
    }

    /// Remembers that this socket is the sandbox's own: what it is bound to is no name of somebody outside.
    pub fn note(&mut self, bound: &OwnedFd) -> Result<()> {
        if self.sockets.len() >= self.room {
            let mut open = HashSet::new();
            let asked = unix::each(|message| {
                open.insert(message.cookie);
            });
            // Where it can not be asked, all stay.
            if asked.is_ok() {
                self.sockets.retain(|cookie| open.contains(cookie));
            }
            self.room = FIRST.max(2 * self.sockets.len());
        }
        self.sockets.insert(socket::cookie(bound)?);
        Ok(())
    }

    /// Whether that file was bound inside.
    pub fn has(&self, file: &FileIdentity) -> bool {
        self.files.contains_key(&(file.device, file.inode))
    }

    /// The names of the sockets outside that are bound to that file, as their owners wrote them; whoever moves
    /// or links the file does not change them.
    pub fn names_outside(&self, file: &OwnedFd) -> Result<Vec<Vec<u8>>> {
        let mut sockets = sockets_at(ToldFile::of(file)?)?;
        sockets.retain(|(cookie, _)| !self.sockets.contains(cookie));
        Ok(sockets.into_iter().map(|(_, name)| name).collect())
    }
}

/// Whether no file but one that was made since `begun` is told so: by its birth, or else because no other
/// socket is bound to such a one.
fn is_new(told: ToldFile, birth: Option<SystemTime>, begun: SystemTime) -> Result<bool> {
    match birth {
        Some(birth) => Ok(begun.checked_sub(BEHIND).is_some_and(|earliest| birth >= earliest)),
        None => Ok(sockets_at(told)?.len() == 1),
    }
}

/// The sockets that are told to be bound to that file, by `SO_COOKIE`, and their names.
fn sockets_at(file: ToldFile) -> Result<Vec<(u64, Vec<u8>)>> {
    let mut sockets = Vec::new();
    unix::each(|message| {
        if message.file == Some(file)
            && let Some(name) = message.name
        {
            let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
            sockets.push((message.cookie, name.to_vec()));
        }
    })?;
    Ok(sockets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::os::unix::net::{UnixListener, UnixStream};

    fn open(path: &std::path::Path) -> OwnedFd {
        fd::open_path(&CString::new(path.to_str().unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn only_the_file_that_a_socket_is_bound_to_is_remembered_for_it() {
        let folder = std::env::temp_dir().join(format!("sandlock-inside-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (ours, other) = (folder.join("ours"), folder.join("other"));
        let begun = SystemTime::now();
        let first = OwnedFd::from(UnixListener::bind(&ours).unwrap());
        let second = OwnedFd::from(UnixListener::bind(&other).unwrap());
        let mut inside = Inside::new(16);
        assert_eq!(inside.remember(&first, open(&other), begun), Err(Errno(libc::ESTALE)));
        assert!(!inside.has(&fd::identity(&open(&other)).unwrap()));
        assert_eq!(inside.remember(&first, open(&ours), begun), Ok(()));
        assert!(inside.has(&fd::identity(&open(&ours)).unwrap()));
        let linked = folder.join("linked");
        std::fs::hard_link(&other, &linked).unwrap();
        let names = |inside: &Inside| inside.names_outside(&open(&linked)).unwrap();
        assert_eq!(names(&inside), [other.to_str().unwrap().as_bytes()]);
        inside.note(&second).unwrap();
        assert!(names(&inside).is_empty());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_that_was_there_before_the_bind_is_not_remembered_whatever_its_number() {
        let path = std::env::temp_dir().join(format!("sandlock-inside-old-{}", std::process::id()));
        let socket = OwnedFd::from(UnixListener::bind(&path).unwrap());
        let mut inside = Inside::new(16);
        let later = SystemTime::now() + BEHIND + Duration::from_millis(100);
        assert_eq!(inside.remember(&socket, open(&path), later), Err(Errno(libc::ESTALE)));
        assert_eq!(inside.remember(&socket, open(&path), SystemTime::now() - BEHIND), Ok(()));
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn where_files_have_no_birth_a_second_socket_that_is_told_with_the_file_makes_it_nobodys() {
        let path = std::env::temp_dir().join(format!("sandlock-inside-birth-{}", std::process::id()));
        let begun = SystemTime::now();
        let listener = UnixListener::bind(&path).unwrap();
        let told = ToldFile::of(&open(&path)).unwrap();
        let is_new = |birth| is_new(told, birth, begun);
        assert_eq!((is_new(None), is_new(Some(begun))), (Ok(true), Ok(true)));
        // What is accepted is told with the listener's file, as a socket would be at a file of the same number.
        let _one = UnixStream::connect(&path).unwrap();
        let accepted = listener.accept().unwrap();
        assert_eq!((is_new(None), is_new(Some(begun))), (Ok(false), Ok(true)));
        drop(accepted);
        assert_eq!(is_new(None), Ok(true));
        drop(listener);
        assert_eq!(is_new(None), Ok(false));
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn sockets_that_are_closed_make_room_and_open_ones_stay() {
        let mut inside = Inside::new(16);
        let new = || socket::new(libc::AF_UNIX, libc::SOCK_STREAM, 0).unwrap();
        let open = new();
        inside.note(&open).unwrap();
        for _ in 0..2 * FIRST {
            inside.note(&new()).unwrap();
        }
        assert!(inside.sockets.contains(&socket::cookie(&open).unwrap()));
        assert!(inside.sockets.len() <= FIRST, "{}", inside.sockets.len());
    }

    #[test]
    fn a_file_without_a_name_makes_room_and_one_with_a_name_does_not() {
        let folder = std::env::temp_dir().join(format!("sandlock-inside-room-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut inside = Inside::new(16); // room for two
        let mut remember = |name: &str| {
            let path = folder.join(name);
            let begun = SystemTime::now();
            let socket = OwnedFd::from(UnixListener::bind(&path).unwrap());
            inside.remember(&socket, open(&path), begun)
        };
        assert_eq!((remember("a"), remember("b")), (Ok(()), Ok(())));
        assert_eq!(remember("c"), Err(Errno(libc::ENOSPC)));
        std::fs::remove_file(folder.join("a")).unwrap();
        assert_eq!((remember("d"), remember("e")), (Ok(()), Err(Errno(libc::ENOSPC))));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
