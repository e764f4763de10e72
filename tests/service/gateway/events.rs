//! `/v1/events`.

use serde_json::{Value, json};

use crate::running::{PATIENCE, Running};

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

/// A reader needs no other request to know a conversation, nor to keep up with it.
#[actix_rt::test]
async fn the_first_event_carries_the_conversation_and_updates_what_else_changes() {
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
    while known["note"].is_null() {
        let update = stream.event().await;
        assert_eq!((&update["type"], &update["connection"]), (&json!("tertulia.update"), &json!("bots-1")));
        known.extend(update["data"]["changed"].as_object().unwrap().clone());
    }
    let read_now = read(&running).await;
    for member in ["note", "numberOfunreadMessages", "assignedAgent", "consumer", "participants", "stage", "context"] {
        assert_eq!(known[member], read_now[member], "{member}");
    }

    // The log still has the event after a restart, and no second one follows.
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
