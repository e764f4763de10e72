//! The usual frames of states and records, of which a connection reads only what it needs to pass them to their
//! conversation.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::{
    ConversationChanges, Messages, StateText, Text,
    json_reader::{JsonReader, Kind, Scalar},
};

/// What follows the state in the usual frame: the ends of the change, the changes, the body and the frame.
const END: &str = "}]}}";

static RESULT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"result\""));

/// A notification of one conversation's state, an UPSERT, in its usual form.
///
/// To find the end of a state costs as much as to read it, and the conversation reads it anyway. So the end is presumed
/// here. If [`Self::state`] is not one JSON value, the conversation must give the frame back, to be read by
/// [`Frame::decode`](super::Frame::decode).
///
/// ```
/// use tertulia_core::ums::StateFrame;
///
/// let text = concat!(
///     r#"{"kind":"notification","type":"cqm.ExConversationChangeNotification","body":{"subscriptionId":"s1","#,
///     r#""changes":[{"type":"UPSERT","result":{"convId":"c1","conversationDetails":{}}}]}}"#,
/// );
/// let frame = StateFrame::read(text).unwrap();
/// assert_eq!((frame.subscription_id.as_str(), frame.conversation_id.as_str()), ("s1", "c1"));
/// assert_eq!(frame.state.get(), r#"{"convId":"c1","conversationDetails":{}}"#);
/// ```
#[derive(Debug)]
pub struct StateFrame<'a> {
    /// The subscription.
    pub subscription_id: Text<'a>,
    /// The conversation.
    pub conversation_id: Text<'a>,
    /// The text up to the usual end of a frame.
    pub state: StateText<'a>,
}

impl<'a> StateFrame<'a> {
    /// Reads the beginning of a frame. `None` if the frame is another one or has another form: it must be read by
    /// [`Frame::decode`](super::Frame::decode).
    #[must_use]
    pub fn read(text: &'a str) -> Option<Self> {
        let before_end = text.strip_suffix(END)?;
        let (mut is_notification, mut is_of_changes) = (false, false);
        let (mut subscription_id, mut state, mut conversation_id) = (None, None, None);
        // Nothing is read after the conversation's id, and nothing but what is listed here stands before it.
        let mut reader = JsonReader::new(text);
        reader.object(|reader, name| match name {
            "kind" => is("notification", &mut is_notification, reader),
            "type" if is_notification && !is_of_changes => {
                is_of_changes = ConversationChanges::are_named(plain(reader)?);
                is_of_changes.then_some(())
            }
            "body" if is_of_changes => {
                reader.object(|reader, name| match name {
                    "subscriptionId" if subscription_id.is_none() => {
                        subscription_id = Some(plain(reader)?);
                        Some(())
                    }
                    "sentTs" => reader.scalar().map(|_| ()),
                    "changes" => {
                        reader.array(|reader| {
                            let mut is_upsert = false;
                            reader.object(|reader, name| match name {
                                "type" => is("UPSERT", &mut is_upsert, reader),
                                "result" if is_upsert && reader.kind()? == Kind::Object => {
                                    state = before_end.get(reader.at()..);
                                    reader.object(|reader, name| {
                                        conversation_id = Some(plain(reader)?).filter(|_| name == "convId");
                                        None
                                    })
                                }
                                _ => None,
                            });
                            None
                        });
                        None
                    }
                    _ => None,
                });
                None
            }
            _ => None,
        });
        let (subscription_id, conversation_id) = (subscription_id?.into(), conversation_id?.into());
        // Another change has another result, in any order of its members.
        let is_one = |state: &&str| state.ends_with('}') && RESULT.find(state.as_bytes()).is_none();
        let state = state.filter(is_one)?;
        Some(Self { subscription_id, conversation_id, state: StateText::presumed(state) })
    }
}

/// Where the records of a frame belong.
#[derive(Debug, PartialEq, Eq)]
pub struct RecordsAddress<'a> {
    /// The conversation of the first record, if the record or its batch names one.
    pub conversation_id: Option<Text<'a>>,
    /// The dialog of the first record, if the record or its batch names one.
    pub dialog_id: Option<Text<'a>>,
}

impl<'a> RecordsAddress<'a> {
    /// The address of decoded records.
    #[must_use]
    pub fn of(messages: &Messages<'a>) -> Self {
        let first = messages.records.first();
        let (conversation, dialog) =
            first.map_or((None, None), |record| (record.conversation_id.clone(), record.dialog_id.clone()));
        Self {
            conversation_id: conversation.or_else(|| messages.conversation_id.clone()),
            dialog_id: dialog.or_else(|| messages.dialog_id.clone()),
        }
    }

    /// Reads the address from a frame without decoding the records: a conversation that cannot decode them must give
    /// the frame back. `None` if the frame is another one or has an unusual form: it must be read by
    /// [`Frame::decode`](super::Frame::decode).
    ///
    /// ```
    /// use tertulia_core::ums::RecordsAddress;
    ///
    /// let text = concat!(
    ///     r#"{"kind":"notification","type":"ms.MessagingEventNotification","body":{"dialogId":"d1","#,
    ///     r#""changes":[{"sequence":7,"dialogId":"d1","conversationId":"c1"}]}}"#,
    /// );
    /// assert_eq!(RecordsAddress::read(text).unwrap().conversation_id.unwrap().as_str(), "c1");
    /// ```
    #[must_use]
    pub fn read(text: &'a str) -> Option<Self> {
        let (mut is_notification, mut is_of_records, mut address) = (false, false, None);
        let mut reader = JsonReader::new(text);
        reader.object(|reader, name| match name {
            "kind" => is("notification", &mut is_notification, reader),
            "type" if is_notification && !is_of_records => {
                is_of_records = Messages::are_named(plain(reader)?);
                is_of_records.then_some(())
            }
            "body" if is_of_records && address.is_none() => {
                let mut first = None;
                let own = Self::names(reader, |reader, name| match name {
                    "changes" if first.is_none() => reader.array(|reader| match first {
                        None => {
                            first = Some(Self::names(reader, Self::pass)?);
                            Some(())
                        }
                        Some(_) => reader.value().map(|_| ()),
                    }),
                    "changes" => None,
                    _ => Self::pass(reader, name),
                })?;
                let Self { conversation_id, dialog_id } =
                    first.unwrap_or(Self { conversation_id: None, dialog_id: None });
                address = Some(Self {
                    conversation_id: conversation_id.or(own.conversation_id),
                    dialog_id: dialog_id.or(own.dialog_id),
                });
                Some(())
            }
            _ => None,
        })?;
        address.filter(|_| reader.is_at_end())
    }

    /// Reads an object with the names; `other` reads the other members.
    fn names(
        reader: &mut JsonReader<'a>,
        mut other: impl FnMut(&mut JsonReader<'a>, &'a str) -> Option<()>,
    ) -> Option<Self> {
        let mut found = Self { conversation_id: None, dialog_id: None };
        reader.object(|reader, name| {
            let id = match name {
                "conversationId" => &mut found.conversation_id,
                "dialogId" => &mut found.dialog_id,
                _ => return other(reader, name),
            };
            id.replace(plain(reader)?.into()).is_none().then_some(())
        })?;
        Some(found)
    }

    fn pass(reader: &mut JsonReader<'a>, _: &str) -> Option<()> {
        reader.value().map(|_| ())
    }
}

/// Reads a string without escapes.
fn plain<'a>(reader: &mut JsonReader<'a>) -> Option<&'a str> {
    match reader.scalar()? {
        Scalar::Plain(plain) => Some(plain),
        Scalar::Integer(_) | Scalar::Null | Scalar::Other(_) => None,
    }
}

/// Reads a string that must be `word`, once.
fn is(word: &str, known: &mut bool, reader: &mut JsonReader<'_>) -> Option<()> {
    (!std::mem::replace(known, true) && plain(reader)? == word).then_some(())
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;
    use crate::ums::{Frame, Notification};

    const OF_AGENT: &str = ".ams.ms.OnlineEventDistribution";
    const OF_CONSUMER: &str = "ms.MessagingEventNotification";

    fn records(kind: &str, body: &str) -> String {
        format!(r#"{{"kind":"notification","type":"{kind}","body":{body}}}"#)
    }

    #[test]
    fn the_address_of_records_is_what_decoding_finds() {
        let named =
            r#"{"sequence":1,"event":{"type":"ContentEvent","message":"a"},"dialogId":"d1","conversationId":"c1"}"#;
        for text in [
            records(OF_AGENT, named),
            records(OF_AGENT, r#"{"sequence":1,"event":{"type":"ContentEvent"},"dialogId":"d1"}"#),
            records(OF_AGENT, r#"{"event":{"type":"ContentEvent"},"sequence":1}"#),
            records(OF_CONSUMER, &format!(r#"{{"dialogId":"d2","conversationId":"c2","changes":[{named},{named}]}}"#)),
            records(OF_CONSUMER, &format!(r#"{{"changes":[{named}],"conversationId":"c2"}}"#)),
            records(OF_CONSUMER, r#"{"conversationId":"c2","changes":[{"event":{"type":"ContentEvent"}}]}"#),
            records(OF_CONSUMER, r#"{"dialogId":"d2","changes":[]}"#),
        ] {
            let Ok(Frame::Notification(Notification::Messages(messages))) = Frame::decode(&text) else {
                panic!("{text}")
            };
            assert_eq!(RecordsAddress::read(&text), Some(RecordsAddress::of(&messages)), "{text}");
        }
    }

    #[test]
    fn the_address_of_any_other_frame_is_left_to_be_decoded() {
        for text in [
            records("cqm.ExConversationChangeNotification", r#"{"conversationId":"c1"}"#),
            records(OF_AGENT, r#"{"conversationId":"c1","conversationId":"c2"}"#),
            records(OF_AGENT, r#"{"conversationId":null}"#),
            records(OF_AGENT, r#"{"conversationId":"c\u0031"}"#),
            records(OF_AGENT, r#"{"conversationId":"c1"},"more":1"#),
            records(OF_AGENT, r#"{"conversationId":"c1""#),
            records(OF_AGENT, r#"[{"conversationId":"c1"}]"#),
            records(OF_CONSUMER, r#"{"changes":{"conversationId":"c1"}}"#),
            records(OF_CONSUMER, r#"{"changes":[{"conversationId":"c1"},{]}"#),
        ] {
            assert_eq!(RecordsAddress::read(&text), None, "{text}");
        }
    }

    const STATE: &str = r#"{"convId":"c1","conversationDetails":{"stage":"OPEN","note":"a \"result\" of yours"}}"#;

    fn frame(change: &str) -> String {
        format!(
            r#"{{"kind":"notification","type":"cqm.ExConversationChangeNotification","body":{{"subscriptionId":"s1","sentTs":1,"changes":[{change}]}}}}"#
        )
    }

    fn upsert(state: &str) -> String {
        format!(r#"{{"type":"UPSERT","result":{state}}}"#)
    }

    #[test]
    fn the_usual_frame_has_what_decoding_finds() {
        let text = frame(&upsert(STATE));
        let read = StateFrame::read(&text).unwrap();
        let Ok(Frame::Notification(Notification::Conversations(changes))) = Frame::decode(&text) else { panic!() };
        assert_eq!(Some(read.subscription_id), changes.subscription_id);
        assert_eq!(Some(read.conversation_id), changes.changes[0].conversation_id());
        assert_eq!(Some(read.state.get()), changes.changes[0].result.map(StateText::get));
        assert_eq!(read.state.get(), STATE);
    }

    #[test]
    fn any_other_frame_is_left_to_be_decoded() {
        let usual = upsert(STATE);
        for text in [
            frame(&format!("{usual},{usual}")),
            frame(&format!(r#"{usual},{{"result":{STATE},"type":"UPSERT"}}"#)),
            frame(&usual.replace("UPSERT", "DELETE")),
            frame(&format!(r#"{{"result":{STATE},"type":"UPSERT"}}"#)),
            frame(&upsert(r#"{"conversationDetails":{},"convId":"c1"}"#)),
            frame(&upsert(r#"{"convId":7,"conversationDetails":{}}"#)),
            frame(&upsert(r#"{"convId":"c\u0031","conversationDetails":{}}"#)),
            frame(&upsert("null")),
            frame(""),
            frame(&format!(r#"{{"type":"UPSERT"}},{usual}"#)),
            frame(&format!("{{}},{usual}")),
            frame(&usual).replace(r#""changes":"#, r#""changes":[],"changes":"#),
            frame(&usual).replace(r#""body":"#, r#""body":{"subscriptionId":"s2"},"body":"#),
            frame(&upsert(&format!("{STATE} "))),
            frame(&usual).replace(r#""subscriptionId":"s1","#, ""),
            frame(&usual).replace("notification", "resp"),
            frame(&usual).replace("ExConversation", "AgentState"),
            frame(&usual).replace(r#""sentTs":1"#, r#""subscriptionId":"s2""#),
            format!("{} ", frame(&usual)),
            String::new(),
            END.to_owned(),
        ] {
            assert!(StateFrame::read(&text).is_none(), "{text}");
        }
    }

    /// The end is only presumed.
    #[test]
    fn a_state_that_does_not_end_there_is_no_value() {
        for text in [
            frame(&format!(r#"{},{{"more":{{}}}}"#, upsert(STATE))),
            frame(&format!(r#"{{"type":"UPSERT","result":{STATE},"more":{{}}}}"#)),
            frame(&upsert(r#"{"convId":"c1","conversationDetails":{}"#)),
        ] {
            let state = StateFrame::read(&text).unwrap().state;
            assert!(state.is_presumed() && serde_json::from_str::<&RawValue>(state.get()).is_err(), "{text}");
        }
    }
}
