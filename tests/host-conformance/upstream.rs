//! Another server, which components send requests to. It does what the path of a request says, on each connection for as
//! long as that is kept.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How long it waits for what should happen at once.
const LONG: Duration = Duration::from_secs(20);

/// The pause between the bytes of an answer that drips.
const DRIP: Duration = Duration::from_millis(20);

/// A server that lives as long as the test.
pub struct Upstream {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    gone: Receiver<String>,
}

/// A request as it came.
#[derive(Clone)]
pub struct Seen {
    /// The port that it came from: one for each connection.
    pub from: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Seen {
    /// The values of a header.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }
}

impl Upstream {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let (left, gone) = channel();
        let all = seen.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, left) = (all.clone(), left.clone());
                thread::spawn(move || serve(stream.expect("a connection"), &seen, &left));
            }
        });
        Self { address, seen, gone }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no test has failed").clone()
    }

    /// Waits until the client has closed a connection in the middle of an answer, and tells which path that was for.
    pub fn gone(&self) -> String {
        self.gone.recv_timeout(LONG).expect("the client closes the connection")
    }

    /// Waits until this number of requests has come.
    pub fn wait_for(&self, requests: usize) {
        while self.seen().len() < requests {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// An address where nothing listens.
pub fn unused() -> String {
    TcpListener::bind("127.0.0.1:0").expect("a port is free").local_addr().expect("it has an address").to_string()
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Seen>>, left: &Sender<String>) {
    while let Some(request) = receive(&mut stream) {
        let path = request.head.split(' ').nth(1).unwrap_or_default().to_owned();
        seen.lock().expect("no test has failed").push(request);
        if answer(&mut stream, &path).is_err() {
            // A test that is over does not listen.
            _ = left.send(path);
            return;
        }
    }
}

fn receive(stream: &mut TcpStream) -> Option<Seen> {
    let from = stream.peer_addr().ok()?.port();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
        // The first byte of TLS, which this server does not speak.
        if head[0] == 0x16 {
            return None;
        }
    }
    let mut request = Seen { from, head: String::from_utf8_lossy(&head).into_owned(), body: Vec::new() };
    if let Some(length) = request.header("content-length").first() {
        request.body = vec![0; length.parse().ok()?];
        stream.read_exact(&mut request.body).ok()?;
    } else if request.header("transfer-encoding") == ["chunked"] {
        while !request.body.ends_with(b"0\r\n\r\n") {
            stream.read_exact(&mut byte).ok()?;
            request.body.push(byte[0]);
        }
    }
    Some(request)
}

/// Answers. An error says that the connection is over.
fn answer(stream: &mut TcpStream, path: &str) -> std::io::Result<()> {
    let over = || Err(std::io::ErrorKind::Other.into());
    let (path, number) = path.split_once('?').unwrap_or((path, "0"));
    match path {
        "/teapot" => stream.write_all(
            b"HTTP/1.1 418 I'm a teapot\r\nX-A: 1\r\nx-b: \xff\r\nx-a: 2\r\nStripe-Should-Retry: false\r\ncontent-length: 5\r\n\r\nshort",
        ),
        "/redirect" => stream.write_all(b"HTTP/1.1 302 Found\r\nlocation: /ok\r\ncontent-length: 0\r\n\r\n"),
        "/bytes" => {
            let length: usize = number.parse().expect("a number");
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n")?;
            stream.write_all(&vec![b'a'; length])
        }
        // Closes afterwards, without having said so.
        "/last" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")?;
            over()
        }
        "/nothing" => over(),
        "/nonsense" => stream.write_all(b"this is no HTTP\r\n\r\n").and_then(|()| over()),
        "/cut-head" => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-le").and_then(|()| over()),
        "/cut" => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome").and_then(|()| over()),
        "/cut-chunks" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nsome\r\n")?;
            over()
        }
        "/until-closed" => stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nsome").and_then(|()| over()),
        "/silent" => silence(stream),
        "/stalled" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome")?;
            silence(stream)
        }
        "/dripping" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
            loop {
                stream.write_all(b"1\r\na\r\n")?;
                thread::sleep(DRIP);
            }
        }
        _ => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
    }
}

/// Waits until the client has gone.
fn silence(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(LONG))?;
    match stream.read(&mut [0])? {
        0 => Err(std::io::ErrorKind::ConnectionAborted.into()),
        _ => Ok(()),
    }
}
