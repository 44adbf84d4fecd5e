//! The names of the policy inside the sandbox. Whatever server the command sends a DNS question to, over UDP
//! or TCP, the question comes here (`redirect.rs`) and a thread of the supervisor answers it (`server.rs`,
//! `known.rs`) from what the policy says of names (`listed.rs`): from the table, or by asking the host's own
//! servers (`upstream.rs`); addresses learnt so are open (`live.rs`) before the answer is given. Every other
//! name does not exist, and no question for it leaves the machine.
//!
//! A name is text of which the command chose every letter: it is compared, bounded and told, and believed in nothing.

pub mod answer;
mod askers;
pub mod hosts;
pub mod inside;
mod known;
mod limit;
pub mod listed;
pub mod live;
mod published;
pub mod question;
pub mod redirect;
pub mod server;
mod streams;
pub mod telling;
pub mod upstream;
pub mod wire;
