//! Listening, within bounds: whoever dawdles or wants too much at once is cut off, and costs the others
//! nothing.

use std::future::{Ready, ready};
use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::accept::Accept;
use axum_server::tls_rustls::RustlsAcceptor;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

use super::Tls;

/// Connections at once; more are closed at once.
const CONNECTIONS: usize = 256;
/// A request's head comes within so long, be it the first of its connection or a later one.
const HEAD: Duration = Duration::from_secs(15);
/// A peer takes some bytes of its response within so long.
const STALL: Duration = Duration::from_secs(30);
/// The head of a request is no larger.
const HEAD_SIZE: usize = 64 * 1024;
/// So long may requests under way take to end once the process stops.
const GRACE: Duration = Duration::from_secs(5);

/// Serves `router` on `listener` until `stop`; what is under way then may end.
pub(super) async fn listen(
    listener: TcpListener,
    tls: Option<Tls>,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    let handle = Handle::new();
    let mut server =
        axum_server::from_tcp(listener)?.handle(handle.clone()).first_request_timeout(HEAD).http1_only();
    server.http_builder().http1().header_read_timeout(HEAD).max_buf_size(HEAD_SIZE);
    let bounded = Bounded { free: Arc::new(Semaphore::new(CONNECTIONS)) };
    let service = router.into_make_service();
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

/// Accepts a connection if there is room for one more.
#[derive(Clone)]
struct Bounded {
    free: Arc<Semaphore>,
}

impl<S> Accept<TcpStream, S> for Bounded {
    type Stream = Connection;
    type Service = S;
    type Future = Ready<io::Result<(Connection, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Ok(permit) = self.free.clone().try_acquire_owned() else {
            return ready(Err(io::Error::other("too many connections")));
        };
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(STALL));
        ready(Ok((Connection { stream: Box::pin(stream), _permit: permit }, service)))
    }
}

/// A connection that counts for as long as it lives, and ends when its peer leaves a response unread.
struct Connection {
    stream: Pin<Box<TimeoutStream<TcpStream>>>,
    _permit: OwnedSemaphorePermit,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_read(cx, into)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(cx)
    }
}
