//! sandlock's native half. Two files are made of it: the library that Node loads (`abi.rs`), and a program
//! with three faces, told apart by the name it is executed under: the launcher that needs no Node
//! (`launcher/`), the supervisor process that both start (`front.rs`; `supervisor.rs`, `warden.rs` and what
//! they use), and the probe. Knows policy.bin, the kernel and DNS; nothing of TOML or JavaScript.
//!
//! ```text
//! abi, launcher → front ┈┈executes┈┈▸ supervisor → spawn (the command: filter, domain)
//!                                          └─▸ warden → receiver → calls → sockaddr · cmsg · task · inside · pending · handshakes
//!                                                             ├─▸ table (look-up)
//!                                                             └─▸ names (the resolver, live addresses)
//! ```
//!
//! The probe (`probe.rs`) is executed when the host asks what this kernel offers. Everything that touches the
//! kernel is in `sys/`, the only place with unsafe code; `abi.rs` alone also exports symbols.

#![deny(unsafe_code)]

use std::ffi::{CString, c_char};

#[expect(unsafe_code, reason = "exported symbols need an unsafe attribute; no unsafe operation is in it")]
mod abi;
mod abstract_names;
mod becoming;
mod bound;
mod bpf;
mod caller;
mod calls;
mod cmsg;
mod counts;
mod event;
mod events;
mod filter;
mod freezer;
mod front;
mod frozen;
mod handshakes;
#[cfg(test)]
mod hot_path;
mod inside;
mod kinds;
mod launcher;
mod locks;
mod msghdr;
mod named;
mod names;
mod open_sockets;
mod outside;
mod pending;
mod probe;
mod receiver;
mod reception;
mod records;
mod request;
mod settings;
mod sockaddr;
mod socket_diag;
mod spawn;
mod supervisor;
#[expect(unsafe_code, reason = "the kernel's interfaces; every block says why it is sound")]
mod sys;
mod table;
mod task;
mod tree;
mod under_way;
mod vault;
mod walls;
mod warden;
mod watch;
mod yama;

/// The program, by the name it was executed under. Whatever is not one of our own three is what a user calls
/// the launcher. Both rows are those of C's `main`.
pub fn program(arguments: *const *const c_char, environment: *const *const c_char) -> ! {
    let start = sys::entry::start(arguments, environment);
    let name = start.arguments.first().map(CString::as_c_str);
    match name {
        Some(name) if name == supervisor::NAME => supervisor::main(supervisor::Origin::Executed),
        Some(name) if name == probe::NAME => probe::main(),
        Some(name) if name == becoming::NAME => launcher::main(start, launcher::Source::Given),
        _ => launcher::main(start, launcher::Source::Named),
    }
}

/// What parses hostile bytes, for the harnesses of fuzz/, the measurements of examples/ and nobody else. No
/// interface: it changes with them.
#[cfg(feature = "fuzz")]
pub mod fuzz {
    pub use crate::cmsg::{Control, translate};
    pub use crate::filter::program as filter_program;
    /// DNS messages.
    pub mod dns {
        pub use crate::names::wire::{Rcode, Rtype};
        pub use crate::names::{answer, question};
    }
    pub use crate::msghdr::{HEADER_BYTES, Header, MOST_TOTAL, parts_of, places};
    pub use crate::request::Request;
    pub use crate::sockaddr::{Form, Inet, Kind, Target, connect_target, from_kernel, send_target};
    pub use crate::sys::landlock::Abi;
    pub use crate::sys::memory::Remote;
    pub use crate::sys::socket::Name;
    pub use crate::sys::{Errno, Result};
    pub use crate::table::{Defect, Mode, Protocol, Table, Verdict, table_checksum};
    pub use crate::task::Status;
    pub use crate::walls::Walls;
}
