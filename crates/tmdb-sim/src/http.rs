//! As much of HTTP/1.1 as the simulator needs: requests with a bounded body, answers with a length.

// Writing to a Vec cannot fail: the results of `write!` are ignored.
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Longest request taken, head and body.
const MAX_REQUEST_BYTES: usize = 1 << 20;
/// Bodies up to this length are not compressed.
const MIN_GZIP_BYTES: usize = 1_024;

/// A request, split into what the simulator looks at.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Decoded, without the query.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) bearer: Option<String>,
    pub(crate) if_none_match: Option<String>,
    pub(crate) gzip: bool,
    pub(crate) close: bool,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The first query value of this name.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Reads the next request; `None` where the client is done or does not speak HTTP/1.1.
    pub(crate) async fn read(
        stream: &mut (impl AsyncRead + Unpin),
        buffer: &mut Vec<u8>,
    ) -> Option<Self> {
        let head_len = loop {
            if let Some(at) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            fill(stream, buffer).await?;
        };
        let head = String::from_utf8_lossy(buffer.get(..head_len)?).into_owned();
        let (mut request, length) = Self::parse(&head)?;
        while buffer.len() < head_len.checked_add(length)? {
            fill(stream, buffer).await?;
        }
        request.body = buffer.get(head_len..head_len + length)?.to_vec();
        buffer.drain(..head_len + length);
        Some(request)
    }

    fn parse(head: &str) -> Option<(Self, usize)> {
        let mut lines = head.lines();
        let mut first = lines.next()?.split(' ');
        let (method, target) = (first.next()?, first.next()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let query = pairs.map(|(key, value)| (decode(key, true), decode(value, true))).collect();
        let mut request =
            Self { method: method.to_owned(), path: decode(path, false), query, ..Self::default() };
        let mut length = 0;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "authorization" => {
                    request.bearer =
                        value.strip_prefix("Bearer ").map(|token| token.trim().to_owned())
                }
                "if-none-match" => request.if_none_match = Some(value.to_owned()),
                "accept-encoding" => request.gzip = value.contains("gzip"),
                "connection" => request.close = value.eq_ignore_ascii_case("close"),
                "content-length" => length = value.parse().ok()?,
                "transfer-encoding" => return None,
                _ => {}
            }
        }
        Some((request, length))
    }
}

async fn fill(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> Option<()> {
    let read = stream.read_buf(buffer).await.ok()?;
    (read > 0 && buffer.len() <= MAX_REQUEST_BYTES).then_some(())
}

fn decode(text: &str, plus: bool) -> String {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let mut rest = bytes.clone();
        let digits = (rest.next().and_then(hex), rest.next().and_then(hex));
        match (byte, digits) {
            (b'%', (Some(high), Some(low))) => {
                out.push(high * 16 + low);
                bytes = rest;
            }
            (b'+', _) if plus => out.push(b' '),
            _ => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// An answer before it is written.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    content_type: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Sent as it is, whatever the client accepts.
    is_final: bool,
}

impl Response {
    /// An answer in JSON.
    pub(crate) fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            content_type: "application/json;charset=utf-8",
            headers: Vec::new(),
            body: body.into(),
            is_final: false,
        }
    }

    /// An answer in HTML, as the edge in front of the API gives it.
    pub(crate) fn html(status: u16) -> Self {
        let body = format!(
            "<html>\r\n<head><title>{status}</title></head>\r\n\
             <body><center><h1>{status}</h1></center></body>\r\n</html>\r\n"
        );
        Self { content_type: "text/html", ..Self::json(status, body) }
    }

    /// An answer in plain text, likewise.
    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self { content_type: "text/plain; charset=UTF-8", ..Self::json(status, body) }
    }

    /// An error as the API words it; `code` is its own number.
    pub(crate) fn error(status: u16, code: u32, message: &str) -> Self {
        Self::json(
            status,
            format!(
                "{{\"success\":false,\"status_code\":{code},\"status_message\":\"{message}\"}}"
            ),
        )
    }

    /// The answer for an unknown movie; caches keep it for hours.
    pub(crate) fn not_found() -> Self {
        Self::error(404, 34, "The resource you requested could not be found.").cached(28_800)
    }

    /// The first half of the body, sent as if it were all of it.
    pub(crate) fn broken_off(mut self) -> Self {
        self.body.truncate(self.body.len() / 2);
        Self { status: 200, ..self }
    }

    /// The body packed, and no header that says so.
    pub(crate) fn unlabelled_gzip(self) -> Self {
        let body = pack(&self.body).unwrap_or_default();
        Self { body, is_final: true, ..self }
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Lets shared caches keep the answer.
    pub(crate) fn cached(self, seconds: u64) -> Self {
        self.header("Cache-Control", format!("public, max-age={seconds}"))
    }

    /// The bytes to send.
    pub(crate) fn encode(self, gzip: bool) -> Vec<u8> {
        let is_packed = gzip && !self.is_final && self.body.len() > MIN_GZIP_BYTES;
        let packed = if is_packed { pack(&self.body) } else { None };
        let body = packed.as_ref().unwrap_or(&self.body);
        let mut out = Vec::with_capacity(body.len() + 512);
        let _ = write!(
            out,
            "HTTP/1.1 {} {}\r\nServer: openresty\r\nVary: accept-encoding, Origin\r\n",
            self.status,
            reason(self.status)
        );
        if self.status != 304 {
            let _ = write!(
                out,
                "Content-Type: {}\r\nContent-Length: {}\r\n",
                self.content_type,
                body.len()
            );
        }
        if packed.is_some() {
            out.extend_from_slice(b"Content-Encoding: gzip\r\n");
        }
        for (name, value) in &self.headers {
            let _ = write!(out, "{name}: {value}\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body);
        out
    }
}

fn pack(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Answer",
    }
}
