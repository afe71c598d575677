//! A name server that knows a few names.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread::{JoinHandle, spawn};

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

/// Answers until it is dropped.
pub(crate) struct Dns {
    pub(crate) address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

/// A name, without the last dot, and what is there.
pub(crate) type Known = (String, RData);

/// A host that is there.
pub(crate) fn host(name: &str, address: Ipv4Addr) -> Known {
    (name.to_owned(), RData::A(A(address)))
}

/// A service that a host offers.
pub(crate) fn service(name: &str, priority: u16, weight: u16, port: u16, target: &str) -> Known {
    let target = Name::from_ascii(format!("{target}.")).unwrap();
    (name.to_owned(), RData::SRV(SRV::new(priority, weight, port, target)))
}

impl Dns {
    pub(crate) fn start(known: Vec<Known>) -> Self {
        Self::at((Ipv4Addr::LOCALHOST, 0).into(), known)
    }

    pub(crate) fn at(place: SocketAddr, known: Vec<Known>) -> Self {
        let socket = UdpSocket::bind(place).unwrap();
        let address = socket.local_addr().unwrap();
        let thread = spawn(move || {
            let mut buffer = [0; 1500];
            // Nothing at all is what ends it.
            while let Ok((length @ 1.., from)) = socket.recv_from(&mut buffer) {
                let answer = answer(&Message::from_vec(&buffer[..length]).unwrap(), &known);
                socket.send_to(&answer.to_vec().unwrap(), from).unwrap();
            }
        });
        Self { address, thread: Some(thread) }
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        let end =
            UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.send_to(&[], self.address));
        if let (Ok(_), Some(thread)) = (end, self.thread.take()) {
            drop(thread.join());
        }
    }
}

fn answer(asked: &Message, known: &[Known]) -> Message {
    let mut answer = Message::response(asked.metadata.id, asked.metadata.op_code);
    let query = &asked.queries[0];
    let name = query.name().to_ascii().trim_end_matches('.').to_lowercase();
    let mine: Vec<_> = known.iter().filter(|(one, _)| one.to_lowercase() == name).collect();
    answer.metadata.recursion_available = true;
    answer.metadata.response_code =
        if mine.is_empty() { ResponseCode::NXDomain } else { ResponseCode::NoError };
    answer.add_query(query.clone());
    for (_, data) in mine.into_iter().filter(|(_, data)| data.record_type() == query.query_type()) {
        answer.add_answer(Record::from_rdata(query.name().clone(), 60, data.clone()));
    }
    debug_assert!([RecordType::A, RecordType::AAAA, RecordType::SRV].contains(&query.query_type()));
    answer
}
