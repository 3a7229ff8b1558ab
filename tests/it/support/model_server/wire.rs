//! As much of HTTP/1.1 as clients of models use.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

/// The largest request that is read.
const MAX_BODY: usize = 64 << 20;

/// A request.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) method: String,
    pub(super) path: String,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Incoming {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the key that the request carries.
    pub(super) fn key(&self) -> Option<&str> {
        let bearer = self.header("authorization").map(|value| value.trim_start_matches("Bearer "));
        bearer.or_else(|| self.header("x-api-key")).or_else(|| self.header("x-goog-api-key"))
    }
}

/// Reads the next request of a connection; `None` if there is none.
pub(super) fn read(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Incoming>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut incoming = Incoming { method, path, headers, body: Vec::new() };
    if incoming.header("expect").is_some() {
        reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    incoming.body = if incoming.header("transfer-encoding").is_some() {
        read_chunks(reader)?
    } else {
        let length = incoming.header("content-length").and_then(|length| length.parse().ok());
        read_exactly(reader, length.unwrap_or(0))?
    };
    Ok(Some(incoming))
}

fn read_exactly(reader: &mut BufReader<TcpStream>, length: usize) -> io::Result<Vec<u8>> {
    if length > MAX_BODY {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(body)
}

fn read_chunks(reader: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
        if body.len() + size > MAX_BODY {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        body.extend(read_exactly(reader, size)?);
        reader.read_line(&mut String::new())?;
        if size == 0 {
            return Ok(body);
        }
    }
}

/// Writes the head of an answer whose body follows in chunks, or that has so many bytes.
pub(super) fn head(
    stream: &mut TcpStream,
    status: u16,
    content_type: &str,
    headers: &[(String, String)],
    length: Option<usize>,
) -> io::Result<()> {
    let reason = match status {
        200 => "OK",
        426 => "Upgrade Required",
        _ => "Scripted",
    };
    let mut head = format!("HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\n");
    let lines: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    head += &lines.concat();
    let end = match length {
        Some(length) => format!("Content-Length: {length}\r\n\r\n"),
        None => "Transfer-Encoding: chunked\r\n\r\n".to_owned(),
    };
    head += &end;
    stream.write_all(head.as_bytes())
}

/// Writes an answer that is whole.
pub(super) fn whole(
    stream: &mut TcpStream,
    status: u16,
    content_type: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> io::Result<()> {
    head(stream, status, content_type, headers, Some(body.len()))?;
    stream.write_all(body)
}

/// Writes a piece of an answer; an empty one ends it.
pub(super) fn chunk(stream: &mut TcpStream, data: &[u8]) -> io::Result<()> {
    let mut bytes = format!("{:x}\r\n", data.len()).into_bytes();
    bytes.extend_from_slice(data);
    bytes.extend_from_slice(b"\r\n");
    stream.write_all(&bytes)
}
