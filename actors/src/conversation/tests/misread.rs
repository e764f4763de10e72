//! Frames that do not have the form that was presumed.

use tertulia_core::ums::StateFrame;
use tokio::sync::oneshot;

use super::*;

/// A frame with one change, and perhaps more after it.
fn frame(after: &str) -> Bytes {
    format!(
        concat!(
            r#"{{"kind":"notification","type":"cqm.ExConversationChangeNotification","body":{{"subscriptionId":"s1","#,
            r#""changes":[{{"type":"UPSERT","result":{{"convId":"c1","conversationDetails":{{"stage":"OPEN"}}}}{}}}]}}}}"#,
        ),
        after
    )
    .into()
}

/// The state of the frame, as the connection passes it.
fn arrived(frame: &Bytes) -> StateArrived {
    let state = StateFrame::read(str::from_utf8(frame).unwrap()).unwrap().state;
    let raw = frame.slice_ref(state.get().as_bytes());
    StateArrived { raw, presumed_in: Some(frame.clone()), place: FramePermit::without_place() }
}

#[actix_rt::test]
async fn a_frame_that_is_not_what_was_presumed_goes_back_to_the_connection() {
    let (told, _progress) = unbounded_channel();
    let (misread, mut given_back) = unbounded_channel();
    let (conversation, _asks, metrics, dead_letters) = reporting_conversation(told, misread);

    let more = frame(r#"},{"type":"UPSERT","r\u0065sult":{"convId":"c2"}"#);
    conversation.do_send(arrived(&more));
    assert_eq!(given_back.recv().await, Some(more));
    conversation.do_send(arrived(&frame("")));
    let records = Bytes::from(r#"{"kind":"notification","type":".ams.ms.OnlineEventDistribution","body":{}}"#);
    let place = FramePermit::without_place();
    conversation.do_send(RecordsArrived { frame: records.clone(), place });
    assert_eq!(given_back.recv().await, Some(records));

    let (reply, members) = oneshot::channel();
    conversation.do_send(HandleRequest::Inspect(reply));
    members.await.unwrap();
    assert!(given_back.is_empty(), "a usual frame stays");
    assert_eq!((metrics.state_notifications_processed.get(), metrics.state_notifications_malformed.get()), (1, 0));
    assert!(dead_letters.list(None, 8).await.unwrap().is_empty());
}
