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
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let wanted = Arc::new(Mutex::new(Vec::new()));
        let heard = wanted.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let heard = heard.clone();
                thread::spawn(move || serve(client.unwrap(), server, &heard));
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
fn serve(client: TcpStream, server: SocketAddr, heard: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    heard.lock().unwrap().push(first.split(' ').nth(1)?.to_owned());
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 2 {
        line.clear();
    }
    let far = TcpStream::connect(server).ok()?;
    let mut near = client;
    near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").ok()?;
    let (mut to, mut back) = (far.try_clone().ok()?, near.try_clone().ok()?);
    thread::spawn(move || {
        copy(&mut reader, &mut to).ok();
        to.shutdown(Shutdown::Write).ok()
    });
    copy(&mut &far, &mut back).ok();
    back.shutdown(Shutdown::Write).ok()
}
