//! CV-F16, FL-1 to FL-4: a file arrives on the other side unchanged, and a file whose upload failed is not published.

use std::io;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use tertulia_actors::{
    connection::ConnectionSettings,
    conversation::ConversationHandle,
    core::command::Limits,
    files::{FileError, FileType, UploadSource},
};
use tertulia_emulator::{EmulatorConfig, Fault, FaultKind};

use crate::stage::{Stage, bot, consumer, message};

/// Three megabytes in pieces of 16 KiB, no two alike.
const PIECES: u32 = 192;
const PIECE: usize = 16 * 1024;

fn piece(number: u32) -> Bytes {
    number.to_be_bytes().repeat(PIECE / 4).into()
}

fn large() -> UploadSource {
    let pieces = || stream::iter(0..PIECES).map(|number| io::Result::Ok(piece(number)));
    UploadSource::again(FileType::Pdf, u64::from(PIECES) * PIECE as u64, pieces)
}

async fn read(conversation: &ConversationHandle, path: &str) -> Bytes {
    let mut download = conversation.download_file(path).await.unwrap();
    let mut content = BytesMut::new();
    while let Some(piece) = download.next().await {
        content.extend_from_slice(&piece.unwrap());
    }
    assert_eq!(download.size(), Some(content.len() as u64));
    content.freeze()
}

/// CN-F11, CN-F12.
#[actix_rt::test]
async fn a_file_of_a_bot_arrives_at_the_consumer_byte_by_byte() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let mine = stage.consumer("ann").await;
    mine.send_text("hello").await.unwrap();
    stage.texts(&bot, 1).await;
    let theirs = stage.tertulia.connection(&bot).conversation(mine.id()).unwrap();

    let uploaded = theirs.upload_file(large().caption("the terms")).await.unwrap();
    let told = stage
        .until(|event| {
            event.origin.connection == *mine.connection()
                && message(event).is_some_and(|message| Some(message.sequence) == uploaded.sequence)
        })
        .await;
    let body: serde_json::Value = serde_json::from_str(message(&told).unwrap().body.get()).unwrap();
    assert_eq!((&body["caption"], &body["fileType"]), (&"the terms".into(), &"PDF".into()));
    let content = read(&mine, body["relativePath"].as_str().unwrap()).await;
    let expected: Vec<Bytes> = (0..PIECES).map(piece).collect();
    assert!(content == expected.concat(), "{} bytes came", content.len());
}

/// FL-3.
#[actix_rt::test]
async fn a_picture_of_a_consumer_arrives_at_the_bot() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let mine = stage.consumer("ann").await;
    let picture = UploadSource::bytes(FileType::of_name("cat.png").unwrap(), Bytes::from_static(b"meow"));
    let uploaded = mine.upload_file(picture).await.unwrap();
    stage.until(|event| event.origin.connection == bot && message(event).is_some()).await;
    let theirs = stage.tertulia.connection(&bot).conversation(mine.id()).unwrap();
    assert_eq!(read(&theirs, &uploaded.file.unwrap().relative_path).await, "meow");
}

#[actix_rt::test]
async fn an_upload_begun_while_the_connection_is_away_waits_for_it() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let conversation = stage.conversation(&bot).await;
    stage.emulator.inject(Fault::new(FaultKind::Drop).user("bot1"));
    stage.event("connection.disconnected").await;
    let picture = UploadSource::bytes(FileType::Gif, Bytes::from_static(b"GIF89a"));
    assert_eq!(conversation.upload_file(picture).await.unwrap().sequence, Some(0));
}

/// FL-2.
#[actix_rt::test]
async fn a_file_that_cannot_be_sent_is_refused_before_a_byte_goes_out() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let limits = Limits { file_bytes: 4, preview_bytes: 4, ..Limits::default() };
    let bot = stage.connect(ConnectionSettings { limits, ..bot(1) }).await;
    let conversation = stage.conversation(&bot).await;
    let file = |content: &'static str| UploadSource::bytes(FileType::Jpg, content.into());
    for (source, code) in [
        (file(""), "file-empty"),
        (file("12345"), "file-too-large"),
        (file("1234").preview("12345"), "preview-too-large"),
        (file("1234").dialog("none".into()), "unknown-dialog"),
    ] {
        assert_eq!(conversation.upload_file(source).await.unwrap_err().code(), code);
    }
    assert!(matches!(FileType::of_name("run.exe"), Err(FileError::UnknownType(kind)) if kind == "exe"));
    conversation.close_at_once().await.unwrap();
    stage.event("close").await;
    assert_eq!(conversation.upload_file(file("1234")).await.unwrap_err().code(), "no-open-dialog");
}

#[actix_rt::test]
async fn a_missing_file_is_reported() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let id = stage.connect(consumer("ann")).await;
    let mine = stage.tertulia.connection(&id).create_conversation(Default::default()).await.unwrap();
    let error = mine.download_file("/v1/AUTH_async-images/12345678/nothing.PNG").await.unwrap_err();
    assert_eq!(error.code(), "platform-rejected");
}
