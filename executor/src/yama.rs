//! Whether Yama lets us look into the command (Documentation/admin-guide/LSM/Yama.rst). With `ptrace_scope` 1
//! a parent may; with 2 it takes `CAP_SYS_PTRACE`, which the supervisor has given up, and with 3 nobody may:
//! every trapped call would fail. A try on ourselves does not show it, since nobody is asked about a process
//! itself, and a try on a child costs each start as much as the filter does. So the setting is read. Refuses
//! to know what follows from it.

use std::fs;

/// Where Yama is, this is.
pub const SCOPE: &str = "/proc/sys/kernel/yama/ptrace_scope";

/// The first scope in which a parent may not trace.
const ADMIN_ONLY: u32 = 2;

/// Whether the setting in that file keeps a parent from its children. No file: there is no Yama, or nothing
/// that can be read, and the calls themselves will tell.
pub fn keeps_out(file: &str) -> bool {
    scope(file).is_some_and(|scope| scope >= ADMIN_ONLY)
}

fn scope(file: &str) -> Option<u32> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_scope_two_on_a_parent_is_kept_out() {
        let file = std::env::temp_dir().join(format!("sandlock-yama-{}", std::process::id()));
        let path = file.to_str().unwrap();
        assert!(!keeps_out(path));
        for (text, out) in [("0", false), ("1", false), ("2", true), ("3", true), ("", false)] {
            fs::write(&file, format!("{text}\n")).unwrap();
            assert_eq!(keeps_out(path), out, "{text:?}");
        }
        fs::remove_file(&file).unwrap();
    }
}
