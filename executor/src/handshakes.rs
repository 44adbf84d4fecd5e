//! TCP connections that are being made: however many callers wait for theirs, no thread does.
//!
//! Theory of operation
//!
//! A connect is begun without waiting (`calls/connect.rs`). From then on the handshake is the kernel's; what
//! is left is to wait for it, and for what else can end the call. Such a call is handed to the warden, whose
//! epoll instance holds all their sockets. When a socket is ready its handshake is decided, and connect(2),
//! made once more, returns what the first one would have returned. Until then the warden does what the kernel
//! does for a caller in connect(2):
//!
//! - the socket's time limit (SO_SNDTIMEO, as it was when the call came): EINPROGRESS, or EALREADY where the
//!   connection was being made before;
//! - a signal, a stop: EINTR or a restart (`caller.rs`), while the handshake goes on;
//! - the caller is gone: nothing, for nobody;
//! - another call dissolved the connection (connect(2) with AF_UNSPEC): EPIPE;
//! - it was given up by shutdown(2), or another of several waiting calls has its error: the socket's error,
//!   or EPIPE. Such a socket has hung up but is not shut, one whose handshake has just failed is both. It
//!   must not be connected once more: that would begin anew.
//!
//! A program may do that just between the look and the connect. Then the connect would wait: it is cut
//! (`sys/tick.rs`) and goes on in a thread of its own (`pending.rs`).
//!
//! Must not: wait, but for the time of a tick. Unix sockets are not for here: a full queue is nothing that
//! can be polled for.

use std::collections::{HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use crate::caller::{Caller, State, Stopped, interrupted, interruption};
use crate::pending::Pending;
use crate::sys::epoll::Epoll;
use crate::sys::seccomp::{Listener, Notification};
use crate::sys::socket::{self, Name};
use crate::sys::{Errno, Result, fd, tick};
use crate::task::Touched;
use crate::under_way::Apart;

/// Most connects that can wait at once. Each costs a descriptor and about 400 bytes.
const MOST: usize = 4096;
/// Sockets remembered whose connect ended before its handshake was decided.
const MOST_UNDECIDED: usize = 1024;

/// A connect that waits.
struct Call {
    notification: Notification,
    caller: Caller,
    socket: OwnedFd,
    touched: Touched,
    name: Name,
    apart: Option<Apart>,
    /// Of the socket, which another call may wait for, too.
    cookie: u64,
    /// The connection was begun by this very call; none: not known.
    is_begun: Option<bool>,
    /// When its time limit is over.
    deadline: Option<Instant>,
}

/// What the warden is told.
enum Message {
    Waits(Box<Call>),
    /// The connection of the socket with that cookie is about to be dissolved.
    Dissolved(u64),
}

/// What both ends use.
struct Shared {
    listener: Arc<Listener>,
    epoll: Epoll,
    /// A byte goes here when the warden must not sleep on.
    began: OwnedFd,
    count: AtomicUsize,
}

/// Where connects are handed to.
#[derive(Clone)]
pub struct Handshakes {
    shared: Arc<Shared>,
    sender: Sender<Message>,
}

/// The warden's end.
pub struct Keeper {
    shared: Arc<Shared>,
    pending: Pending,
    incoming: Receiver<Message>,
    calls: HashMap<u64, Box<Call>>,
    /// Sockets whose connect ended undecided, by cookie: the next one did not begin it.
    undecided: VecDeque<u64>,
}

/// Both ends. Answers go to `listener`; `pending` makes connects that wait after all; a byte goes to the pipe
/// `began` when there is something to look after.
pub fn pair(listener: Arc<Listener>, pending: Pending, began: OwnedFd) -> Result<(Handshakes, Keeper)> {
    let (sender, incoming) = channel();
    let shared = Arc::new(Shared { listener, epoll: Epoll::new()?, began, count: AtomicUsize::new(0) });
    let handshakes = Handshakes { shared: Arc::clone(&shared), sender };
    let (calls, undecided) = (HashMap::new(), VecDeque::new());
    Ok((handshakes, Keeper { shared, pending, incoming, calls, undecided }))
}

impl Handshakes {
    /// Takes a connect over whose handshake goes on. `is_begun`: by this very call; none: it is not known.
    /// EAGAIN: too many wait already.
    pub fn hand_over(
        &self,
        notification: &Notification,
        socket: OwnedFd,
        touched: Touched,
        name: Name,
        is_begun: Option<bool>,
        apart: Option<Apart>,
    ) -> Result<()> {
        let shared = &self.shared;
        let before = shared.count.load(Ordering::Relaxed);
        if before >= MOST {
            return Err(Errno(libc::EAGAIN));
        }
        let deadline = socket::time_limit(&socket, libc::SO_SNDTIMEO).map(|limit| Instant::now() + limit);
        let cookie = socket::cookie(&socket)?;
        shared.epoll.watch_output(&socket, notification.id).map_err(|_| Errno(libc::ENOBUFS))?;
        let caller = Caller::of(notification);
        let notification = *notification;
        let call = Call { notification, caller, socket, touched, name, apart, cookie, is_begun, deadline };
        shared.count.fetch_add(1, Ordering::Relaxed);
        // The warden ends with the process only.
        self.sender.send(Message::Waits(Box::new(call))).map_err(|_| Errno(libc::EAGAIN))?;
        if before == 0 || deadline.is_some() {
            // A full pipe has woken its reader already.
            let _ = fd::write(&shared.began, b"h");
        }
        Ok(())
    }

    /// To be called before a connection is dissolved that another call may wait for.
    pub fn dissolves(&self, socket: &OwnedFd) {
        if self.shared.count.load(Ordering::Relaxed) > 0
            && let Ok(cookie) = socket::cookie(socket)
        {
            // The warden ends with the process only.
            let _ = self.sender.send(Message::Dissolved(cookie));
        }
    }
}

impl Keeper {
    /// What to wait for besides `next`.
    pub fn poll(&self) -> fd::Poll {
        fd::readable(&self.shared.epoll)
    }

    /// How many wait.
    pub fn count(&self) -> usize {
        self.shared.count.load(Ordering::Relaxed)
    }

    /// When the first time limit is over.
    pub fn next(&mut self) -> Option<Instant> {
        self.take_in();
        self.calls.values().filter_map(|call| call.deadline).min()
    }

    /// Ends the connects whose handshake is decided or whose time is over.
    pub fn advance(&mut self) {
        self.take_in();
        // One that is not known yet will be the next time.
        for id in self.shared.epoll.wait(0).unwrap_or_default() {
            self.conclude(id);
        }
        if self.calls.is_empty() {
            return;
        }
        let now = Instant::now();
        let is_over = |call: &Call| call.deadline.is_some_and(|deadline| deadline <= now);
        let over: Vec<u64> = self.calls.iter().filter(|(_, call)| is_over(call)).map(|(id, _)| *id).collect();
        for id in over {
            let begun =
                |call: &Call| if call.is_begun == Some(true) { libc::EINPROGRESS } else { libc::EALREADY };
            self.leave(id, |call| Some(Errno(begun(call))));
        }
    }

    /// Looks at all callers.
    pub fn look(&mut self) {
        self.take_in();
        let mut stopped = Stopped::default();
        let listener = &self.shared.listener;
        let states: Vec<(u64, State)> =
            self.calls.iter_mut().map(|(id, call)| (*id, call.caller.look(listener, &mut stopped))).collect();
        for (id, state) in states {
            match state {
                State::Waiting => {}
                State::Gone => self.leave(id, |_| None),
                State::Wanted => self.leave(id, |call| Some(interruption(&call.socket, libc::SO_SNDTIMEO))),
            }
        }
    }

    fn take_in(&mut self) {
        while let Ok(message) = self.incoming.try_recv() {
            match message {
                Message::Waits(mut call) => {
                    let is_begun = call.is_begun.unwrap_or_else(|| !self.knows(call.cookie));
                    call.is_begun = Some(is_begun);
                    self.calls.insert(call.notification.id, call);
                }
                Message::Dissolved(cookie) => self.dissolve(cookie),
            }
        }
    }

    /// Whether an earlier connect of that socket is not decided.
    fn knows(&self, cookie: u64) -> bool {
        self.undecided.contains(&cookie) || self.calls.values().any(|call| call.cookie == cookie)
    }

    fn dissolve(&mut self, cookie: u64) {
        self.undecided.retain(|known| *known != cookie);
        let ids: Vec<u64> =
            self.calls.iter().filter(|(_, call)| call.cookie == cookie).map(|(id, _)| *id).collect();
        for id in ids {
            if let Some(call) = self.remove(id) {
                self.answer(*call, Err(Errno(libc::EPIPE)));
            }
        }
    }

    /// Ends a call. Our duplicate is closed before the program can close its own.
    fn answer(&self, call: Call, result: Result<i64>) {
        let Call { notification, socket, touched, apart, .. } = call;
        touched.settle(result.is_ok());
        tick::close(socket);
        drop(apart);
        self.shared.listener.answer(notification.id, result);
    }

    fn remove(&mut self, id: u64) -> Option<Box<Call>> {
        let call = self.calls.remove(&id)?;
        self.shared.epoll.forget(&call.socket);
        self.shared.count.fetch_sub(1, Ordering::Relaxed);
        Some(call)
    }

    /// Gives a call up whose handshake goes on.
    fn leave(&mut self, id: u64, error: impl Fn(&Call) -> Option<Errno>) {
        let Some(call) = self.remove(id) else { return };
        if !self.undecided.contains(&call.cookie) {
            if self.undecided.len() >= MOST_UNDECIDED {
                self.undecided.pop_front();
            }
            self.undecided.push_back(call.cookie);
        }
        if let Some(error) = error(&call) {
            self.answer(*call, Err(error));
        } else {
            call.touched.settle(false);
            tick::close(call);
        }
    }

    fn conclude(&mut self, id: u64) {
        let progress = self.calls.get(&id).map_or(Progress::Undecided, |call| Progress::of(&call.socket));
        if progress == Progress::Undecided {
            return;
        }
        let Some(call) = self.remove(id) else { return };
        self.undecided.retain(|cookie| *cookie != call.cookie);
        if progress == Progress::GivenUp {
            let error = socket::option(&call.socket, libc::SOL_SOCKET, libc::SO_ERROR).unwrap_or(0);
            let error = if error == 0 { libc::EPIPE } else { error };
            return self.answer(*call, Err(Errno(error)));
        }
        match tick::cut(|| socket::connect(&call.socket, &call.name)) {
            Err(Errno(libc::EINTR | libc::EALREADY)) => self.make(*call),
            // Another call that waited for the same connection has brought it to its end.
            Ok(()) | Err(Errno(libc::EISCONN)) => self.answer(*call, Ok(0)),
            Err(error) => self.answer(*call, Err(error)),
        }
    }

    /// Lets a thread connect.
    fn make(&self, call: Call) {
        let Call { notification, socket, touched, name, apart, .. } = call;
        let listener = Arc::clone(&self.shared.listener);
        let (id, caller) = (notification.id, notification.tid);
        let work = move || {
            let _apart = apart;
            let result = until_connected(&listener, id, caller, &socket, &name);
            touched.settle(result.is_ok());
            result
        };
        if let Err(error) = self.pending.hand_over(&notification, Box::new(work)) {
            self.shared.listener.answer(id, Err(error));
        }
    }
}

/// How far the handshake of a socket has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It goes on.
    Undecided,
    /// The connection is made, or is not to be had.
    Decided,
    /// The program has given it up.
    GivenUp,
}

impl Progress {
    /// Asks the socket.
    pub fn of(socket: &OwnedFd) -> Self {
        let mut polls = [fd::readable(socket)];
        polls[0].events = libc::POLLOUT | libc::POLLRDHUP;
        let events = fd::poll(&mut polls, 0).map_or(0, |_| polls[0].revents);
        if events & (libc::POLLOUT | libc::POLLERR | libc::POLLHUP) == 0 {
            Self::Undecided
        } else if events & libc::POLLHUP != 0 && events & libc::POLLRDHUP == 0 {
            Self::GivenUp
        } else {
            Self::Decided
        }
    }
}

/// Connects in a thread that may wait, until the connection is made or the caller is to be heard.
pub fn until_connected(
    listener: &Listener,
    id: u64,
    caller: u32,
    socket: &OwnedFd,
    name: &Name,
) -> Result<i64> {
    let mut is_second = false;
    loop {
        match socket::connect(socket, name) {
            Ok(()) => return Ok(0),
            // Our own earlier attempt went on in the kernel and succeeded.
            Err(Errno(libc::EISCONN)) if is_second => return Ok(0),
            Err(Errno(libc::EINTR)) => match interrupted(listener, id, caller, socket, libc::SO_SNDTIMEO) {
                Some(error) => return Err(error),
                None => is_second = true,
            },
            Err(error) => return Err(error),
        }
    }
}
