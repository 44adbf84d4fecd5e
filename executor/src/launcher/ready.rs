//! Which command lines of `sandlock exec` can be run as they are: those that the launcher itself takes, of a
//! compiled table. Whatever else there may be is Node's to do, or to refuse in its words: a policy in TOML,
//! rules by option, names to be asked for.

use std::ffi::CString;
use std::fs::File;
use std::io::Read as _;

use super::arguments::{Arguments, Parsed};
use super::{MAGIC, failures};
use crate::table::names_are_to_be_seen_to;

/// The table of such a command line. `None`: it is none, or its table can not be read. Of what is no regular
/// file nothing is read: it could not be read again.
pub fn table_of(words: Vec<CString>) -> Option<Vec<u8>> {
    let Ok(Parsed::Run(Arguments { table, .. })) = Arguments::parse(words) else { return None };
    let path = failures::path(&table);
    let is_file = std::fs::metadata(path).is_ok_and(|file| file.is_file());
    let mut file = is_file.then(|| File::open(path).ok()).flatten()?;
    let mut bytes = vec![0; MAGIC.len()];
    file.read_exact(&mut bytes).ok().filter(|()| bytes == MAGIC)?;
    file.read_to_end(&mut bytes).ok()?;
    (!names_are_to_be_seen_to(&bytes)).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_ready(words: &[&str]) -> bool {
        table_of(words.iter().map(|word| CString::new(*word).unwrap()).collect()).is_some()
    }

    #[test]
    fn what_the_launcher_takes_is_ready() {
        let table = concat!(env!("CARGO_MANIFEST_DIR"), "/../test/vectors/kernel.bin");
        assert!(is_ready(&[table, "--", "ls"]));
        assert!(is_ready(&["-q", table, "--linger", "5", "--", "ls", "--allow"]));
    }

    #[test]
    fn what_is_to_be_compiled_refused_or_refreshed_is_not() {
        let table = concat!(env!("CARGO_MANIFEST_DIR"), "/../test/vectors/kernel.bin");
        let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let lines: [&[&str]; 8] = [
            &[policy, "--", "ls"],
            &["/dev/null", "--", "ls"],
            &["/nonexistent", "--", "ls"],
            &[table, "--allow", "10.0.0.1:1", "--", "ls"],
            &[table, "--refresh", "--", "ls"],
            &[table, "--help", "--", "ls"],
            &[table, "ls"],
            &[],
        ];
        for words in lines {
            assert!(!is_ready(words), "{words:?}");
        }
    }
}
