//! An answer that is being sent.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::Error;
use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};

/// So much is handed over at once, and no more before the peer has taken most of it.
const PIECE: usize = 16 * 1024;

/// A body that is handed over piece by piece. What it holds is dropped at its end, or once nobody takes it any more.
pub(crate) struct Sending<H> {
    body: Body,
    rest: Bytes,
    _held: H,
}

impl<H> Sending<H> {
    pub(crate) fn new(body: Body, held: H) -> Self {
        Self { body, rest: Bytes::new(), _held: held }
    }
}

impl<H: Unpin> HttpBody for Sending<H> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)).transpose()?.map(Frame::into_data) {
                Some(Ok(data)) => self.rest = data,
                Some(Err(other)) => return Poll::Ready(Some(Ok(other))),
                None => return Poll::Ready(None),
            }
        }
        let piece = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, body) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        // The lower bound first: an upper one must not be less.
        hint.set_lower(rest + body.lower());
        if let Some(upper) = body.upper() {
            hint.set_upper(rest + upper);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn is_held_until_its_last_piece() {
        let held = Arc::new(());
        let content: Vec<u8> = (0..=u8::MAX).cycle().take(2 * PIECE + 1).collect();
        let mut sending = Sending::new(Body::from(content.clone()), held.clone());
        let mut cx = Context::from_waker(futures::task::noop_waker_ref());
        let mut came = Vec::new();
        for left in [PIECE + 1, 1, 0] {
            assert!(!sending.is_end_stream());
            let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut sending).poll_frame(&mut cx) else { panic!() };
            came.extend_from_slice(&frame.into_data().unwrap());
            assert_eq!(sending.size_hint().exact(), Some(left as u64));
        }
        assert!(sending.is_end_stream() && came == content);
        assert_eq!(Arc::strong_count(&held), 2);
        drop(sending);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
