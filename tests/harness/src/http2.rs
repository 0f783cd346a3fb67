//! A client of HTTP/2 that is not a good one: it asks for much at once and takes nothing, or gives up what it asked for.
//! It writes frames by hand (RFC 9113), since a library would not do so.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The types of frames that it knows.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// The setting `SETTINGS_INITIAL_WINDOW_SIZE`, and the error code `CANCEL`.
const INITIAL_WINDOW: u16 = 4;
const CANCEL: u32 = 8;

/// One connection, on which each request is a stream.
#[derive(Debug)]
pub struct Http2 {
    stream: TcpStream,
    authority: String,
    received: Vec<u8>,
    next_stream: u32,
    /// Streams that ended by themselves.
    pub complete: usize,
    /// Streams that the server broke off.
    pub reset: usize,
}

impl Http2 {
    /// Connects. The server may send `window` bytes on each stream, beyond the head of an answer.
    pub fn connect(authority: &str, window: u32) -> io::Result<Self> {
        let stream = TcpStream::connect(authority)?;
        stream.set_nodelay(true)?;
        let (authority, received) = (authority.to_owned(), Vec::new());
        let mut client = Self { stream, authority, received, next_stream: 1, complete: 0, reset: 0 };
        client.stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")?;
        client.set_window(window)?;
        Ok(client)
    }

    /// Lets the server send this number of bytes on each stream, also on those that are open.
    pub fn set_window(&mut self, window: u32) -> io::Result<()> {
        self.frame(SETTINGS, 0, 0, &[&INITIAL_WINDOW.to_be_bytes()[..], &window.to_be_bytes()].concat())?;
        // That of the connection, once and for all.
        if window > 0 { self.frame(WINDOW_UPDATE, 0, 0, &(1_u32 << 30).to_be_bytes()) } else { Ok(()) }
    }

    /// Sends a request, and answers with the number of its stream.
    pub fn send(&mut self, method: &str, path: &str, fields: &[(&str, &str)], body: &[u8]) -> io::Result<u32> {
        let stream = self.next_stream;
        self.next_stream += 2;
        let length = body.len().to_string();
        let authority = self.authority.clone();
        let mut head = Vec::new();
        let usual = [(":method", method), (":scheme", "http"), (":path", path), (":authority", &authority)];
        let of_body = [("content-length", length.as_str()), ("content-type", "application/json")];
        let of_body = of_body.into_iter().filter(|_| !body.is_empty());
        for (name, value) in usual.into_iter().chain(of_body).chain(fields.iter().copied()) {
            // A literal that is not indexed (RFC 7541, 6.2.2).
            head.push(0);
            for text in [name, value] {
                head.push(u8::try_from(text.len()).ok().filter(|length| *length < 127).expect("short fields"));
                head.extend_from_slice(text.as_bytes());
            }
        }
        let ended = if body.is_empty() { END_STREAM } else { 0 };
        self.frame(HEADERS, END_HEADERS | ended, stream, &head)?;
        if !body.is_empty() {
            self.frame(DATA, END_STREAM, stream, body)?;
        }
        Ok(stream)
    }

    /// Gives up a request.
    pub fn cancel(&mut self, stream: u32) -> io::Result<()> {
        self.frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())
    }

    /// Reads what the server sends, for as long as this or until the connection ends, or until `count` streams have
    /// ended. Counts how they ended.
    pub fn read(&mut self, count: usize, time: Duration) -> io::Result<()> {
        let end = Instant::now() + time;
        self.stream.set_read_timeout(Some(Duration::from_millis(50)))?;
        while self.complete + self.reset < count && Instant::now() < end {
            let mut piece = [0; 64 << 10];
            match self.stream.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(read) => self.received.extend_from_slice(&piece[..read]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error),
            }
            self.frames()?;
        }
        Ok(())
    }

    fn frames(&mut self) -> io::Result<()> {
        while let [a, b, c, kind, flags, ..] = *self.received {
            let end = 9 + usize::from(a) * 65_536 + usize::from(b) * 256 + usize::from(c);
            if self.received.len() < end {
                return Ok(());
            }
            self.received.drain(..end);
            match kind {
                SETTINGS if flags & ACK == 0 => self.frame(SETTINGS, ACK, 0, &[])?,
                DATA | HEADERS if flags & END_STREAM != 0 => self.complete += 1,
                RST_STREAM => self.reset += 1,
                GOAWAY => return Err(ErrorKind::ConnectionAborted.into()),
                _ => {}
            }
        }
        Ok(())
    }

    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        self.stream.write_all(&[head.as_slice(), payload].concat())
    }
}
