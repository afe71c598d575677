//! Proxies that cut connections after so many bytes: from the server, or to it.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::faults::Dice;

/// Listens until it is dropped.
pub(crate) struct Cut {
    pub(crate) port: u16,
    task: JoinHandle<()>,
}

impl Cut {
    /// Lets `after` bytes of each connection come back from 127.0.0.1:`to`.
    pub(crate) async fn start(to: u16, after: u64) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // While nobody listens there, a client is refused here too.
                if let Ok(server) = TcpStream::connect(("127.0.0.1", to)).await {
                    tokio::spawn(relay(client, server, after));
                }
            }
        });
        Self { port, task }
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn relay(client: TcpStream, server: TcpStream, after: u64) {
    let (mut from_client, mut to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    let asking = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    // An error here is the cut seen from the other side.
    drop(tokio::io::copy(&mut from_server.take(after), &mut to_client).await);
    drop(to_client.shutdown().await);
    asking.abort();
}

/// A proxy that cuts its first connections, each after some bytes of what is sent.
pub(crate) struct Cuts {
    pub(crate) port: u16,
    /// Those that are still to come.
    pub(crate) left: Arc<Mutex<Vec<u64>>>,
    task: JoinHandle<()>,
}

impl Cuts {
    /// So many cuts of connections to 127.0.0.1:`to`, each after fewer bytes than `within`.
    pub(crate) async fn start(to: u16, many: u64, within: u64) -> Self {
        let mut dice = Dice::new();
        let left: Vec<u64> = (0..many).map(|_| 1500 + dice.below(within)).collect();
        let left = Arc::new(Mutex::new(left));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (port, cuts) = (listener.local_addr().unwrap().port(), left.clone());
        let task = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                // While nobody listens there, a client is refused here too, and that is none of the cuts.
                let Ok(mut server) = TcpStream::connect(("127.0.0.1", to)).await else { continue };
                let cut = cuts.lock().unwrap().pop();
                tokio::spawn(async move {
                    let Some(cut) = cut else {
                        return drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
                    };
                    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
                        (client.split(), server.split());
                    let mut asked = (&mut from_client).take(cut);
                    // Whichever ends first ends both.
                    tokio::select! {
                        _ = tokio::io::copy(&mut asked, &mut to_server) => {}
                        _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
                    }
                });
            }
        });
        Self { port, left, task }
    }
}

impl Drop for Cuts {
    fn drop(&mut self) {
        self.task.abort();
    }
}
