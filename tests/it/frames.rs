//! Frames of HTTP/2, written by hand for peers that no server library would be.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// Sends a frame: its kind, flags and stream, and what it carries.
pub async fn write(
    stream: &mut TcpStream,
    (kind, flags, id): (u8, u8, u32),
    payload: &[u8],
) -> std::io::Result<()> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(id.to_be_bytes());
    frame.extend(payload);
    stream.write_all(&frame).await
}

/// Kind, flags, stream and payload of the next frame. Settings are confirmed.
pub async fn read(stream: &mut TcpStream) -> std::io::Result<(u8, u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload).await?;
    let (kind, flags) = (head[3], head[4]);
    if kind == SETTINGS && flags == 0 {
        write(stream, (SETTINGS, 1, 0), &[]).await?;
    }
    let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Ok((kind, flags, id, payload))
}
