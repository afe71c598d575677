//! One conversation: a request goes out, its answers come in, one at a time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::ber::{self, Malformed, SEQUENCE};
use super::limit::{BEFORE_BIND, MESSAGE, UNASKED};
use super::message::{Control, LdapResult, Message, Request, Response};

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
    /// What should be asked is no LDAP filter.
    Filter(String),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Malformed> for Failed {
    fn from(Malformed(what): Malformed) -> Self {
        Self::Refused(format!("a message that is no LDAP ({what})"))
    }
}

/// What bytes come from and go to.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A conversation with one server.
pub(in crate::source::ldap) struct Talk {
    stream: Box<dyn Duplex>,
    /// Which server, for the log.
    url: String,
    /// What came and was not understood yet, from `read` on.
    buffer: Vec<u8>,
    read: usize,
    /// Of the request that is being answered.
    id: i32,
    /// How long a message may be.
    longest: usize,
    unasked: u64,
}

impl Talk {
    /// Over `stream`, with nobody bound yet.
    pub(in crate::source::ldap) fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        url: &str,
    ) -> Self {
        Self {
            stream: Box::new(stream),
            url: url.to_owned(),
            buffer: Vec::new(),
            read: 0,
            id: 0,
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

    /// Sends a request; the one before it was answered to its end.
    pub(in crate::source::ldap) async fn ask(
        &mut self,
        request: Request<'_>,
        controls: &[Control],
    ) -> Result<(), Failed> {
        self.id = self.id.checked_add(1).unwrap_or(1);
        let message = request.message(self.id, controls).ok_or_else(|| match request {
            Request::Search { filter, .. } => Failed::Filter(filter.to_owned()),
            _ => Failed::Filter(String::new()),
        })?;
        let sending = async {
            self.stream.write_all(&message).await?;
            self.stream.flush().await
        };
        Ok(timeout(ANSWER, sending).await.map_err(|_| Failed::Silent)??)
    }

    /// The next answer to the request.
    pub(in crate::source::ldap) async fn hear(&mut self) -> Result<(Response, Vec<Control>), Failed> {
        loop {
            let (from, to) = self.message().await?;
            let message = Message::parse(&self.buffer[from..to])?;
            self.read = to;
            if message.id == self.id {
                return Ok(message.response()?);
            }
            if let Some(notice) = message.disconnection()? {
                return Err(Failed::Ended(Some(notice)));
            }
            if message.is_of_search() {
                // Passed over, it would be an entry that is not there.
                return Err(Failed::Refused("an answer to a search that is not under way".to_owned()));
            }
            self.unasked += 1;
            if self.unasked == 1 {
                tracing::warn!(
                    url = self.url,
                    "the server sends messages that nobody asked for; they are passed over"
                );
            }
            if self.unasked > UNASKED {
                return Err(Failed::Refused(format!("more than {UNASKED} messages that nobody asked for")));
            }
        }
    }

    /// Where in the buffer the content of the next message is.
    async fn message(&mut self) -> Result<(usize, usize), Failed> {
        loop {
            let there = &self.buffer[self.read..];
            // What is no message at all is seen by its first byte: its length would be anything.
            if there.first().is_some_and(|tag| *tag != SEQUENCE) {
                return Err(Malformed("it does not begin as a message").into());
            }
            let length = match ber::head(there)? {
                Some((_, before, length)) if length > self.longest => {
                    let _: usize = before;
                    return Err(Failed::Refused(format!(
                        "a message of {length} bytes, and {} are the most",
                        self.longest
                    )));
                }
                Some((_, before, length)) if there.len() - before >= length => {
                    let from = self.read + before;
                    return Ok((from, from + length));
                }
                Some((_, before, length)) => before + length,
                None => CHUNK,
            };
            self.more(length).await?;
        }
    }

    /// Reads on, for a message of so many bytes at most.
    async fn more(&mut self, length: usize) -> Result<(), Failed> {
        self.buffer.drain(..self.read);
        self.read = 0;
        if self.buffer.is_empty() && self.buffer.capacity() > 16 * CHUNK {
            self.buffer = Vec::new();
        }
        // Room for what is there, doubled, and never for what is only said to come.
        let room = length.saturating_sub(self.buffer.len()).clamp(CHUNK, self.buffer.len().max(CHUNK));
        if self.buffer.capacity() - self.buffer.len() < CHUNK {
            self.buffer.reserve_exact(room);
        }
        match timeout(ANSWER, self.stream.read_buf(&mut self.buffer)).await {
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

    use super::*;
    use crate::source::ldap::wire::Scope;
    use crate::source::ldap::wire::ber::element;

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
    #[case::not_ldap(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "does not begin")]
    #[case::no_definite_length(b"\x30\x80\x02\x01\x01".to_vec(), "definite")]
    #[case::too_long_before_the_bind(b"\x30\x83\x01\x00\x01".to_vec(), "65537 bytes, and 65536")]
    #[case::a_foreign_operation(b"\x30\x05\x02\x01\x01\x42\x00".to_vec(), "no search or login")]
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
            assert!(why.contains("not under way"), "{why}");
        }
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
}
