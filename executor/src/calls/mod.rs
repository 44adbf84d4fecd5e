//! The calls made on behalf, one family a file. Each follows the five steps of `receiver/` and answers as
//! Linux would.

pub mod alone;
pub mod bind;
pub mod connect;
mod destination;
pub mod link;
pub mod make;
pub mod message;
mod outgoing;
pub mod probe;
pub mod receive;
pub mod schedule;
pub mod signal;
mod unix;
