//! What a stream sends, piece by piece, with a paused clock.

use std::{convert::Infallible, sync::Arc};

use actix_http::ws::{CloseCode, CloseReason, Codec, Frame, Message};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, stream};
use tertulia_actors::{
    engine::Journal,
    subscriber::{EventKind, Filter},
};
use tokio::{sync::mpsc, time::pause};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::codec::{Decoder as _, Encoder as _};

use super::{
    super::{query::Start, server_sent::ServerSent, socket::Socket},
    following, journal, read_event, say,
};

type Pieces = stream::LocalBoxStream<'static, Result<Bytes, Infallible>>;

async fn text(pieces: &mut Pieces) -> Option<String> {
    let Ok(piece) = pieces.next().await?;
    Some(String::from_utf8(piece.to_vec()).unwrap())
}

fn server_sent(journal: &Arc<Journal>, start: Start, filter: Filter) -> Pieces {
    ServerSent::new(following(journal, start, filter).0).body().boxed_local()
}

/// Ids are cursors; a stream begins with the reconnect time and a comment, and comments follow periodically.
#[actix_rt::test]
async fn a_stream_greets_sends_events_and_moves_its_cursor() {
    let journal = journal(9, &["one", "two"]).await;
    let epoch = journal.epoch();
    let mut pieces = server_sent(&journal, Start::After(1), Filter::everything());
    let greeting = text(&mut pieces).await.unwrap();
    let (retry, rest) = greeting.split_once('\n').unwrap();
    let retry: u32 = retry.strip_prefix("retry: ").unwrap().parse().unwrap();
    assert!((500..3_000).contains(&retry));
    assert_eq!(rest, format!("id: {epoch}-1\n: heartbeat\n\n"));
    let told = text(&mut pieces).await.unwrap();
    assert_eq!(told, format!("id: {epoch}-2\ndata: {}\n\n", read_event(&journal, 2, "two")));

    let mut deaf = server_sent(&journal, Start::After(0), Filter::everything().kind(EventKind::Ring));
    pause();
    assert!(text(&mut deaf).await.unwrap().ends_with(&format!("id: {epoch}-0\n: heartbeat\n\n")));
    assert_eq!(text(&mut deaf).await.unwrap(), format!("id: {epoch}-2\n: heartbeat\n\n"));
}

/// A gap event with the number of missing events comes before anything that moves the caller's cursor.
#[actix_rt::test]
async fn a_gap_event_comes_first() {
    let journal = journal(2, &["one", "two", "three"]).await;
    let mut unknown = server_sent(&journal, Start::Unknown { newest: 3 }, Filter::everything().kind(EventKind::Ring));
    let first = text(&mut unknown).await.unwrap();
    let (retry, event) = first.split_once('\n').unwrap();
    assert!(retry.starts_with("retry: ") && event.starts_with(&format!("id: {}-3\ndata: {{", journal.epoch())));
    assert!(event.contains("\"type\":\"tertulia.gap\"") && event.contains("\"missed\":null"), "{event}");

    let mut opened = socket(&journal, Start::Unknown { newest: 3 }, stream::pending());
    let Some(Frame::Text(gap)) = opened.next().await else { panic!("no gap") };
    assert!(String::from_utf8_lossy(&gap).contains("\"snapshot\":\"/v1/conversations\""));
}

/// A caller who reads nothing costs at most this much memory, however many events exist.
#[actix_rt::test]
async fn pieces_are_small_however_many_events_there_are() {
    let large = "x".repeat(10_000);
    let journal = journal(100, &[&*large; 20]).await;
    let mut pieces = server_sent(&journal, Start::After(0), Filter::everything());
    text(&mut pieces).await.unwrap();
    let mut told = 0;
    while told < 20 {
        let piece = text(&mut pieces).await.unwrap();
        assert!(piece.len() < 45_000, "{}", piece.len());
        told += piece.matches("data: ").count();
    }
    assert_eq!(told, 20);
}

#[actix_rt::test]
async fn a_stream_ends_with_the_gateway() {
    let journal = journal(9, &[]).await;
    let (following, closing) = following(&journal, Start::After(0), Filter::everything());
    let mut pieces = ServerSent::new(following).body().boxed_local();
    text(&mut pieces).await.unwrap();
    closing.cancel();
    assert_eq!(text(&mut pieces).await, None);
}

/// The frames of a socket, decoded as its caller would.
struct Opened {
    pieces: Pieces,
    unread: BytesMut,
    codec: Codec,
}

fn socket<S: Stream<Item = Result<Bytes, Infallible>> + Unpin + 'static>(
    journal: &Arc<Journal>,
    start: Start,
    incoming: S,
) -> Opened {
    let (following, _) = following(journal, start, Filter::everything());
    open(Socket::new(following, incoming).body())
}

fn open(pieces: impl Stream<Item = Result<Bytes, Infallible>> + 'static) -> Opened {
    Opened { pieces: pieces.boxed_local(), unread: BytesMut::new(), codec: Codec::new().client_mode() }
}

impl Opened {
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.codec.decode(&mut self.unread).unwrap() {
                return Some(frame);
            }
            let Ok(piece) = self.pieces.next().await?;
            self.unread.extend_from_slice(&piece);
        }
    }

    /// The code of the close frame, after skipping all other frames.
    async fn closed(&mut self) -> Option<CloseCode> {
        loop {
            if let Frame::Close(reason) = self.next().await? {
                assert_eq!(self.next().await, None);
                return reason.map(|CloseReason { code, .. }| code);
            }
        }
    }
}

/// Encodes messages as a caller would send them.
fn sent(messages: impl IntoIterator<Item = Message>) -> Bytes {
    let (mut codec, mut bytes) = (Codec::new().client_mode(), BytesMut::new());
    for message in messages {
        codec.encode(message, &mut bytes).unwrap();
    }
    bytes.freeze()
}

#[actix_rt::test]
async fn a_socket_pings_with_the_cursor_and_sends_events_as_text() {
    let journal = journal(9, &["one"]).await;
    let mut opened = socket(&journal, Start::After(0), stream::pending());
    let cursor = |offset: u64| Bytes::from(format!("{}-{offset}", journal.epoch()));
    assert_eq!(opened.next().await, Some(Frame::Ping(cursor(0))));
    assert_eq!(opened.next().await, Some(Frame::Text(read_event(&journal, 1, "one").into())));
    pause();
    assert_eq!(opened.next().await, Some(Frame::Ping(cursor(1))));
}

#[actix_rt::test]
async fn a_socket_closes_if_its_caller_answers_no_pings() {
    let journal = journal(9, &[]).await;
    let (answers, incoming) = mpsc::unbounded_channel();
    let mut answered = socket(&journal, Start::After(0), UnboundedReceiverStream::new(incoming));
    let mut silent = socket(&journal, Start::After(0), stream::pending());
    pause();
    for _ in 0..10 {
        let Some(Frame::Ping(cursor)) = answered.next().await else { panic!("no ping") };
        answers.send(Ok(sent([Message::Pong(cursor)]))).unwrap();
    }
    assert_eq!(silent.closed().await, Some(CloseCode::Policy));
}

#[actix_rt::test]
async fn pings_and_close_frames_are_answered_in_their_order() {
    let journal = journal(9, &[]).await;
    let close = CloseReason { code: CloseCode::Normal, description: None };
    let messages =
        [Message::Ping("a".into()), Message::Pong("?".into()), Message::Ping("b".into()), Message::Close(Some(close))];
    // In the smallest possible pieces.
    let bytes = sent(messages);
    let pieces: Vec<_> = bytes.iter().map(|byte| Ok(Bytes::copy_from_slice(&[*byte]))).collect();
    let mut opened = socket(&journal, Start::After(0), stream::iter(pieces).chain(stream::pending()));
    assert!(matches!(opened.next().await, Some(Frame::Ping(_))));
    assert_eq!(opened.next().await, Some(Frame::Pong("a".into())));
    assert_eq!(opened.next().await, Some(Frame::Pong("b".into())));
    assert_eq!(opened.closed().await, Some(CloseCode::Normal));
}

#[actix_rt::test]
async fn any_frame_but_a_control_frame_closes_the_socket() {
    let journal = journal(9, &[]).await;
    let unmasked = {
        let mut bytes = BytesMut::new();
        Codec::new().encode(Message::Ping("x".into()), &mut bytes).unwrap();
        bytes.freeze()
    };
    for (bytes, expected) in [
        (sent([Message::Text("hi".into())]), CloseCode::Unsupported),
        (sent([Message::Binary("hi".into())]), CloseCode::Unsupported),
        (sent([Message::Text("x".repeat(1 << 20).into())]), CloseCode::Size),
        (unmasked, CloseCode::Protocol),
        (Bytes::from_static(&[0xff, 0x85, 0, 0, 0, 0, 1, 2, 3, 4, 5]), CloseCode::Protocol),
        // Refused because of the length declared in the frame's head, without waiting for the rest.
        (Bytes::from_static(&[0xff; 64]), CloseCode::Size),
        (Bytes::from_static(&[0x81, 0xff, 0, 0, 1, 0, 0, 0, 0, 0]), CloseCode::Size),
        (Bytes::from_static(&[0x89, 0xfe, 0, 126]), CloseCode::Size),
    ] {
        let incoming = stream::iter([Ok(bytes)]).chain(stream::pending());
        assert_eq!(socket(&journal, Start::After(0), incoming).closed().await, Some(expected));
    }
}

#[actix_rt::test]
async fn an_incomplete_frame_closes_the_socket() {
    let journal = journal(9, &[]).await;
    pause();
    let incoming = stream::iter([Ok(Bytes::from_static(&[0x81, 0x85, 0, 0]))]).chain(stream::pending());
    assert_eq!(socket(&journal, Start::After(0), incoming).closed().await, Some(CloseCode::Policy));
}

#[actix_rt::test]
async fn a_socket_announces_the_gateways_stop_and_ends_with_its_caller() {
    let journal = journal(9, &["one"]).await;
    let (following, closing) = following(&journal, Start::After(0), Filter::everything());
    let mut opened = open(Socket::new(following, stream::pending::<Result<Bytes, Infallible>>()).body());
    assert!(matches!(opened.next().await, Some(Frame::Ping(_))));
    assert!(matches!(opened.next().await, Some(Frame::Text(_))));
    closing.cancel();
    assert_eq!(opened.closed().await, Some(CloseCode::Away));

    let mut left = socket(&journal, Start::After(1), stream::empty());
    assert!(matches!(left.next().await, Some(Frame::Ping(_))));
    say(&journal, &["two"]);
    assert_eq!(left.next().await, None);
}
