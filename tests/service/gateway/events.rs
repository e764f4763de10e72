//! `/v1/events`.

use std::{fs, path::Path, process::Command};

use actix_web::rt::task::spawn_blocking;
use awc::http::Method;
use serde_json::{Value, json};

use super::schemas::all_events;
use crate::running::{PATIENCE, Running};

const INTERFACE: &str = include_str!("../../../src/gateway/interface.md");

/// A page of the log.
async fn page(running: &Running, query: &str) -> (Vec<Value>, String) {
    assert!(running.service.tertulia().journal().settled().await);
    let accept = [("accept", "application/json")];
    let answer = running.request(Method::GET, &format!("/v1/events?{query}"), &accept, None).await;
    assert_eq!((answer.status, &*answer.content_type), (200, "application/json"), "{}", answer.text);
    let cursor = answer.json["cursor"].as_str().unwrap().to_owned();
    (answer.json["items"].as_array().unwrap().clone(), cursor)
}

#[actix_rt::test]
async fn the_log_is_read_in_pages_from_either_end() {
    let mut running = Running::bot().await;
    let id = running.conversation().await;
    let whole = all_events(&running).await;
    let (all, last) = page(&running, "after=earliest&limit=1000").await;
    assert_eq!(all, whole);
    // At the end of the log, a page is empty and the cursor does not change.
    for query in [format!("after={last}"), "after=latest".to_owned(), String::new()] {
        assert_eq!(page(&running, &query).await, (Vec::new(), last.clone()), "{query}");
    }
    running.emulator.say(&id, "again").unwrap();
    running.heard("message", &id).await;
    let (items, cursor) = page(&running, &format!("after={last}&type=message")).await;
    assert_eq!((items.len(), &items[0]["data"]["body"]), (1, &json!("again")));
    // The cursor also advances over events that the filter excludes.
    assert_eq!(page(&running, &format!("after={last}&connection=none")).await.0, Vec::<Value>::new());
    assert_eq!(page(&running, &format!("after={cursor}&type=message")).await.0, Vec::<Value>::new());
    let (items, cursor) = page(&running, "after=other-7").await;
    assert_eq!(
        (items.len(), &items[0]["type"], &items[0]["data"]["missed"]),
        (1, &json!("tertulia.gap"), &json!(null))
    );
    assert_eq!(page(&running, &format!("after={cursor}")).await.0, Vec::<Value>::new());

    // A caller that prefers a stream gets a stream, which must not have a limit.
    let accept = [("accept", "text/event-stream, application/json;q=0.5")];
    let mut stream = running.follow("/v1/events?after=earliest", &accept).await;
    assert_eq!(stream.event().await, whole[0]);
    assert_eq!(running.get("/v1/events?limit=3").await.problem(), (400, "bad-request"));
    let accept = [("accept", "application/json")];
    for query in ["limit=0", "limit=1001", "limit=x", "limit=1&limit=2"] {
        let answer = running.request(Method::GET, &format!("/v1/events?{query}"), &accept, None).await;
        assert_eq!(answer.problem(), (400, "bad-request"), "{query}");
    }
}

/// The export loop from interface.md, unchanged except for smaller pages, so that there are several pages.
async fn export(running: &Running, folder: &Path) {
    let block = INTERFACE.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let script =
        block.into_iter().find(|block| block.contains("export/cursor")).unwrap().replace("limit=1000", "limit=4");
    assert!(running.service.tertulia().journal().settled().await);
    let mut bash = Command::new("bash");
    bash.args(["-eu", "-c", &script]).current_dir(folder).env("gateway", format!("http://{}", running.address()));
    let output = spawn_blocking(move || bash.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The events in all exported files, in the order of their ids.
fn exported(folder: &Path) -> Vec<Value> {
    let mut events = Vec::new();
    for entry in fs::read_dir(folder.join("export")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let page: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            events.extend(page["items"].as_array().unwrap().clone());
        }
    }
    let offset = |event: &Value| event["id"].as_str().unwrap().rsplit_once('-').unwrap().1.parse::<u64>().unwrap();
    events.sort_by_key(offset);
    events
}

#[actix_rt::test]
async fn the_documented_export_has_every_event_once_also_after_a_killed_run() {
    let mut running = Running::bot().await;
    let folder = tempfile::tempdir().unwrap();
    let cursor = folder.path().join("export/cursor");
    for round in 0..3 {
        let begin = fs::read(&cursor);
        running.conversation().await;
        export(&running, folder.path()).await;
        assert_eq!(exported(folder.path()), all_events(&running).await, "round {round}");
        // Simulates a run that was killed before it stored its first cursor. The next run requests the same pages
        // again.
        match begin {
            Ok(begin) => fs::write(&cursor, begin).unwrap(),
            Err(_) => fs::remove_file(&cursor).unwrap(),
        }
        running.conversation().await;
        export(&running, folder.path()).await;
        assert_eq!(exported(folder.path()), all_events(&running).await, "round {round}, again");
    }
}

#[actix_rt::test]
async fn events_are_streamed_as_they_happen_and_only_those_asked_for() {
    let mut running = Running::bot().await;
    let mut all = running.follow("/v1/events", &[]).await;
    let mut messages_only = running.follow("/v1/events?type=tertulia.message&type=close&connection=bots-1", &[]).await;
    let mut elsewhere = running.follow("/v1/events?connection=none", &[]).await;
    let mut other = running.follow("/v1/events?conversation=none", &[]).await;
    // A comment comes at once: from here on nothing is missed.
    for stream in [&mut all, &mut messages_only, &mut elsewhere, &mut other] {
        let block = stream.block().await.unwrap();
        assert!(block.ends_with("\n: heartbeat"), "{block}");
    }
    let id = running.conversation().await;
    running.emulator.close_conversation(&id).unwrap();

    let message = messages_only.event().await;
    assert_eq!((&message["type"], &message["subject"]), (&json!("tertulia.message"), &json!(id)));
    assert_eq!((&message["specversion"], &message["data"]["body"]), (&json!("1.0"), &json!("hello")));
    assert_eq!(messages_only.event().await["type"], "tertulia.close");
    let block = all.told().await.unwrap();
    let (id_line, data) = block.split_once("\ndata: ").unwrap();
    let event: Value = serde_json::from_str(data).unwrap();
    assert_eq!(id_line, format!("id: {}", event["id"].as_str().unwrap()));

    running.service.stop(PATIENCE).await;
    // Nothing of another conversation or connection came before the end.
    assert_eq!((elsewhere.told().await, other.told().await), (None, None));
}

/// A reader of events needs no other request to have the current conversation.
#[actix_rt::test]
async fn the_first_event_has_the_conversation_and_updates_have_its_changes() {
    let mut running = Running::bot().await;
    let mut stream = running.follow("/v1/events?type=conversation&type=update", &[]).await;
    let id = running.conversation().await;
    let first = stream.event().await;
    assert_eq!((&first["connection"], &first["type"]), (&json!("bots-1"), &json!("tertulia.conversation")));
    let read = async |running: &Running| running.get(&format!("/v1/conversations/{id}")).await.json;
    let names = |members: &Value| members.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&first["data"]), names(&read(&running).await));
    assert_eq!((&first["data"]["connection"], &first["data"]["conversationId"]), (&json!("bots-1"), &json!(id)));

    let noted = json!({ "noteContent": "wants a refund" });
    assert_eq!(running.post(&format!("/v1/conversations/{id}/note"), &noted).await.status, 200);
    let mut known = first["data"].as_object().unwrap().clone();
    let mut last = first.clone();
    while known["note"].is_null() {
        let update = stream.event().await;
        last.clone_from(&update);
        assert_eq!((&update["type"], &update["connection"]), (&json!("tertulia.update"), &json!("bots-1")));
        known.extend(update["data"]["changed"].as_object().unwrap().clone());
    }
    let read_now = read(&running).await;
    assert_eq!((&first["data"]["sequence"], &first["sequence"]), (&json!("1"), &json!("1")));
    let number = |value: &Value| value["sequence"].as_str().unwrap().parse::<u64>().unwrap();
    assert!(number(&read_now) >= number(&last), "{read_now} {last}");
    for member in ["note", "numberOfunreadMessages", "assignedAgent", "consumer", "participants", "stage", "context"] {
        assert_eq!(known[member], read_now[member], "{member}");
    }

    // After a restart, the log still has the event and no second one.
    let running = running.restart().await;
    let earliest = format!("{}-0", first["id"].as_str().unwrap().rsplit_once('-').unwrap().0);
    let header = [("last-event-id", earliest.as_str())];
    let mut stream = running.follow(&format!("/v1/events?conversation={id}"), &header).await;
    let event = stream.event().await;
    assert_eq!(event, first);
    running.emulator.close_conversation(&id).unwrap();
    let (mut sequence, mut names) = (1, Vec::new());
    while names.last() != Some(&"tertulia.close".to_owned()) {
        let event = stream.event().await;
        sequence += 1;
        assert_eq!(event["sequence"], sequence.to_string(), "{event}");
        names.push(event["type"].as_str().unwrap().to_owned());
    }
    assert!(!names.contains(&"tertulia.conversation".to_owned()), "{names:?}");
}

/// For a cursor of another log the stream begins with a gap, and continues with new events.
#[actix_rt::test]
async fn a_reader_with_an_unknown_cursor_gets_a_gap() {
    let mut running = Running::bot().await;
    let by_header = running.follow("/v1/events?after=old&type=message", &[("last-event-id", "epoch-7")]).await;
    let by_query = running.follow("/v1/events?after=epoch-7&type=message", &[]).await;
    let mut streams = [by_header, by_query];
    for stream in &mut streams {
        let gap = stream.event().await;
        assert_eq!((&gap["type"], &gap["data"]["snapshot"]), (&json!("tertulia.gap"), &json!("/v1/conversations")));
    }
    running.conversation().await;
    for stream in &mut streams {
        assert_eq!(stream.event().await["type"], "tertulia.message");
    }
}

/// Promise 1: a caller that returns with the id of its last event gets each later event once, also after the service
/// was restarted.
#[actix_rt::test]
async fn a_stream_continues_after_the_last_event_that_was_seen() {
    const SAID: usize = 12;
    let mut running = Running::bot().await;
    let mut stream = running.follow("/v1/events", &[]).await;
    let id = running.conversation().await;
    let (mut heard, mut sequences, mut cursor) = (Vec::new(), Vec::new(), None::<String>);
    for round in 0..SAID {
        running.emulator.say(&id, &round.to_string()).unwrap();
        while heard.last() != Some(&round.to_string()) {
            let event = stream.event().await;
            if event["subject"] != *id {
                continue;
            }
            cursor = Some(event["id"].as_str().unwrap().to_owned());
            sequences.push(event["sequence"].as_str().unwrap().parse::<u64>().unwrap());
            if event["type"] == "tertulia.message" {
                heard.push(event["data"]["body"].as_str().unwrap().to_owned());
            }
        }
        if round % 4 == 3 {
            running = running.restart().await;
        }
        let header = [("last-event-id", cursor.as_deref().unwrap())];
        stream = running.follow(&format!("/v1/events?conversation={id}"), &header).await;
    }
    let said = (0..SAID).map(|round| round.to_string());
    assert_eq!(heard, std::iter::once("hello".to_owned()).chain(said).collect::<Vec<_>>());
    assert_eq!(sequences, (1..).take(sequences.len()).collect::<Vec<_>>());
}
