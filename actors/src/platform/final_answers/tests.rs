use std::{collections::VecDeque, task::Waker};

use proptest::prelude::*;

use super::*;

const HINTS: &[u8] = b"HTTP/1.1 103 Early Hints\r\nlink: </s.css>\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const UPGRADE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n";

/// A server that writes these pieces. After the last one it stays silent or closes the connection.
#[derive(Default)]
struct Server {
    pieces: VecDeque<Vec<u8>>,
    hangs_up: bool,
}

impl AsyncRead for Server {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Some(mut piece) = self.pieces.pop_front() else {
            return if self.hangs_up { Poll::Ready(Ok(())) } else { Poll::Pending };
        };
        let rest = piece.split_off(piece.len().min(buffer.remaining()));
        buffer.put_slice(&piece);
        if !rest.is_empty() {
            self.pieces.push_front(rest);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Server {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn client() -> FinalAnswers<Server> {
    FinalAnswers::of(Server::default())
}

fn write(client: &mut FinalAnswers<Server>, bytes: &[u8]) {
    let written = Pin::new(client).poll_write(&mut Context::from_waker(Waker::noop()), bytes);
    assert!(matches!(written, Poll::Ready(Ok(count)) if count == bytes.len()));
}

/// Reads with a buffer of `size` bytes until the server stays silent or closes the connection.
fn read(client: &mut FinalAnswers<Server>, size: usize) -> io::Result<Vec<u8>> {
    let mut told = Vec::new();
    let mut memory = vec![0; size];
    loop {
        let mut buffer = ReadBuf::new(&mut memory);
        match Pin::new(&mut *client).poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer) {
            Poll::Ready(read) => read?,
            Poll::Pending => return Ok(told),
        }
        if buffer.filled().is_empty() {
            return Ok(told);
        }
        told.extend_from_slice(buffer.filled());
    }
}

/// Returns what a client reads of these pieces after its first request. The server keeps the connection.
fn exchange(pieces: &[&[u8]]) -> io::Result<Vec<u8>> {
    exchange_with(pieces, false)
}

/// The same with a server that closes the connection after the last piece.
fn exchange_to_the_end(pieces: &[&[u8]]) -> io::Result<Vec<u8>> {
    exchange_with(pieces, true)
}

fn exchange_with(pieces: &[&[u8]], hangs_up: bool) -> io::Result<Vec<u8>> {
    let mut client = client();
    write(&mut client, b"GET / HTTP/1.1\r\n\r\n");
    client.stream.pieces = pieces.iter().map(|piece| piece.to_vec()).collect();
    client.stream.hangs_up = hangs_up;
    read(&mut client, 8192)
}

#[test]
fn informational_answers_are_removed_before_any_final_one() {
    let others: &[u8] =
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 102 Processing\nx: y\n\nHTTP/1.1 199\r\nodd : z\r\n\r\n";
    for before in [b"", HINTS, others] {
        assert_eq!(exchange(&[before, ANSWER]).unwrap(), ANSWER);
        assert_eq!(exchange(&[&[before, ANSWER].concat()]).unwrap(), ANSWER);
    }
    for answer in ["HTTP/1.1 404 Not Found\r\n\r\n", "HTTP/1.0 204\r\n\r\n", "HTTP/1.1 304 Not Modified\r\n\r\n"] {
        assert_eq!(exchange(&[HINTS, answer.as_bytes()]).unwrap(), answer.as_bytes());
    }
}

#[test]
fn switching_protocols_and_everything_after_it_stay() {
    let mut client = client();
    write(&mut client, b"GET / HTTP/1.1\r\n\r\n");
    client.stream.pieces.extend([[HINTS, UPGRADE, b"frames"].concat()]);
    assert_eq!(read(&mut client, 8192).unwrap(), [UPGRADE, b"frames"].concat());
    for frames in [HINTS, ANSWER, UPGRADE] {
        write(&mut client, b"a frame");
        client.stream.pieces.extend([frames.to_vec()]);
        assert_eq!(read(&mut client, 8192).unwrap(), frames);
    }
    assert_eq!(client.held.capacity(), 0, "a websocket holds no memory");
}

#[test]
fn a_body_that_looks_like_an_informational_answer_stays() {
    let answer = [b"HTTP/1.1 200 OK\r\ncontent-length: 44\r\n\r\n", HINTS].concat();
    assert_eq!(exchange(&[&answer]).unwrap(), answer);
    let mut client = client();
    for _ in 0..3 {
        write(&mut client, b"GET / HTTP/1.1\r\n\r\n");
        client.stream.pieces.extend([HINTS.to_vec(), answer[..30].to_vec(), answer[30..39].to_vec(), HINTS.to_vec()]);
        assert_eq!(read(&mut client, 8192).unwrap(), answer);
    }
}

#[test]
fn an_answer_that_is_early_is_read_after_a_request_in_many_pieces() {
    let mut client = client();
    for _ in 0..2 {
        write(&mut client, b"PUT / HTTP/1.1\r\ncontent-length: 200000\r\n\r\n");
        client.stream.pieces.extend([[HINTS, ANSWER].concat()]);
        for _ in 0..20 {
            write(&mut client, &[b'x'; 10_000]);
        }
        assert_eq!(read(&mut client, 8192).unwrap(), ANSWER);
    }
}

/// A pool reads two bytes of an idle connection: bytes that arrive there belong to no request.
#[test]
fn what_comes_between_two_requests_is_read() {
    for unasked in [HINTS, ANSWER] {
        let mut client = client();
        write(&mut client, b"GET / HTTP/1.1\r\n\r\n");
        client.stream.pieces.extend([ANSWER.to_vec()]);
        assert_eq!(read(&mut client, 8192).unwrap(), ANSWER);
        client.stream.pieces.extend([unasked.to_vec()]);
        assert_eq!(read(&mut client, 2).unwrap(), unasked);
    }
}

#[test]
fn what_is_no_answer_and_what_ends_early_is_read() {
    let malformed: &[u8] = b"HTTP/1.1 103 Early Hints\r\nlink\r\n\r\n";
    let ended: [&[u8]; 7] =
        [b"garbage", b"HTT", b"HTTP/1.1 10", b"HTTP/1.1 103 Early", b"", malformed, &malformed[..30]];
    for bytes in ended {
        assert_eq!(exchange_to_the_end(&[bytes]).unwrap(), bytes, "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn a_body_that_has_a_length_or_chunks_and_breaks_off_is_an_error() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n", "y".repeat(20_000));
    for (head, is_error) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n", true),
        (&format!("{long}content-length: 9\r\n\r\n"), true),
        ("HTTP/1.0 200 OK\r\n\r\n", false),
        (&format!("{long}\r\n"), false),
    ] {
        let answer = format!("{head}ok");
        for size in [1, 40, answer.len()] {
            for before in [b"", HINTS] {
                let bytes = [before, answer.as_bytes()].concat();
                let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
                match exchange_to_the_end(&pieces) {
                    Ok(read) => assert!(!is_error && read == answer.as_bytes(), "{head}"),
                    Err(error) => assert!(is_error && error.kind() == io::ErrorKind::UnexpectedEof, "{head} {error}"),
                }
            }
        }
    }
}

#[test]
fn informational_answers_without_an_end_are_an_error() {
    let many = HINTS.repeat(2_000);
    let long = [b"HTTP/1.1 103 Early Hints\r\nlink: ", "x".repeat(100_000).as_bytes()].concat();
    let lines_only = b"\r\n".repeat(50_000);
    for endless in [many, long, lines_only] {
        let pieces: Vec<&[u8]> = endless.chunks(1_000).collect();
        assert!(exchange(&pieces).unwrap_err().to_string().contains("too long"));
    }
    // The limit applies to each request.
    let mut client = client();
    for _ in 0..20 {
        write(&mut client, b"GET / HTTP/1.1\r\n\r\n");
        client.stream.pieces.extend([HINTS.repeat(100), ANSWER.to_vec()]);
        assert_eq!(read(&mut client, 8192).unwrap(), ANSWER);
    }
}

#[test]
fn what_is_held_is_not_shown() {
    let mut client = client();
    client.stream.pieces.extend([b"HTTP/1.1 103 sEcReT".to_vec()]);
    assert_eq!(read(&mut client, 8192).unwrap(), b"");
    let client = FinalAnswers { stream: (), stage: client.stage, held: client.held, removed: 0 };
    assert!(!client.held.is_empty() && !format!("{client:?}").contains("sEcReT"));
}

prop_compose! {
    fn informational()(
        status in prop_oneof![Just(100), 102..200],
        lines in prop::collection::vec(("[a-z]{1,9}", "[ -~]{0,20}"), 0..4),
    ) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {status} Words\r\n");
        lines.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        (head + "\r\n").into_bytes()
    }
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![prop::collection::vec(any::<u8>(), 0..200), informational(), Just([ANSWER, HINTS].concat())]
}

prop_compose! {
    fn answer()(status in 200..600, body in body()) -> Vec<u8> {
        [format!("HTTP/1.1 {status} Words\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes(), &body].concat()
    }
}

proptest! {
    #[test]
    fn any_answer_is_read_byte_for_byte(
        exchanges in prop::collection::vec((prop::collection::vec(informational(), 0..4), answer()), 1..4),
        cuts in prop::collection::vec(1..40_usize, 1..20),
        size in 1..200_usize,
    ) {
        let mut client = client();
        let mut cuts = cuts.into_iter().cycle();
        for (before, answer) in exchanges {
            write(&mut client, b"POST / HTTP/1.1\r\n");
            write(&mut client, b"\r\n");
            let mut bytes = before.concat();
            bytes.extend(&answer);
            while !bytes.is_empty() {
                let cut = cuts.next().map_or(1, |cut| cut.min(bytes.len()));
                client.stream.pieces.extend([bytes.drain(..cut).collect::<Vec<u8>>()]);
            }
            prop_assert_eq!(read(&mut client, size).unwrap(), answer);
        }
    }
}
