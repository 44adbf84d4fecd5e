//! What DNS messages of both directions have in common: the questions of the command (`question.rs`), and
//! those we ask upstream (`answer.rs`). Pure. The wire format is `domain`'s; here is what we ask of it.
//! Hostile bytes come from both sides: records are taken one by one, never by a count that a message claims,
//! and only those of the type asked for have to be good.

use std::net::IpAddr;

use domain::base::MessageBuilder;
pub use domain::base::iana::{Rcode, Rtype};
use domain::base::message_builder::{AdditionalBuilder, StaticCompressor};
use domain::base::name::ToLabelIter;

/// An OPT record without options (RFC 6891 §6.1.2).
pub(super) const OPT_BYTES: usize = 11;
/// Largest UDP answer without EDNS (RFC 1035 §2.3.4), and the largest we give with it: fits every path (RFC 9715 §3).
pub(super) const PLAIN_BYTES: u16 = 512;
pub(super) const EDNS_BYTES: u16 = 1232;

/// A host name: lower case, labels of letters, digits, `-` and `_` joined by dots, without final dot.
pub type HostName = Box<str>;

/// The name as text, if all of its labels are such as host names have (and `_service` labels).
pub(super) fn host_name(name: &impl ToLabelIter) -> Option<HostName> {
    let mut text = String::with_capacity(name.compose_len().into());
    for label in name.iter_labels().filter(|label| !label.is_root()) {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !label.iter().all(is_plain) {
            return None;
        }
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(&std::str::from_utf8(label.as_slice()).ok()?.to_ascii_lowercase());
    }
    (!text.is_empty()).then(|| text.into_boxed_str())
}

/// The type of records that hold such an address.
pub fn kind_of(address: IpAddr) -> Rtype {
    if address.is_ipv4() { Rtype::A } else { Rtype::AAAA }
}

/// A message to be written.
pub(super) fn builder() -> MessageBuilder<StaticCompressor<Vec<u8>>> {
    let target = StaticCompressor::new(Vec::with_capacity(PLAIN_BYTES.into()));
    let Ok(builder) = MessageBuilder::from_target(target);
    builder
}

/// The message, with an OPT record that tells our size.
pub(super) fn finished(mut builder: AdditionalBuilder<StaticCompressor<Vec<u8>>>, has_opt: bool) -> Vec<u8> {
    if has_opt {
        // It fails where the section is full, and this is its first record.
        let _ = builder.opt(|opt| {
            opt.set_udp_payload_size(EDNS_BYTES);
            Ok(())
        });
    }
    builder.finish().into_target()
}
