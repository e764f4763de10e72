//! The order of chat states, which have neither sequence nor version: the newest of each participant is remembered.

use std::collections::{HashMap, VecDeque};

use crate::{
    time::Timestamp,
    ums::{ChatState, MessageContent, Messages},
};

/// A participant in a dialog.
type Place = (Box<str>, Box<str>);

/// Tells news from repetitions and stragglers among chat states, by the time at which the platform sent them. One that
/// tells no time passes. Bounded: beyond `limit` participants the one heard of first is forgotten.
#[derive(Debug)]
pub struct ChatStateWindow {
    limit: usize,
    newest: HashMap<Place, (Timestamp, ChatState)>,
    order: VecDeque<Place>,
}

impl ChatStateWindow {
    /// A window that remembers at most `limit` participants.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, newest: HashMap::new(), order: VecDeque::new() }
    }

    /// Whether a batch tells anything that is not overtaken: everything but chat states does.
    pub fn is_news(&mut self, messages: &Messages<'_>) -> bool {
        let Some(sent) = messages.sent_ts else { return true };
        let mut is_news = messages.records.is_empty();
        for record in &messages.records {
            let dialog =
                record.dialog_id.as_ref().or(messages.dialog_id.as_ref()).or(messages.conversation_id.as_ref());
            is_news |= match (&record.event, dialog, record.originator_user_id()) {
                (MessageContent::ChatState { chat_state }, Some(dialog), Some(user)) => {
                    self.takes((dialog.as_str().into(), user.into()), sent, chat_state)
                }
                _ => true,
            };
        }
        is_news
    }

    fn takes(&mut self, place: Place, sent: Timestamp, chat_state: &ChatState) -> bool {
        if let Some((newest, held)) = self.newest.get_mut(&place) {
            let is_news = sent > *newest || (sent == *newest && held != chat_state);
            if is_news {
                (*newest, *held) = (sent, chat_state.clone());
            }
            return is_news;
        }
        if self.order.len() >= self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.newest.remove(&oldest);
        }
        self.order.push_back(place.clone());
        self.newest.insert(place, (sent, chat_state.clone()));
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
        window.is_news(&messages)
    }

    fn at(time: u64) -> String {
        format!(r#","sentTs":{time}"#)
    }

    #[test]
    fn a_chat_state_that_is_repeated_or_overtaken_is_no_news() {
        let mut window = ChatStateWindow::new(10);
        assert!(hear(&mut window, "a", "COMPOSING", &at(5)));
        assert!(!hear(&mut window, "a", "COMPOSING", &at(5)));
        assert!(hear(&mut window, "a", "ACTIVE", &at(7)));
        assert!(!hear(&mut window, "a", "COMPOSING", &at(6)));
        assert!(hear(&mut window, "b", "COMPOSING", &at(6)), "another participant");
        assert!(hear(&mut window, "a", "COMPOSING", &at(8)), "the same again, later");
    }

    #[test]
    fn what_is_no_chat_state_or_tells_no_time_passes() {
        let mut window = ChatStateWindow::new(10);
        let content = r#"{"sequence":1,"event":{"type":"ContentEvent","message":"x","contentType":"text/plain"}}"#;
        assert!((0..2).all(|_| is_news(&mut window, content, &at(5))));
        assert!((0..2).all(|_| hear(&mut window, "a", "COMPOSING", "")));
    }

    #[test]
    fn the_window_stays_within_its_limit() {
        let mut window = ChatStateWindow::new(2);
        assert!(["a", "b", "c"].into_iter().all(|user| hear(&mut window, user, "ACTIVE", &at(5))));
        assert_eq!((window.newest.len(), window.order.len()), (2, 2));
        assert!(hear(&mut window, "a", "ACTIVE", &at(5)), "forgotten");
    }
}
