//! `/v1/conversations/{id}/files`.

use serde_json::{Value, json};

use super::{ANN, messages, row};
use crate::running::{Answer, BOT, Running};

const PICTURE: &[u8] = b"not really a picture";

/// One part of a form: its name, the rest of its header, and its bytes.
type Part<'a> = (&'a str, &'a str, &'a [u8]);

/// A form as browsers write it.
fn form(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, more, content) in parts {
        body.extend(format!("--edge\r\ncontent-disposition: form-data; name=\"{name}\"{more}\r\n\r\n").bytes());
        body.extend(*content);
        body.extend(b"\r\n");
    }
    body.extend(b"--edge--\r\n");
    body
}

async fn send(running: &Running, path: &str, key: Option<&str>, parts: &[Part<'_>]) -> Answer {
    let headers: Vec<_> = key.map(|key| ("idempotency-key", key)).into_iter().collect();
    running.send_bytes(path, "multipart/form-data; boundary=edge", &headers, form(parts)).await
}

fn told(running: &Running) -> usize {
    running.emulator.ledger().iter().filter(|entry| entry.role == "ASSIGNED_AGENT").count()
}

/// CV-F16, FL-3: an uploaded file is published with its caption, and the download has the same bytes, to be saved only.
#[actix_rt::test]
async fn a_file_goes_in_and_comes_out_as_it_was() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let path = row(&id, "files");
    let large: Vec<u8> = (0..2_000_000_u32).map(|number| (number % 251) as u8).collect();
    for (sequence, (name, content)) in [(1, ("cat.png", PICTURE)), (2, ("terms.PDF", &large))] {
        let file = ("file", &*format!("; filename=\"{name}\""), content);
        let answer = send(&running, &path, None, &[("caption", "", "für dich".as_bytes()), file]).await;
        assert_eq!((answer.status, &answer.json), (200, &json!({ "sequence": sequence })), "{}", answer.text);
    }
    let items = running.get(&format!("{}?sequenceMin=1", messages(&id))).await.json["items"].clone();
    for (item, (kind, media_type, content)) in
        items.as_array().unwrap().iter().zip([("PNG", "image/png", PICTURE), ("PDF", "application/pdf", &large)])
    {
        assert_eq!((&item["contentType"], &item["body"]["caption"]), (&json!("hosted/file"), &json!("für dich")));
        assert_eq!(item["body"]["fileType"], kind);
        let stored = item["body"]["relativePath"].as_str().unwrap();
        let download = running.download(&format!("{path}?path={stored}")).await;
        assert_eq!(download.header("content-type"), media_type);
        assert_eq!(download.header("x-content-type-options"), "nosniff");
        assert_eq!(download.header("content-length"), content.len().to_string());
        assert!(download.header("content-disposition").starts_with("attachment; filename=\""));
        assert!(download.header("content-security-policy").contains("sandbox"));
        assert!(download.body == content, "{} bytes came", download.body.len());
    }
}

/// If the name of a file does not say its type, its media type does.
#[actix_rt::test]
async fn a_file_without_a_known_extension_gets_its_type_from_the_media_type() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let more = "; filename=\"blob\"\r\ncontent-type: image/gif";
    let answer = send(&running, &row(&id, "files"), None, &[("file", more, b"GIF89a")]).await;
    assert_eq!(answer.json, json!({ "sequence": 1 }), "{}", answer.text);
}

/// FL-2, and whatever else a form may be.
#[actix_rt::test]
async fn a_form_that_cannot_be_accepted_is_refused_and_nothing_is_published() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let path = row(&id, "files");
    let png = "; filename=\"cat.png\"";
    let (too_large, far_too_large) = (vec![7; 3 * 1024 * 1024 + 1], vec![7; 8 * 1024 * 1024 + 1]);
    let long = vec![b'x'; 40_000];
    for (parts, expected) in [
        (vec![], (400, "bad-request")),
        (vec![("caption", "", &b"x"[..])], (400, "bad-request")),
        (vec![("file", png, PICTURE), ("file", png, PICTURE)], (400, "bad-request")),
        (vec![("file", png, PICTURE), ("more", "", PICTURE)], (400, "bad-request")),
        (vec![("file", png, PICTURE), ("caption", "", &[0xff, 0xfe])], (400, "bad-request")),
        (vec![("file", png, PICTURE), ("caption", "", &long)], (413, "body-too-large")),
        (vec![("file", png, PICTURE), ("dialog", "", b"none")], (404, "unknown-dialog")),
        (vec![("file", png, b"")], (422, "file-empty")),
        (vec![("file", "", PICTURE)], (422, "file-type-not-supported")),
        (vec![("file", "; filename=\"run.exe\"", PICTURE)], (422, "file-type-not-supported")),
        (vec![("file", png, &too_large)], (413, "file-too-large")),
        (vec![("file", png, &far_too_large)], (413, "file-too-large")),
    ] {
        let names: Vec<_> = parts.iter().map(|(name, more, _)| (*name, *more)).collect();
        assert_eq!(send(&running, &path, None, &parts).await.problem(), expected, "{names:?}");
    }
    for (content_type, body, expected) in [
        ("multipart/form-data; boundary=edge", &b"--edge\r\ncontent-disposition: form-data; name=\"file\""[..], 400),
        ("multipart/form-data; boundary=edge", b"", 400),
        ("multipart/form-data", b"--edge--", 400),
        ("multipart/mixed; boundary=edge", b"--edge\r\n\r\nx\r\n--edge--", 400),
        ("application/json", b"{}", 415),
        ("image/png", PICTURE, 415),
    ] {
        let answer = running.send_bytes(&path, content_type, &[], body.to_vec()).await;
        assert_eq!(answer.problem().0, expected, "{content_type} {}", answer.text);
    }
    assert_eq!(send(&running, &row("none", "files"), None, &[]).await.problem(), (404, "unknown-conversation"));
    assert_eq!(told(&running), 0);
}

#[actix_rt::test]
async fn a_missing_file_is_reported() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let path = row(&id, "files");
    let answer = running.get(&format!("{path}?path=/v1/AUTH_async-images/12345678/nothing.PNG")).await;
    assert_eq!(answer.problem(), (422, "platform-rejected"));
    assert_eq!(running.get(&path).await.problem(), (400, "bad-request"));
    assert_eq!(running.get(&format!("{}?path=x", row("none", "files"))).await.problem(), (404, "unknown-conversation"));
}

/// Promise 5: a file with a key is published once, and each request gets the same response, also after a restart.
#[actix_rt::test]
async fn a_file_with_a_key_is_published_once() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let path = row(&id, "files");
    let png = "; filename=\"cat.png\"";
    let file: Part<'_> = ("file", png, PICTURE);
    let same = [file];
    let together = [send(&running, &path, Some("f1"), &same), send(&running, &path, Some("f1"), &same)];
    for answer in futures_util::future::join_all(together).await {
        assert_eq!((answer.status, &answer.json), (200, &json!({ "sequence": 1 })), "{}", answer.text);
    }
    for other in [
        vec![("file", png, &b"another picture"[..])],
        vec![file, ("caption", "", b"look")],
        vec![file, ("dialog", "", id.as_bytes())],
        vec![("file", "; filename=\"dog.png\"", PICTURE)],
    ] {
        assert_eq!(send(&running, &path, Some("f1"), &other).await.problem(), (422, "key-reused"));
    }
    running = running.restart().await;
    running.ready("bots-1").await;
    assert_eq!(send(&running, &path, Some("f1"), &[file]).await.json, json!({ "sequence": 1 }));
    assert_eq!(told(&running), 1);
}

/// A consumer's file comes out at the bot's side.
#[actix_rt::test]
async fn a_consumer_sends_a_file_too() {
    let mut running = Running::start(&format!("{BOT}{ANN}"));
    running.ready("bots-1").await;
    running.ready("ann").await;
    let id = running.conversation_of_ann().await;
    let path = row(&id, "files");
    let file: Part<'_> = ("file", "; filename=\"bill.jpg\"", PICTURE);
    let answer = send(&running, &format!("{path}?connection=ann"), None, &[file]).await;
    assert_eq!(answer.json, json!({ "sequence": 0 }), "{}", answer.text);
    let heard: Value = running.heard_by("bots-1", "message", &id).await;
    let stored = heard["body"]["relativePath"].as_str().unwrap();
    assert_eq!(running.download(&format!("{path}?connection=bots-1&path={stored}")).await.body, PICTURE);
}
