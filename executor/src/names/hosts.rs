//! The text of `/etc/hosts` for the sandbox, and the reading of the host's own.

use std::net::IpAddr;

/// Addresses of one name that are written: musl takes no more (src/network/lookup_name.c, MAXADDRS).
const MOST_ADDRESSES: usize = 48;

/// The lines of a hosts file: an address with one of its names, in order (hosts(5)).
pub fn entries(text: &str) -> impl Iterator<Item = (IpAddr, &str)> {
    text.lines().flat_map(|line| {
        let mut words = line.split('#').next().unwrap_or("").split_ascii_whitespace();
        let address: Option<IpAddr> = words.next().and_then(|word| word.parse().ok());
        address.into_iter().flat_map(move |address| words.clone().map(move |name| (address, name)))
    })
}

/// The file's text: what `image`, the file of another root, has, with `localhost` of each family where it
/// lacks that; then the pinned names, one a line (musl cuts lines at 512 bytes).
pub fn text<'a>(image: &str, pinned: impl Iterator<Item = (&'a str, &'a [IpAddr])>) -> String {
    let mut text = image.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for (address, is_v4) in [("127.0.0.1", true), ("::1", false)] {
        let has = entries(image).any(|(own, name)| name == "localhost" && own.is_ipv4() == is_v4);
        if !has {
            text.extend([address, " localhost\n"]);
        }
    }
    for (name, addresses) in pinned {
        for address in addresses.iter().take(MOST_ADDRESSES) {
            text.extend([&*address.to_string(), " ", name, "\n"]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_s_own_lines_are_kept_and_only_missing_localhosts_added() {
        let addresses: [IpAddr; 2] = ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        let pinned = || [("api.example", &addresses[..])].into_iter();
        let names = "192.0.2.1 api.example\n2001:db8::1 api.example\n";
        assert_eq!(text("", pinned()), format!("127.0.0.1 localhost\n::1 localhost\n{names}"));
        let own = "# ::1 localhost\n10.0.0.1\tbuild build.lan # 127.0.0.2 localhost\n127.0.0.1 x localhost";
        assert_eq!(text(own, pinned()), format!("{own}\n::1 localhost\n{names}"));
        assert_eq!(text("::1 localhost\n", std::iter::empty()), "::1 localhost\n127.0.0.1 localhost\n");
    }

    #[test]
    fn entries_are_read_by_words_without_comments() {
        let read: Vec<_> = entries("127.0.0.1 a b#c\n\nnonsense d\n::1\te\n").collect();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(read, [(ip("127.0.0.1"), "a"), (ip("127.0.0.1"), "b"), (ip("::1"), "e")]);
    }
}
