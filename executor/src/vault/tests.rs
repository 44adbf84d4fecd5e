//! Sockets of this process, as if they were the command's.

use super::*;
use crate::sys::child;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::AsRawFd;

const TCP: Kind = Kind::Tcp { v6: false };
const UDP: Kind = Kind::Udp { v6: false };

/// A vault that holds one more duplicate of the socket.
fn holding(socket: &OwnedFd, kind: Kind) -> (Vault, u64) {
    let vault = Vault::start(8, false).unwrap();
    let inode = fd::identity(socket).unwrap().inode;
    vault.hold(socket.try_clone().unwrap(), inode, kind);
    vault.given(inode);
    (vault, inode)
}

fn find(vault: &Vault, socket: &impl AsRawFd) -> Result<Found> {
    vault.find(process::own_tid(), socket.as_raw_fd())
}

fn is_held(vault: &Vault, socket: &impl AsRawFd) -> bool {
    matches!(find(vault, socket), Ok(Found::Held(..)))
}

#[test]
fn a_socket_is_found_by_whatever_number_it_has_and_nothing_else_is() {
    let socket = socket::new(libc::AF_INET, libc::SOCK_STREAM, 0).unwrap();
    let (vault, inode) = holding(&socket, TCP);
    let moved = fd::duplicate_from(&socket, 700).unwrap();
    for ours in [&socket, &moved] {
        let Found::Held(found, its) = find(&vault, ours).unwrap() else { panic!("not held") };
        assert_eq!((its, socket::cookie(&found)), (inode, socket::cookie(&socket)));
    }
    let other = socket::new(libc::AF_INET, libc::SOCK_STREAM, 0).unwrap();
    assert!(matches!(find(&vault, &other), Ok(Found::NotHeld(_))));
    let (pipe, _) = fd::pipe().unwrap();
    assert!(matches!(find(&vault, &pipe), Ok(Found::NoSocket)));
    let path = fd::open_path(c"/").unwrap();
    assert_eq!(find(&vault, &path).err(), Some(Errno(libc::EBADF)));
    assert_eq!(vault.find(process::own_tid(), 999_999).err(), Some(Errno(libc::EBADF)));
}

#[test]
fn what_has_connected_or_listens_is_let_go_and_its_end_is_seen() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let name = socket::local_name(&listener).unwrap();
    let socket = socket::new(libc::AF_INET, libc::SOCK_STREAM, 0).unwrap();
    let (vault, inode) = holding(&socket, TCP);
    vault.settle(inode, true);
    assert!(is_held(&vault, &socket));
    socket::connect(&socket, &name).unwrap();
    vault.settle(inode, true);
    assert!(!is_held(&vault, &socket) && !vault.has_connected(inode));
    let (mut peer, _) = listener.accept().unwrap();
    drop(socket);
    assert_eq!(std::io::Read::read(&mut peer, &mut [0]).unwrap(), 0);

    let bound = socket::new(libc::AF_INET, libc::SOCK_STREAM, 0).unwrap();
    let (vault, inode) = holding(&bound, TCP);
    socket::listen(&bound, 1).unwrap();
    vault.settle(inode, true);
    assert!(!is_held(&vault, &bound) && vault.listened(inode));
}

#[test]
fn a_connect_that_goes_on_is_watched_until_it_is_over() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let name = socket::local_name(&listener).unwrap();
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK;
    let socket = socket::new(libc::AF_INET, kind, 0).unwrap();
    let (vault, inode) = holding(&socket, TCP);
    assert_eq!(socket::connect(&socket, &name), Err(Errno(libc::EINPROGRESS)));
    vault.settle(inode, false);
    // By the keeper's thread, or just now: the loopback is fast.
    while is_held(&vault, &socket) {
        std::thread::yield_now();
    }
    assert!(vault.has_connected(inode) && !vault.has_connected(inode));
}

#[test]
fn a_datagram_socket_is_let_go_when_no_task_has_it_and_sends_nothing_any_more() {
    // This process is not searched: a duplicate here is as well hidden as one in a message under way.
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let name = socket::local_name(&peer).unwrap();
    let hidden = socket::new(libc::AF_INET, libc::SOCK_DGRAM, 0).unwrap();
    let (vault, _) = holding(&hidden, UDP);
    let other = child::fork(|| {
        process::pause();
        0
    })
    .unwrap();
    vault.collect();
    assert!(is_held(&vault, &hidden), "a task has it open");
    assert_eq!(socket::send(&hidden, Some(&name), b"x", &[], 0), Ok(1));
    process::kill(other, libc::SIGKILL).unwrap();
    process::wait_for(other).unwrap();
    // Other tests fork as well.
    while is_held(&vault, &hidden) {
        vault.collect();
    }
    assert_eq!(socket::send(&hidden, Some(&name), b"x", &[], 0), Err(Errno(libc::EPIPE)));
    assert_eq!(socket::connect(&hidden, &name), Ok(()));
    assert_eq!(socket::send(&hidden, None, b"x", &[], 0), Err(Errno(libc::EPIPE)));
}

#[test]
fn a_socket_that_the_command_is_about_to_be_given_is_held_whoever_searches() {
    let socket = socket::new(libc::AF_INET, libc::SOCK_DGRAM, 0).unwrap();
    let vault = Vault::start(8, false).unwrap();
    let inode = fd::identity(&socket).unwrap().inode;
    vault.hold(socket.try_clone().unwrap(), inode, UDP);
    vault.collect();
    assert!(is_held(&vault, &socket));
    vault.given(inode);
    // Other tests fork: their children have it open as well.
    while is_held(&vault, &socket) {
        vault.collect();
    }
}

#[test]
fn no_kind_of_datagram_socket_sends_once_it_was_shut_down() {
    let path = format!("/tmp/sandlock-vault-{}", process::own_pid());
    let _unix = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    let unix = [&1u16.to_ne_bytes(), path.as_bytes(), b"\0"].concat();
    let v4 = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let v6 = UdpSocket::bind((std::net::Ipv6Addr::LOCALHOST, 0)).unwrap();
    // ICMP's own check is the same one; a ping socket is not for everybody to make.
    for (domain, name) in [
        (libc::AF_INET, socket::local_name(&v4).unwrap()),
        (libc::AF_INET6, socket::local_name(&v6).unwrap()),
        (libc::AF_UNIX, socket::Name::new(&unix)),
    ] {
        let socket = socket::new(domain, libc::SOCK_DGRAM, 0).unwrap();
        assert_eq!(socket::send(&socket, Some(&name), b"x", &[], 0), Ok(1));
        socket::shut_down(&socket);
        assert_eq!(socket::send(&socket, Some(&name), b"x", &[], 0), Err(Errno(libc::EPIPE)));
        let nobody = socket::Name::new(&[0; 16]);
        let _ = socket::connect(&socket, &nobody);
        assert_eq!(socket::send(&socket, Some(&name), b"x", &[], 0), Err(Errno(libc::EPIPE)));
    }
    std::fs::remove_file(path).unwrap();
}

#[test]
fn there_is_room_for_so_many_and_closed_ones_make_room() {
    let vault = Vault::start(2, false).unwrap();
    let open = [0; 2].map(|_| socket::new(libc::AF_INET, libc::SOCK_DGRAM, 0).unwrap());
    for socket in &open {
        vault.make_room(1).unwrap();
        let inode = fd::identity(socket).unwrap().inode;
        vault.hold(socket.try_clone().unwrap(), inode, UDP);
        vault.given(inode);
    }
    // Held open by nobody but this process, which does not count.
    while vault.make_room(1).is_err() {}
    assert!(!vault.has(fd::identity(&open[0]).unwrap().inode));
}
