//! A server that gives one answer to everybody, and a client of it.

use std::sync::Arc;

use tmdb::{Call, CallLog, Client, Config, Credential, Unlimited};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

struct Silent;

impl CallLog for Silent {
    fn record(&self, _: Call) {}
}

/// A client that gets this status and body as the answer to every request.
pub(crate) async fn answered_with(status: u16, content_type: &str, body: Vec<u8>) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}/3", listener.local_addr().unwrap());
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n"
    );
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            // A client that went away is not answered.
            if stream.read(&mut request).await.is_ok()
                && stream.write_all(head.as_bytes()).await.is_ok()
            {
                let _ = stream.write_all(&body).await;
            }
        }
    });
    let config =
        Config { base_url, credential: Some(Credential::any("sesame")), ..Config::default() };
    Client::new(config, Arc::new(Silent), Arc::new(Unlimited)).unwrap()
}
