//! As much HTTP/1.1 as the benchmark needs: heads, and bodies of known length or in chunks.
//!
//! Used by the upstream and by the load. It reads into one buffer that is kept for the life of a
//! connection, and takes the peer to be correct: anything odd is an error that ends the run.

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::Failure;

/// A connection and what was read from it but not used.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
    /// Where the unused bytes start.
    start: usize,
}

/// How a body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// So many bytes.
    Sized(usize),
    /// In chunks.
    Chunked,
}

/// What a head says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    /// Status of a response.
    pub(crate) status: u16,
    pub(crate) body: Body,
    /// Whether the connection ends after this message.
    pub(crate) closes: bool,
}

impl Connection {
    /// Over a connected socket.
    pub(crate) fn new(stream: TcpStream) -> Result<Self, Failure> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 * 1024), start: 0 })
    }

    fn unused(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Reads more; false at the end of the connection.
    async fn fill(&mut self) -> Result<bool, Failure> {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.reserve(16 * 1024);
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }

    /// The next head; `None` if the connection ended before it.
    pub(crate) async fn head(&mut self) -> Result<Option<Head>, Failure> {
        loop {
            if let Some(end) = memchr::memmem::find(self.unused(), b"\r\n\r\n") {
                let head = parse_head(self.unused().get(..end + 2).unwrap_or_default())?;
                self.start += end + 4;
                return Ok(Some(head));
            }
            if !self.fill().await? {
                return if self.unused().is_empty() { Ok(None) } else { Err("torn head".into()) };
            }
        }
    }

    /// A body of known length, lent until the next call.
    pub(crate) async fn sized(&mut self, length: usize) -> Result<&[u8], Failure> {
        while self.unused().len() < length {
            self.buffer.reserve(length);
            if !self.fill().await? {
                return Err("torn body".into());
            }
        }
        let from = self.start;
        self.start += length;
        Ok(self.buffer.get(from..from + length).unwrap_or_default())
    }

    /// Adds the next pieces of a body in chunks to `into`; false after the last one.
    pub(crate) async fn chunks(&mut self, into: &mut Vec<u8>) -> Result<bool, Failure> {
        let before = into.len();
        loop {
            match next_chunk(self.unused())? {
                Some((0, used)) => {
                    self.start += used;
                    return Ok(false);
                }
                Some((length, used)) => {
                    let data = self.unused().get(used - length - 2..used - 2);
                    into.extend_from_slice(data.unwrap_or_default());
                    self.start += used;
                }
                None if into.len() > before => return Ok(true),
                None => {
                    if !self.fill().await? {
                        return Err("torn chunk".into());
                    }
                }
            }
        }
    }

    /// Whether nothing is left over between two messages.
    pub(crate) fn is_clean(&self) -> bool {
        self.unused().is_empty()
    }
}

/// Length of the first chunk and bytes it takes with its frame; `None` if it is not all there.
fn next_chunk(bytes: &[u8]) -> Result<Option<(usize, usize)>, Failure> {
    let Some(line) = memchr::memmem::find(bytes, b"\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(bytes.get(..line).unwrap_or_default())?;
    let length = usize::from_str_radix(text.trim(), 16)?;
    let used = line + 2 + length + 2;
    match bytes.get(used - 2..used) {
        None => Ok(None),
        Some(b"\r\n") => Ok(Some((length, used))),
        Some(_) => Err("a chunk has the wrong length".into()),
    }
}

fn parse_head(head: &[u8]) -> Result<Head, Failure> {
    let text = std::str::from_utf8(head)?;
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = match first.strip_prefix("HTTP/1.1 ") {
        Some(rest) => rest.get(..3).unwrap_or_default().parse()?,
        None => 0,
    };
    let mut parsed = Head { status, body: Body::Sized(0), closes: false };
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            parsed.body = Body::Sized(value.parse()?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            parsed.body = Body::Chunked;
        } else if name.eq_ignore_ascii_case("connection") {
            parsed.closes = value.eq_ignore_ascii_case("close");
        }
    }
    Ok(parsed)
}
