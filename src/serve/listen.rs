//! Listeners with limits: a slow or greedy client is disconnected and does not affect the others.

use std::future::{Ready, ready};
use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::{Extension, Router};
use axum_server::Handle;
use axum_server::accept::Accept;
use axum_server::tls_rustls::RustlsAcceptor;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

use self::room::{Room, Seat};
pub(crate) use self::sending::Sending;
use super::Tls;
use super::share::Share;
use crate::directory::Owner;

mod room;
mod sending;

/// How many connections a listener has at once.
const CONNECTIONS: Connections = Connections { all: 512, of_peer: 128 };
/// So many may wait to be accepted.
const BACKLOG: i32 = 1024;
/// Something comes within so long.
const FIRST_BYTE: Duration = Duration::from_secs(5);
/// A request's head comes within so long, be it the first of its connection or a later one.
const HEAD: Duration = Duration::from_secs(15);
/// A peer takes some bytes of its response within so long.
const STALL: Duration = Duration::from_secs(30);
/// The head of a request is no larger.
const HEAD_SIZE: usize = 64 * 1024;
/// So long may requests under way take to end once the process stops.
const GRACE: Duration = Duration::from_secs(5);

/// How many connections a listener has at once.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    /// All of them.
    pub all: usize,
    /// Those of one peer.
    pub of_peer: usize,
}

/// Serves `router` on `listener` until `stop`; requests in progress may then end.
pub(super) async fn listen(
    listener: TcpListener,
    tls: Option<Tls>,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    listen_with(listener, tls, router, CONNECTIONS, stop).await
}

/// The same, with so many connections at once.
///
/// # Errors
/// When the listener fails.
pub async fn listen_with(
    listener: TcpListener,
    tls: Option<Tls>,
    router: Router,
    connections: Connections,
    stop: CancellationToken,
) -> io::Result<()> {
    rustix::net::listen(&listener, BACKLOG)?;
    let handle = Handle::new();
    let mut server =
        axum_server::from_tcp(listener)?.handle(handle.clone()).first_request_timeout(HEAD).http1_only();
    server.http_builder().http1().header_read_timeout(HEAD).max_buf_size(HEAD_SIZE);
    let bounded = Bounded { room: Room::new(connections.all, connections.of_peer) };
    let service = router.layer(from_fn(note)).into_make_service();
    let serving = async {
        match tls {
            Some(tls) => {
                server.acceptor(RustlsAcceptor::new(tls.config).acceptor(bounded)).serve(service).await
            }
            None => server.acceptor(bounded).serve(service).await,
        }
    };
    let stopping = async {
        stop.cancelled().await;
        handle.graceful_shutdown(Some(GRACE));
        std::future::pending().await
    };
    tokio::select! {
        ended = serving => ended,
        never = stopping => never,
    }
}

/// An extension of a response: its client is authenticated, and stays connected when others are disconnected.
#[derive(Clone, Debug)]
pub(super) struct Admitted {
    /// To whose registry.
    pub(super) owner: Owner,
    /// The share that is kept until the response was received.
    #[expect(dead_code, reason = "it is held, and never asked")]
    pub(super) share: Option<Arc<Share>>,
}

/// A request that is being answered, until the last of the response was handed over or nobody takes it any more.
struct Answering {
    seat: Seat,
    admitted: Option<Admitted>,
}

impl Answering {
    fn new(seat: Seat) -> Self {
        seat.begins();
        Self { seat, admitted: None }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.seat.answered(self.admitted.take().map(|admitted| admitted.owner), Instant::now());
    }
}

/// Notes on a connection's seat what becomes of its requests.
async fn note(Extension(seat): Extension<Seat>, request: Request, next: Next) -> Response {
    let mut answering = Answering::new(seat);
    let mut response = next.run(request).await;
    answering.admitted = response.extensions_mut().remove::<Admitted>();
    response.map(|body| Body::new(Sending::new(body, answering)))
}

/// Accepts a connection if there is room for one more, or can be made.
#[derive(Clone)]
struct Bounded {
    room: Room,
}

impl Accept<TcpStream, Router> for Bounded {
    type Stream = Connection;
    type Service = Router;
    type Future = Ready<io::Result<(Connection, Router)>>;

    fn accept(&self, stream: TcpStream, router: Router) -> Self::Future {
        let seat = stream.peer_addr().map(|peer| self.room.enter(peer.ip(), Instant::now()));
        let seat = seat.and_then(|seat| seat.ok_or_else(|| io::Error::other("too many connections")));
        ready(seat.map(|seat| {
            let mut stream = TimeoutStream::new(stream);
            stream.set_read_timeout(Some(FIRST_BYTE));
            stream.set_write_timeout(Some(STALL));
            let connection = Connection { stream: Box::pin(stream), seat: seat.clone(), silent: true };
            (connection, router.layer(Extension(seat)))
        }))
    }
}

/// A connection that counts for as long as it lives. It ends when it is to make way, when nothing comes, or when its
/// peer leaves a response unread.
struct Connection {
    stream: Pin<Box<TimeoutStream<TcpStream>>>,
    seat: Seat,
    silent: bool,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.seat.poll_over(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = into.filled().len();
        let read = self.stream.as_mut().poll_read(cx, into);
        if self.silent && into.filled().len() > before {
            self.silent = false;
            self.seat.spoke();
            // From here on the head of each request has its time.
            self.stream.as_mut().set_read_timeout_pinned(None);
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        if self.seat.poll_over(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        self.stream.as_mut().poll_write(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(cx)
    }
}
