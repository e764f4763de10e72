//! The order of chat states, which have neither sequence nor version: the newest of each participant is remembered.

use serde::{Deserialize, Serialize};

use crate::{
    time::Timestamp,
    ums::{ChatState, MessageContent, MessageRecord},
};

/// The most participants remembered in one conversation; beyond it the oldest is forgotten.
const PARTICIPANTS: usize = 16;

/// Recognizes repeated and late chat states of one conversation by the time at which the platform sent them. A chat
/// state without a time is accepted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChatStateWindow(Vec<Newest>);

/// The newest chat state of one participant in one dialog.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Newest {
    dialog: Box<str>,
    user: Box<str>,
    sent: Timestamp,
    chat_state: ChatState,
}

impl ChatStateWindow {
    /// Returns whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether a record of a batch sent at `sent` is new: either it is not a chat state, or no newer one was
    /// received.
    pub fn is_news(&mut self, record: &MessageRecord<'_>, dialog: Option<&str>, sent: Option<Timestamp>) -> bool {
        let MessageContent::ChatState { chat_state } = &record.event else { return true };
        let dialog = record.dialog_id.as_deref().or(dialog).unwrap_or_default();
        let (Some(user), Some(sent)) = (record.originator_user_id(), sent) else { return true };
        let known = self.0.iter_mut().find(|newest| &*newest.user == user && &*newest.dialog == dialog);
        if let Some(newest) = known {
            let is_news = sent > newest.sent || (sent == newest.sent && newest.chat_state != *chat_state);
            if is_news {
                (newest.sent, newest.chat_state) = (sent, chat_state.clone());
            }
            return is_news;
        }
        if self.0.len() >= PARTICIPANTS {
            self.0.remove(0);
        }
        self.0.push(Newest { dialog: dialog.into(), user: user.into(), sent, chat_state: chat_state.clone() });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ums::{Frame, Notification};

    fn hear(window: &mut ChatStateWindow, user: &str, state: &str, sent: &str) -> bool {
        let record = format!(
            r#"{{"originatorId":"{user}","dialogId":"d","event":{{"type":"ChatStateEvent","chatState":"{state}"}}}}"#
        );
        is_news(window, &record, sent)
    }

    fn is_news(window: &mut ChatStateWindow, record: &str, sent: &str) -> bool {
        let body = format!(r#"{{"dialogId":"d"{sent},"changes":[{record}]}}"#);
        let frame = format!(r#"{{"kind":"notification","type":"ms.MessagingEventNotification","body":{body}}}"#);
        let Ok(Frame::Notification(Notification::Messages(messages))) = Frame::decode(&frame) else { panic!() };
        let dialog = messages.dialog_id.as_deref();
        messages.records.iter().all(|record| window.is_news(record, dialog, messages.sent_ts))
    }

    fn at(time: u64) -> String {
        format!(r#","sentTs":{time}"#)
    }

    #[test]
    fn a_chat_state_that_is_repeated_or_overtaken_is_no_news() {
        let mut window = ChatStateWindow::default();
        assert!(hear(&mut window, "a", "COMPOSING", &at(5)));
        assert!(!hear(&mut window, "a", "COMPOSING", &at(5)));
        assert!(hear(&mut window, "a", "ACTIVE", &at(7)));
        assert!(!hear(&mut window, "a", "COMPOSING", &at(6)));
        assert!(hear(&mut window, "b", "COMPOSING", &at(6)), "another participant");
        assert!(hear(&mut window, "a", "COMPOSING", &at(8)), "the same again, later");
    }

    #[test]
    fn what_is_no_chat_state_or_tells_no_time_passes() {
        let mut window = ChatStateWindow::default();
        let content = r#"{"sequence":1,"event":{"type":"ContentEvent","message":"x","contentType":"text/plain"}}"#;
        assert!((0..2).all(|_| is_news(&mut window, content, &at(5))));
        assert!((0..2).all(|_| hear(&mut window, "a", "COMPOSING", "")));
    }

    #[test]
    fn the_window_stays_within_its_limit() {
        let mut window = ChatStateWindow::default();
        let users: Vec<String> = (0..=PARTICIPANTS).map(|number| number.to_string()).collect();
        assert!(users.iter().all(|user| hear(&mut window, user, "ACTIVE", &at(5))));
        assert_eq!(window.0.len(), PARTICIPANTS);
        assert!(hear(&mut window, "0", "ACTIVE", &at(5)), "forgotten");
    }
}
