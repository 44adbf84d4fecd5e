//! The paths of `allow_unix`, as they are compared with the names that daemons bound their sockets to. Read once, before the command runs: what it does to
//! directories later changes nothing here.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

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
        let is_plain =
            name.is_absolute() && !name.components().any(|part| part == std::path::Component::ParentDir);
        is_plain
            && self.paths.iter().any(|path| {
                if self.is_directory { name != path && name.starts_with(path) } else { name == path }
            })
    }
}

/// The path with symbolic links followed; where the socket is not there yet, those of its directory.
fn resolved(path: &Path) -> PathBuf {
    let parent = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(parent).unwrap_or_else(|| path.to_owned())
}

/// `/run/…` as `/var/run/…`, where that is the same: many daemons still bind to the old name.
fn run(path: &Path) -> PathBuf {
    let is_same = || Path::new("/var/run").canonicalize().is_ok_and(|old| old == Path::new("/run"));
    match path.strip_prefix("/run") {
        Ok(rest) if is_same() => Path::new("/var/run").join(rest),
        _ => path.to_owned(),
    }
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
    fn the_old_name_of_run_is_the_new_one() {
        let named = Named::of([UnixRule::Path(b"/run/postgresql/x")].into_iter());
        let is_same = Path::new("/var/run").canonicalize().is_ok_and(|old| old == Path::new("/run"));
        assert_eq!(named[0].covers(b"/var/run/postgresql/x"), is_same);
    }
}
