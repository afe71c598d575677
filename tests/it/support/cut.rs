//! A proxy that cuts the connection after so many bytes from the server.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

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
                let server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                tokio::spawn(relay(client, server, after));
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
