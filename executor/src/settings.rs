//! The kernel's own files: settings, control groups, debugging. Root may write them as their owner, without
//! any capability, and some of them make the kernel run programs outside (`core_pattern`) or hold the
//! supervisor up (freezer). So a command that runs as root sees them read-only.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::Read as _;

use crate::sys::mounts::Mount as Mounted;
use crate::sys::{Result, fd, mounts, process};

/// File systems that are the kernel's own, as they are called, and their numbers (linux/magic.h; that of
/// rpc_pipefs is in net/sunrpc/rpc_pipe.c). What is mounted below one (`binfmt_misc` by a trigger of autofs,
/// `nfsd`, `fusectl`, `selinuxfs`) counts as well.
const KINDS: [(&str, u64); 13] = [
    ("proc", 0x9fa0),
    ("sysfs", 0x6265_6572),
    ("cgroup", 0x27_e0eb),
    ("cgroup2", 0x6367_7270),
    ("debugfs", 0x6462_6720),
    ("tracefs", 0x7472_6163),
    ("securityfs", 0x7363_6673),
    ("configfs", 0x6265_6570),
    ("bpf", 0xcafe_4a11),
    ("pstore", 0x6165_676c),
    ("efivarfs", 0xde5e_81e4),
    ("binfmt_misc", 0x4249_4e4d),
    ("rpc_pipefs", 0x6759_6969),
];

/// The file by which it is checked afterwards: whoever may write it can run programs as root outside.
const PROOF: &CStr = c"/proc/sys/kernel/core_pattern";

/// A mount that a command of root must not write to.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    path: CString,
    flags: libc::c_ulong,
    /// Another one is above it.
    is_below: bool,
}

fn mounted() -> std::io::Result<String> {
    // The kernel makes the text anew for each part that is read, so it is asked for all of it.
    let mut text = String::with_capacity(16 * 1024);
    File::open("/proc/self/mountinfo")?.read_to_string(&mut text).map(|_| text)
}

/// Lines of `/proc/self/mountinfo` (proc_pid_mountinfo(5)):
/// `id parent device root path options … - kind source options`. What lies below something comes after it.
fn parse(text: &str) -> Vec<Mount> {
    let mut mounts = Vec::new();
    let mut tops: Vec<&str> = Vec::new();
    for line in text.lines() {
        let mut fields = line.split(' ').skip(4);
        let (Some(path), Some(options)) = (fields.next(), fields.next()) else { continue };
        let Some(kind) = fields.skip_while(|field| *field != "-").nth(1) else { continue };
        // As they are written there: that of one below begins with that of the one above all the same.
        let is_within = |top: &&str| path.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'));
        let is_below = tops.iter().any(is_within);
        if (is_below || KINDS.iter().any(|(name, _)| *name == kind))
            && let Ok(unescaped) = CString::new(unescape(path))
        {
            mounts.push(Mount { path: unescaped, flags: flags(options), is_below });
            if !is_below {
                tops.push(path);
            }
        }
    }
    mounts
}

/// Space, tab, newline and backslash are written as octal there.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let octal = tail.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if *first == b'\\' => {
                bytes.push(byte);
                rest = tail.get(3..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

fn flags(options: &str) -> libc::c_ulong {
    options.split(',').fold(0, |flags, option| {
        flags
            | match option {
                "nosuid" => libc::MS_NOSUID,
                "nodev" => libc::MS_NODEV,
                "noexec" => libc::MS_NOEXEC,
                "noatime" => libc::MS_NOATIME,
                "nodiratime" => libc::MS_NODIRATIME,
                "relatime" => libc::MS_RELATIME,
                _ => 0,
            }
    })
}

/// The paths of those that are not below another one, asked of the kernel one by one.
fn tops() -> Result<Vec<CString>> {
    let mut parents = Vec::with_capacity(64);
    let mut ours = Vec::with_capacity(16);
    mounts::each(|mount, kind| {
        parents.push((mount.id, mount.parent));
        if KINDS.iter().any(|(_, number)| *number == kind) {
            ours.push(mount);
        }
    })?;
    let is_below = |mount: &Mounted| {
        let mut at = mount.parent;
        // The root is its own parent, or one that is not listed.
        while let Some((id, parent)) = parents.iter().find(|(id, _)| *id == at) {
            if ours.iter().any(|top| top.id == *id) {
                return true;
            }
            if parent == id {
                break;
            }
            at = *parent;
        }
        false
    };
    ours.iter().filter(|mount| !is_below(mount)).map(|mount| mounts::path(*mount)).collect()
}

/// Seals them, as root, for this process and what it creates. Without `CAP_SYS_ADMIN` nothing happens:
/// `are_sealed` tells whether that is enough. Whether this process may mount now and nobody outside sees it.
pub fn seal() -> bool {
    if process::effective_user() != 0 {
        return false;
    }
    let Ok(is_alone) = mounts::own_namespace() else { return false };
    let is_sealed = |path: &CString| mounts::seal(path).is_ok();
    // The text takes the kernel three times as long, and is what older ones have.
    if tops().is_ok_and(|tops| tops.iter().all(is_sealed)) {
        return is_alone;
    }
    let all = parse(&mounted().unwrap_or_default());
    let mut tops = all.iter().filter(|mount| !mount.is_below);
    if !tops.all(|mount| is_sealed(&mount.path)) {
        // One by one: the kernel has no such call, or a path is hidden below another mount (EINVAL), so out
        // of reach.
        for Mount { path, flags, .. } in &all {
            let _ = mounts::make_read_only(path, *flags);
            // What the host mounts there later could be written to.
            let _ = mounts::make_private(path);
        }
    }
    is_alone
}

/// Whether this process, and so what it creates, is kept from them: by the seal, or as any user but root is.
/// To be asked without capabilities.
pub fn are_sealed() -> bool {
    !fd::may_write(PROOF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_ask_for_mounts_tell_the_same() {
        let text = mounted().unwrap();
        let of_text = parse(&text).into_iter().filter(|mount| !mount.is_below);
        let mut of_text: Vec<_> = of_text.map(|mount| mount.path).collect();
        // ENOSYS: before Linux 6.8; EPERM: a container's filter.
        match tops() {
            Err(error) => assert!(matches!(error.0, libc::ENOSYS | libc::EPERM), "{error:?}"),
            Ok(mut tops) => {
                tops.sort();
                of_text.sort();
                assert_eq!(tops, of_text);
                assert!(tops.contains(&c"/proc".to_owned()));
            }
        }
    }

    #[test]
    fn mounts_of_the_kernel_are_found_with_their_flags() {
        let text = "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
            22 21 0:20 / /proc rw,nosuid,nodev,noexec,relatime shared:5 - proc proc rw\n\
            23 21 0:21 / /mnt/a\\040b\\134 ro - cgroup2 cgroup rw\n\
            24 21 0:22 / /dev rw,nosuid - devtmpfs udev rw\n\
            25 22 0:23 / /proc/sys/fs/binfmt_misc rw,relatime shared:6 - autofs systemd-1 rw,fd=29\n\
            26 21 0:24 / /process rw - tmpfs none rw\n";
        let all = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC | libc::MS_RELATIME;
        let mount = |path: &CStr, flags, is_below| Mount { path: path.to_owned(), flags, is_below };
        let trigger = mount(c"/proc/sys/fs/binfmt_misc", libc::MS_RELATIME, true);
        assert_eq!(parse(text), [mount(c"/proc", all, false), mount(c"/mnt/a b\\", 0, false), trigger]);
        assert_eq!(parse("nonsense\n"), []);
    }
}
