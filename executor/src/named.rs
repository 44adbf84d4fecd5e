//! The paths of `allow_unix`, as they are compared with the names that daemons bound their sockets to. Read
//! once, before the command runs: what it does to directories later changes nothing here.

use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::sys::fd::may_write;
use crate::table::UnixRule;

/// One rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Named {
    /// The path as written, and as it resolved at the start.
    paths: Vec<PathBuf>,
    is_directory: bool,
}

impl Named {
    /// The rules on paths; abstract names are none of them.
    pub fn of<'a>(rules: impl Iterator<Item = UnixRule<'a>>) -> Vec<Self> {
        rules
            .filter_map(|rule| match rule {
                UnixRule::Path(path) => Some((path, false)),
                UnixRule::Directory(path) => Some((path, true)),
                UnixRule::Abstract(_) => None,
            })
            .map(|(path, is_directory)| {
                let written = PathBuf::from(OsStr::from_bytes(path));
                let mut paths = vec![resolved(&written), run(&written), written];
                paths.sort();
                paths.dedup();
                Self { paths, is_directory }
            })
            .collect()
    }

    /// Whether a socket bound to that name is meant.
    pub fn covers(&self, name: &[u8]) -> bool {
        let name = Path::new(OsStr::from_bytes(name));
        // `..` would lead elsewhere; `.` and doubled slashes are no difference to Path.
        let is_plain = name.is_absolute() && !name.components().any(|part| part == Component::ParentDir);
        is_plain
            && self.paths.iter().any(|path| {
                if self.is_directory { name != path && name.starts_with(path) } else { name == path }
            })
    }
}

/// The path with symbolic links followed; the last part need not be there yet. None of the links that lie
/// where the command may write: by one it made in an earlier run it would say what a rule means in this one.
fn resolved(path: &Path) -> PathBuf {
    let mut left = MOST_LINKS;
    followed(path, &mut left, may_write).unwrap_or_else(|| path.to_owned())
}

/// As the kernel has it (path_resolution(7)).
const MOST_LINKS: usize = 40;

fn followed(path: &Path, left: &mut usize, may_write: fn(&CStr) -> bool) -> Option<PathBuf> {
    let mut at = PathBuf::new();
    for part in path.components() {
        let directory = at.clone();
        match part {
            Component::ParentDir => drop(at.pop()),
            part => at.push(part),
        }
        let Ok(target) = at.read_link() else { continue };
        *left = left.checked_sub(1)?;
        if may_write(&CString::new(directory.as_os_str().as_bytes()).ok()?) {
            return None;
        }
        at = followed(&directory.join(target), left, may_write)?;
    }
    Some(at)
}

/// `/run/…` as `/var/run/…` and the other way round, where that is the same: many daemons still bind to the old name.
fn run(path: &Path) -> PathBuf {
    let is_same = || Path::new("/var/run").canonicalize().is_ok_and(|old| old == Path::new("/run"));
    for [one, other] in [["/run", "/var/run"], ["/var/run", "/run"]] {
        if let Ok(rest) = path.strip_prefix(one)
            && is_same()
        {
            return Path::new(other).join(rest);
        }
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_covers_its_own_name_and_a_directory_what_is_below() {
        let rules = [
            UnixRule::Path(b"/nowhere/a.sock"),
            UnixRule::Directory(b"/nowhere/d"),
            UnixRule::Abstract(b"x"),
        ];
        let named = Named::of(rules.into_iter());
        let covers = |name: &str| named.iter().any(|rule| rule.covers(name.as_bytes()));
        assert!(covers("/nowhere/a.sock") && covers("/nowhere//a.sock") && covers("/nowhere/d/x/y"));
        for name in ["/nowhere/d", "/nowhere/dx", "/nowhere/a.sock2", "a.sock", "/nowhere/d/../a", "", "x"] {
            assert!(!covers(name), "{name}");
        }
    }

    #[test]
    fn links_are_followed_where_the_command_may_not_write() {
        let folder = std::env::temp_dir().join(format!("sandlock-named-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let folder = folder.canonicalize().unwrap();
        let link = |name: &str, target: &str| {
            std::os::unix::fs::symlink(target, folder.join(name)).unwrap();
            folder.join(name)
        };
        let (first, last) = (link("first", "./last"), link("last", "/nowhere"));
        let circle = link("circle", "circle");
        let under = |path: &Path, may_write| followed(path, &mut MOST_LINKS.clone(), may_write);
        for (path, target) in [(&first, "/nowhere"), (&last.join("bus"), "/nowhere/bus")] {
            assert_eq!(under(path, |_| false), Some(PathBuf::from(target)));
            assert_eq!(under(path, |_| true), None);
            // The folder is our own.
            assert_eq!(resolved(path), *path);
        }
        assert_eq!(under(&circle, |_| false), None);
        assert_eq!(under(&folder.join("x.sock"), |_| true), Some(folder.join("x.sock")));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_old_name_of_run_is_the_new_one() {
        let named = Named::of([UnixRule::Path(b"/run/postgresql/x")].into_iter());
        let is_same = Path::new("/var/run").canonicalize().is_ok_and(|old| old == Path::new("/run"));
        assert_eq!(named[0].covers(b"/var/run/postgresql/x"), is_same);
        let named = Named::of([UnixRule::Path(b"/var/run/postgresql/x")].into_iter());
        assert_eq!(named[0].covers(b"/run/postgresql/x"), is_same);
    }
}
