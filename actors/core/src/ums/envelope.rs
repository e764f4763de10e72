//! The envelope of every incoming frame ([§4](crate::protocol#4)), decoded once; bodies stay raw until they are needed.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

use super::{
    ConversationChanges, FrameError, Json, Notification, Text,
    json_reader::{JsonReader, Scalar},
};

/// One incoming frame.
#[derive(Debug)]
pub enum Frame<'a> {
    /// The response to a request.
    Response(Response<'a>),
    /// A notification.
    Notification(Notification<'a>),
}

/// The response to a request ([§4.2](crate::protocol#42)). Matched by `request_id`, never by `kind`.
#[derive(Debug)]
pub struct Response<'a> {
    /// The request's id; missing in some error responses ([§4.5](crate::protocol#45)).
    pub request_id: Option<Text<'a>>,
    /// The status.
    pub code: Code,
    /// The response's type, if it has one.
    pub kind: Text<'a>,
    /// The response's body.
    pub body: Option<Json<'a>>,
}

/// The code of a response, with the meaning of HTTP statuses. The Send API sends words, of which only `"OK"` is known
/// ([§10.3](crate::protocol#103)): the words of a success are read as 200, any other word as 400, so that its request
/// at least gets a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Code(pub u16);

impl Code {
    /// Returns whether the request was refused ([§4.2](crate::protocol#42): above 399).
    #[must_use]
    pub fn is_refusal(self) -> bool {
        self.0 > 399
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        match text.as_str() {
            "OK" | "CREATED" | "ACCEPTED" => Ok(Self(200)),
            word if word.starts_with(|first: char| first.is_ascii_alphabetic()) => Ok(Self(400)),
            number => {
                number.parse().map(Self).map_err(|_| de::Error::custom("a code that is no number from 0 to 65535"))
            }
        }
    }
}

/// The members of a frame.
#[derive(Default)]
struct Envelope<'a> {
    kind: Text<'a>,
    body_kind: Option<Text<'a>>,
    request_id: Option<Text<'a>>,
    code: Option<Code>,
    body: Option<Body<'a>>,
}

/// The body of a frame. The most frequent type is parsed immediately if its type is already known; otherwise it would
/// have to be parsed twice.
enum Body<'a> {
    Changes(ConversationChanges<'a>),
    Raw(Json<'a>),
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Member {
    Kind,
    Type,
    ReqId,
    Code,
    Body,
    #[serde(other)]
    Unlisted,
}

impl<'de: 'a, 'a> Deserialize<'de> for Envelope<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Envelope<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a frame")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut frame = Envelope::default();
                while let Some(member) = members.next_key()? {
                    match member {
                        Member::Kind => frame.kind = members.next_value()?,
                        Member::Type => frame.body_kind = members.next_value()?,
                        Member::ReqId => frame.request_id = members.next_value()?,
                        Member::Code => frame.code = members.next_value()?,
                        Member::Body if frame.announces_changes() => {
                            frame.body = members.next_value::<Option<_>>()?.map(Body::Changes);
                        }
                        Member::Body => frame.body = members.next_value::<Option<_>>()?.map(Body::Raw),
                        Member::Unlisted => {
                            members.next_value::<de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(frame)
            }
        }

        deserializer.deserialize_map(Visitor)
    }
}

impl Envelope<'_> {
    fn announces_changes(&self) -> bool {
        self.kind.as_str() == "notification" && self.body_kind.as_deref().is_some_and(ConversationChanges::are_named)
    }
}

impl<'a> Frame<'a> {
    /// Decodes one text frame.
    ///
    /// # Errors
    /// [`FrameError`], which names the problem; the caller must count and drop the frame, and keep the socket.
    pub fn decode(text: &'a str) -> Result<Self, FrameError> {
        match usual_notification(text) {
            Some(notification) => Ok(Self::Notification(notification)),
            None => Self::decode_any(text),
        }
    }

    /// Decodes one text frame with [`serde_json`] alone, to compare with [`Self::decode`].
    ///
    /// # Errors
    /// As [`Self::decode`].
    #[cfg(fuzzing)]
    pub fn decode_as_a_whole(text: &'a str) -> Result<Self, FrameError> {
        Self::decode_any(text)
    }

    pub(super) fn decode_any(text: &'a str) -> Result<Self, FrameError> {
        let Envelope { kind, body_kind, request_id, code, body } = serde_json::from_str(text)?;
        let body_kind = body_kind.unwrap_or_default();
        let body = match body {
            Some(Body::Changes(changes)) => return Ok(Self::Notification(Notification::Conversations(changes))),
            Some(Body::Raw(body)) => Some(body),
            None => None,
        };
        match kind.as_str() {
            // The Send API omits the kind (§10.3).
            "" if request_id.is_none() || code.is_none() => Err(FrameError::UnknownKind { kind: String::new() }),
            "resp" | "" => {
                Ok(Self::Response(Response { request_id, code: code.unwrap_or(Code(200)), kind: body_kind, body }))
            }
            "notification" => Notification::read(body_kind, body).map(Self::Notification),
            other => Err(FrameError::UnknownKind { kind: other.chars().take(64).collect() }),
        }
    }
}

/// Reads a notification of conversations or records in its usual form, because these are the most frequent frames. `None`
/// if it is another frame, or must be decoded by [`serde_json`].
fn usual_notification(text: &str) -> Option<Notification<'_>> {
    let mut reader = JsonReader::new(text);
    let (mut is_notification, mut body_kind, mut notification) = (false, None, None);
    reader.object(|reader, name| {
        match name {
            "kind" if !is_notification && reader.scalar()? == Scalar::Plain("notification") => is_notification = true,
            "type" if is_notification && body_kind.is_none() => {
                let Scalar::Plain(kind) = reader.scalar()? else { return None };
                body_kind = Some(kind);
            }
            "body" if notification.is_none() => notification = Some(Notification::read_usual(body_kind?, reader)?),
            _ => return None,
        }
        Some(())
    })?;
    notification.filter(|_| reader.is_at_end())
}
