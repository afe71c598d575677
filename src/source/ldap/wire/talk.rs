//! One LDAP conversation: sends a request and receives its answers, one at a time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::ber::{self, Malformed, SEQUENCE};
use super::limit::{BEFORE_BIND, LARGE, LARGE_WITHIN, MESSAGE, UNASKED};
use super::message::{Control, LdapResult, Message, Request, Response};
use super::room::{NoRoom, Room};

/// For the next bytes of an answer, and for a request to be taken.
const ANSWER: Duration = Duration::from_mins(1);
/// So much is read at once.
const CHUNK: usize = 64 << 10;

/// Why a conversation cannot go on.
#[derive(Debug)]
pub(in crate::source::ldap) enum Failed {
    Io(io::Error),
    /// It said nothing for so long.
    Silent,
    /// It ended the connection, with a word or without.
    Ended(Option<LdapResult>),
    /// What it sent is beyond a bound, or no LDAP.
    Refused(String),
    /// Other large messages had all the room that there is for them.
    NoRoom,
    /// What should be asked is no LDAP filter.
    Filter(String),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<NoRoom> for Failed {
    fn from(_: NoRoom) -> Self {
        Self::NoRoom
    }
}

impl From<Malformed> for Failed {
    fn from(Malformed(what): Malformed) -> Self {
        Self::Refused(format!("a message that is no LDAP ({what})"))
    }
}

/// What bytes come from and go to.
trait Duplex: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Duplex for T {}

/// A conversation with one server.
pub(in crate::source::ldap) struct Talk {
    stream: Box<dyn Duplex>,
    /// Which server, for the log.
    url: String,
    /// What came and was not understood yet, from `read` on.
    buffer: Vec<u8>,
    read: usize,
    /// What the buffer has of what all connections share.
    room: Room,
    /// Of the request that is being answered.
    id: i32,
    /// Whether that is a search whose end was not heard yet.
    is_open: bool,
    /// Searches that were given up before their end, whose answers may still come.
    abandoned: Vec<i32>,
    /// How long a message may be.
    longest: usize,
    unasked: u64,
}

impl Talk {
    /// Starts a conversation over `stream`, without a login.
    pub(in crate::source::ldap) fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static,
        url: &str,
    ) -> Self {
        Self {
            stream: Box::new(stream),
            url: url.to_owned(),
            buffer: Vec::new(),
            read: 0,
            room: Room::shared(),
            id: 0,
            is_open: false,
            abandoned: Vec::new(),
            longest: BEFORE_BIND,
            unasked: 0,
        }
    }

    /// The same over TLS, and the certificate that the server proved itself with.
    pub(in crate::source::ldap) async fn secure(
        self,
        tls: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<(Self, Option<CertificateDer<'static>>), Failed> {
        if self.read < self.buffer.len() {
            // It would be believed as if it had come over TLS.
            return Err(Failed::Refused("something unprotected after it had agreed to TLS".to_owned()));
        }
        let stream = TlsConnector::from(tls).connect(name, self.stream).await?;
        let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let certificate = certificates.first().map(|certificate| certificate.clone().into_owned());
        Ok((Self { stream: Box::new(stream), ..self }, certificate))
    }

    /// The server knows who reads: from here on it may send entries.
    pub(in crate::source::ldap) fn bound(&mut self) {
        self.longest = MESSAGE;
    }

    /// Sends a request. A search that was not heard to its end is given up, and what still comes of it passed over.
    pub(in crate::source::ldap) async fn ask(
        &mut self,
        request: Request<'_>,
        controls: &[Control],
    ) -> Result<(), Failed> {
        let abandon = self.abandon();
        self.id = self.next_id();
        let message = request.message(self.id, controls).ok_or_else(|| match request {
            Request::Search { filter, .. } => Failed::Filter(filter.to_owned()),
            _ => Failed::Filter(String::new()),
        })?;
        self.is_open = matches!(request, Request::Search { .. });
        let message = [abandon, message].concat();
        let sending = async {
            self.stream.write_all(&message).await?;
            self.stream.flush().await
        };
        Ok(timeout(ANSWER, sending).await.map_err(|_| Failed::Silent)??)
    }

    /// What tells the server that no more is wanted of the search that is open; empty if none is.
    fn abandon(&mut self) -> Vec<u8> {
        if !std::mem::take(&mut self.is_open) {
            return Vec::new();
        }
        let open = self.id;
        self.abandoned.push(open);
        self.id = self.next_id();
        Request::Abandon(open).message(self.id, &[]).unwrap_or_default()
    }

    fn next_id(&self) -> i32 {
        self.id.checked_add(1).unwrap_or(1)
    }

    /// The next answer to the request.
    pub(in crate::source::ldap) async fn hear(&mut self) -> Result<(Response, Vec<Control>), Failed> {
        self.forget();
        loop {
            let (from, to) = self.message().await?;
            let message = Message::parse(&self.buffer[from..to])?;
            self.read = to;
            if message.id == self.id {
                self.is_open &= !message.ends_search();
                return Ok(message.response()?);
            }
            if let Some(notice) = message.disconnection()? {
                return Err(Failed::Ended(Some(notice)));
            }
            if self.abandoned.contains(&message.id) {
                if message.ends_search() {
                    self.abandoned.retain(|id| *id != message.id);
                }
                continue;
            }
            if message.is_of_search() {
                // Passed over, it would be an entry that is not there.
                return Err(Failed::Refused("an answer to a search that is not in progress".to_owned()));
            }
            self.unasked += 1;
            if self.unasked == 1 {
                tracing::warn!(url = self.url, "the server sends unsolicited messages; they are ignored");
            }
            if self.unasked > UNASKED {
                return Err(Failed::Refused(format!("more than {UNASKED} unsolicited messages")));
            }
        }
    }

    /// Where in the buffer the content of the next message is.
    async fn message(&mut self) -> Result<(usize, usize), Failed> {
        loop {
            let there = &self.buffer[self.read..];
            // What is no message at all is seen by its first byte: its length would be anything.
            if there.first().is_some_and(|tag| *tag != SEQUENCE) {
                return Err(Malformed("it does not start like a message").into());
            }
            let length = match ber::head(there)? {
                Some((_, _, length)) if length > self.longest => {
                    return Err(Failed::Refused(format!(
                        "a message of {length} bytes, and the maximum is {}",
                        self.longest
                    )));
                }
                Some((_, before, length)) if there.len() - before >= length => {
                    let from = self.read + before;
                    return Ok((from, from + length));
                }
                Some((_, before, length)) => {
                    // Not for what is only said to come.
                    if there.len() >= LARGE {
                        self.room.take(before + length).await?;
                    }
                    before + length
                }
                None => CHUNK,
            };
            self.more(length).await?;
        }
    }

    /// Lets go of a large message that was understood.
    fn forget(&mut self) {
        if self.room.give_back() {
            self.buffer.drain(..self.read);
            self.read = 0;
            self.buffer.shrink_to(CHUNK);
        }
    }

    /// Reads on, for a message of so many bytes at most.
    async fn more(&mut self, length: usize) -> Result<(), Failed> {
        self.buffer.drain(..self.read);
        self.read = 0;
        // Room for what is there, doubled, and never for what is only said to come.
        let room = length.saturating_sub(self.buffer.len()).clamp(CHUNK, self.buffer.len().max(CHUNK));
        if self.buffer.capacity() - self.buffer.len() < CHUNK {
            self.buffer.reserve_exact(room);
        }
        let left = self.room.left();
        let reading = self.stream.read_buf(&mut self.buffer);
        match timeout(left.unwrap_or(ANSWER).min(ANSWER), reading).await {
            Err(_) if left.is_some_and(|left| left < ANSWER) => {
                let minutes = LARGE_WITHIN.as_secs() / 60;
                Err(Failed::Refused(format!(
                    "a message that had not come to its end after {minutes} minutes"
                )))
            }
            Err(_) => Err(Failed::Silent),
            Ok(Ok(0)) => Err(Failed::Ended(None)),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Failed::Io(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tokio::io::DuplexStream;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::source::ldap::wire::Scope;
    use crate::source::ldap::wire::ber::{OCTETS, element};

    /// A server that has said this to the first request.
    fn said(bytes: &[u8]) -> Talk {
        let (client, mut server): (DuplexStream, DuplexStream) = tokio::io::duplex(bytes.len() + 4096);
        let bytes = bytes.to_vec();
        tokio::spawn(async move {
            let sent = server.write_all(&bytes).await;
            let mut asked = Vec::new();
            let heard = server.read_to_end(&mut asked).await;
            (sent, heard)
        });
        Talk::over(client, "ldap://there")
    }

    async fn search(talk: &mut Talk) {
        let search =
            Request::Search { base: "", scope: Scope::Base, filter: "(a=*)", attributes: &[], at_most: 0 };
        talk.ask(search, &[]).await.unwrap();
    }

    fn done(id: u8) -> Vec<u8> {
        element(SEQUENCE, &[b"\x02\x01", [id].as_slice(), b"\x65\x07\x0a\x01\x00\x04\x00\x04\x00"].concat())
    }

    #[rstest]
    #[case::not_ldap(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "does not start")]
    #[case::no_definite_length(b"\x30\x80\x02\x01\x01".to_vec(), "definite")]
    #[case::too_long_before_the_bind(b"\x30\x83\x01\x00\x01".to_vec(), "65537 bytes, and the maximum is 65536")]
    #[case::a_foreign_operation(b"\x30\x05\x02\x01\x01\x42\x00".to_vec(), "does not answer a search or a login")]
    #[case::a_number_that_would_be_cut(b"\x30\x09\x02\x05\x01\x00\x00\x00\x01\x65\x00".to_vec(), "2147483647")]
    #[tokio::test]
    async fn what_breaks_a_rule_ends_the_conversation(#[case] bytes: Vec<u8>, #[case] part: &str) {
        let mut talk = said(&bytes);
        search(&mut talk).await;
        let Err(Failed::Refused(why)) = talk.hear().await else { panic!("{bytes:x?} is taken") };
        assert!(why.contains(part), "{why}");
    }

    #[tokio::test]
    async fn longer_messages_come_after_the_bind_alone() {
        let long = element(0x64, &element(0x04, &vec![b'a'; BEFORE_BIND]));
        let long = element(SEQUENCE, &[b"\x02\x01\x01", long.as_slice()].concat());
        let mut talk = said(&long);
        talk.bound();
        search(&mut talk).await;
        assert!(matches!(talk.hear().await, Ok((Response::Entry(None), _))));
        let longer = u32::try_from(MESSAGE + 1).unwrap().to_be_bytes();
        let mut talk = said(&[b"\x30\x84", longer.as_slice()].concat());
        talk.bound();
        search(&mut talk).await;
        assert!(matches!(talk.hear().await, Err(Failed::Refused(_))));
        assert!(talk.buffer.capacity() <= 2 * CHUNK, "nothing is kept ready for what is only announced");
    }

    /// Something extended that nobody asked for.
    fn unasked(id: u8) -> Vec<u8> {
        let result = b"\x78\x07\x0a\x01\x00\x04\x00\x04\x00";
        element(SEQUENCE, &[b"\x02\x01", [id].as_slice(), result].concat())
    }

    #[tokio::test]
    async fn what_nobody_asked_for_is_passed_over_to_a_bound() {
        let mut talk = said(&[unasked(9).repeat(20), unasked(0), done(1)].concat());
        search(&mut talk).await;
        assert!(matches!(talk.hear().await, Ok((Response::SearchDone(_), _))));
        assert_eq!(talk.unasked, 21);
        let many = usize::try_from(UNASKED).unwrap() + 1;
        let mut talk = said(&[unasked(9).repeat(many), done(1)].concat());
        search(&mut talk).await;
        assert!(matches!(talk.hear().await, Err(Failed::Refused(_))));
    }

    #[tokio::test]
    async fn an_entry_of_another_search_is_not_passed_over() {
        for id in [0, 1, 3] {
            let mut talk = said(&[done(1), done(id), done(2)].concat());
            search(&mut talk).await;
            talk.hear().await.unwrap();
            search(&mut talk).await;
            let Err(Failed::Refused(why)) = talk.hear().await else { panic!("{id} is taken") };
            assert!(why.contains("not in progress"), "{why}");
        }
    }

    /// An entry without a name, in answer to a request.
    fn entry(id: u8) -> Vec<u8> {
        element(SEQUENCE, &[b"\x02\x01", [id].as_slice(), b"\x64\x04\x04\x00\x30\x00"].concat())
    }

    #[rstest]
    #[case::that_goes_on_for_a_while(&[entry(1), entry(1), done(1), done(3)])]
    #[case::that_ends_at_once(&[entry(1), done(3)])]
    #[case::that_ends_late(&[entry(1), entry(3), done(1), done(3)])]
    #[tokio::test]
    async fn a_search_that_is_given_up_does_not_disturb_the_next(#[case] answers: &[Vec<u8>]) {
        let mut talk = said(&answers.concat());
        search(&mut talk).await;
        assert!(matches!(talk.hear().await, Ok((Response::Entry(_), _))));
        search(&mut talk).await;
        assert_eq!(talk.id, 3, "the message between them gives up the first");
        loop {
            match talk.hear().await.unwrap().0 {
                Response::SearchDone(_) => break,
                other => assert!(matches!(other, Response::Entry(_)), "{other:?}"),
            }
        }
        search(&mut talk).await;
        assert_eq!(talk.id, 4, "nothing is to be given up");
    }

    #[tokio::test]
    async fn messages_come_whole_however_they_are_cut() {
        let (client, mut server) = tokio::io::duplex(3);
        let answers = [done(1), done(1)].concat();
        tokio::spawn(async move { server.write_all(&answers).await });
        let mut talk = Talk::over(client, "ldap://there");
        talk.id = 1;
        for _ in 0..2 {
            assert!(matches!(talk.hear().await, Ok((Response::SearchDone(_), _))));
        }
        assert!(matches!(talk.hear().await, Err(Failed::Ended(None))));
    }
    /// A message with an entry of so many bytes.
    fn large(bytes: usize) -> Vec<u8> {
        let entry = element(0x64, &element(OCTETS, &vec![b'a'; bytes]));
        element(SEQUENCE, &[b"\x02\x01\x01", entry.as_slice()].concat())
    }

    async fn hears(bytes: &[u8], room: &Arc<Semaphore>) -> Talk {
        let mut talk = said(bytes);
        talk.room = Room::of(room.clone());
        talk.bound();
        search(&mut talk).await;
        talk
    }

    #[tokio::test]
    async fn large_messages_share_their_room_and_give_it_back() {
        let room = Arc::new(Semaphore::new(3 * LARGE));
        let two = [large(2 * LARGE), done(1)].concat();
        let (mut one, mut other) = (hears(&two, &room).await, hears(&two, &room).await);
        let mut small = hears(&[large(LARGE / 2), done(1)].concat(), &room).await;
        assert!(matches!(one.hear().await, Ok((Response::Entry(_), _))));
        {
            let waiting = other.hear();
            tokio::pin!(waiting);
            assert!(futures::poll!(&mut waiting).is_pending());
            for _ in 0..50 {
                tokio::task::yield_now().await;
                assert!(futures::poll!(&mut waiting).is_pending(), "there is room for one of them only");
            }
            assert!(matches!(small.hear().await, Ok((Response::Entry(_), _))), "most messages need none");
            assert!(matches!(one.hear().await, Ok((Response::SearchDone(_), _))));
            assert!(matches!(waiting.await, Ok((Response::Entry(_), _))));
        }
        assert!(one.buffer.capacity() <= 2 * CHUNK, "its memory is given back too");
        drop(other);
        assert_eq!(room.available_permits(), 3 * LARGE, "also by one that ends");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_keeps_room_from_others_for_long() {
        let room = Arc::new(Semaphore::new(3 * LARGE));
        let whole = large(2 * LARGE);
        let (client, mut server) = tokio::io::duplex(64 << 10);
        let begun = whole[..whole.len() - 100].to_vec();
        tokio::spawn(async move {
            server.write_all(&begun).await.unwrap();
            while server.write_all(b"a").await.is_ok() {
                tokio::time::sleep(ANSWER / 2).await;
            }
        });
        let mut slow = Talk { room: Room::of(room.clone()), id: 1, ..Talk::over(client, "ldap://slow") };
        slow.bound();
        let mut other = hears(&whole, &room).await;
        let slow = async {
            let heard = slow.hear().await;
            drop(slow);
            heard
        };
        let (slow, other) = tokio::join!(slow, async {
            tokio::time::sleep(ANSWER).await;
            other.hear().await
        });
        assert!(matches!(slow, Err(Failed::Refused(why)) if why.contains("after 5 minutes")));
        assert!(matches!(other, Ok((Response::Entry(_), _))));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_finds_no_room_says_so() {
        let room = Arc::new(Semaphore::new(3 * LARGE));
        let all = room.clone().acquire_many_owned(u32::try_from(2 * LARGE).unwrap()).await.unwrap();
        let mut talk = hears(&large(2 * LARGE), &room).await;
        assert!(matches!(talk.hear().await, Err(Failed::NoRoom)));
        drop(all);
    }
}
