//! A proxy as companies have them (CONNECT, RFC 9110 section 9.3.6), whose far ends are all one server.

use std::io::{BufRead as _, BufReader, Write as _, copy};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A proxy that leads everybody to one server; it remembers where they wanted to go.
pub(crate) struct Proxy {
    pub(crate) url: String,
    wanted: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub(crate) fn to(server: SocketAddr) -> Self {
        Self::open(server, None)
    }

    /// One that lets only those through who show this, in the header `Proxy-Authorization`.
    pub(crate) fn asking(server: SocketAddr, credentials: &str) -> Self {
        Self::open(server, Some(format!("proxy-authorization: {credentials}")))
    }

    fn open(server: SocketAddr, shown: Option<String>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let wanted = Arc::new(Mutex::new(Vec::new()));
        let heard = wanted.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let (heard, shown) = (heard.clone(), shown.clone());
                thread::spawn(move || serve(client.unwrap(), server, shown.as_deref(), &heard));
            }
        });
        Self { url, wanted }
    }

    /// Where clients wanted to go, since the last time.
    pub(crate) fn wanted(&self) -> Vec<String> {
        std::mem::take(&mut self.wanted.lock().unwrap())
    }
}

/// Whoever goes away has heard enough.
fn serve(
    client: TcpStream,
    server: SocketAddr,
    shown: Option<&str>,
    heard: &Mutex<Vec<String>>,
) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    heard.lock().unwrap().push(first.split(' ').nth(1)?.to_owned());
    let (mut line, mut is_let_in) = (String::new(), shown.is_none());
    while reader.read_line(&mut line).ok()? > 2 {
        let same = |shown: &str| {
            let (name, value) = shown.split_once(": ").unwrap_or_default();
            line.split_once(": ")
                .is_some_and(|(own, it)| own.eq_ignore_ascii_case(name) && it.trim() == value)
        };
        is_let_in |= shown.is_some_and(same);
        line.clear();
    }
    let mut near = client;
    if !is_let_in {
        let asks =
            b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"corp\"\r\n\
                     Content-Length: 0\r\n\r\n";
        near.write_all(asks).ok()?;
        return None;
    }
    let far = TcpStream::connect(server).ok()?;
    near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").ok()?;
    let (mut to, mut back) = (far.try_clone().ok()?, near.try_clone().ok()?);
    thread::spawn(move || {
        copy(&mut reader, &mut to).ok();
        to.shutdown(Shutdown::Write).ok()
    });
    copy(&mut &far, &mut back).ok();
    back.shutdown(Shutdown::Write).ok()
}
