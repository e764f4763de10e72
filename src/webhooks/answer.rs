//! The answer of a receiver of a webhook with `"replies": true`: the reply to the event, as commands for the
//! conversation of the event.

use serde::Deserialize;
use serde_json::Value;
use tertulia_actors::core::{
    command::{Command, SendRichText, SendText},
    id::{AgentId, SkillId},
};
use utoipa::ToSchema;

/// The most bytes of an answer.
pub(super) const MOST_BYTES: usize = 64 * 1024;
/// The most messages in an answer.
const MOST_MESSAGES: usize = 20;

/// The answer of a receiver whose webhook has `"replies": true`, with a status from 200 to 299. Its commands run in the
/// event's conversation, on the connection of the event: the messages in order, then the transfer, then the close. All
/// members are optional. An empty body means that the receiver has no reply.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[schema(as = WebhookAnswer)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The messages, at most 20.
    #[schema(max_items = 20)]
    messages: Option<Vec<Message>>,
    /// Whether the other participants see this side as typing until a message arrives.
    typing: Option<bool>,
    transfer: Option<Transfer>,
    close: Option<Close>,
}

/// A message: text or structured content.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(as = WebhookAnswerMessage)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Message {
    text: Option<String>,
    #[schema(value_type = Option<Object>)]
    rich_text: Option<Value>,
    #[schema(value_type = Option<Object>)]
    quick_replies: Option<Value>,
    #[schema(value_type = Option<Vec<Object>>)]
    metadata: Option<Vec<Value>>,
    /// Whether only agents and agent managers see the message.
    private: Option<bool>,
}

/// The agent, the skill or both to transfer the conversation to.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(as = WebhookAnswerTransfer)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Transfer {
    #[schema(value_type = Option<String>)]
    skill_id: Option<SkillId>,
    #[schema(value_type = Option<String>)]
    agent_id: Option<AgentId>,
}

/// Closes the conversation.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(as = WebhookAnswerClose)]
#[serde(deny_unknown_fields)]
struct Close {
    /// Whether the survey may start, if the account has one; true by default.
    survey: Option<bool>,
}

/// The reason why a body is not a valid answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AnswerError {
    #[error("the receiver's answer is not a reply: it is not a JSON object")]
    NotAnObject,
    #[error("the receiver's answer is not a reply: {0}")]
    Malformed(String),
    #[error("the receiver's answer is not a reply: it has more than {MOST_BYTES} bytes")]
    TooLong,
    #[error("the receiver's answer is not a reply: it has {0} messages, and at most {MOST_MESSAGES} are allowed")]
    TooManyMessages(usize),
    #[error("the receiver's answer is not a reply: message {0} must have either a text or a richText")]
    NoContent(usize),
}

/// The reply to an event.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Reply {
    /// Whether this side is shown as typing before the commands run.
    pub(super) typing: bool,
    /// The commands, in order.
    pub(super) commands: Vec<Command>,
}

impl Reply {
    /// Reads the body of an answer.
    ///
    /// # Errors
    /// [`AnswerError`]: the body is neither empty nor a valid [`Answer`].
    pub(super) fn read(body: &[u8]) -> Result<Self, AnswerError> {
        match body.trim_ascii_start().first() {
            None => return Ok(Self::default()),
            Some(b'{') => {}
            Some(_) => return Err(AnswerError::NotAnObject),
        }
        let answer: Answer = serde_json::from_slice(body).map_err(|error| AnswerError::Malformed(error.to_string()))?;
        answer.try_into()
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.typing && self.commands.is_empty()
    }
}

impl TryFrom<Answer> for Reply {
    type Error = AnswerError;

    fn try_from(answer: Answer) -> Result<Self, AnswerError> {
        let Answer { messages, typing, transfer, close } = answer;
        let messages = messages.unwrap_or_default();
        if messages.len() > MOST_MESSAGES {
            return Err(AnswerError::TooManyMessages(messages.len()));
        }
        let messages = messages.into_iter().zip(1..);
        let mut commands =
            messages.map(|(message, number)| message.into_command(number)).collect::<Result<Vec<_>, _>>()?;
        commands
            .extend(transfer.map(|Transfer { skill_id: skill, agent_id: agent }| Command::Transfer { agent, skill }));
        commands.extend(close.map(|Close { survey }| match survey {
            Some(false) => Command::CloseAtOnce,
            Some(true) | None => Command::Close,
        }));
        Ok(Self { typing: typing.unwrap_or_default(), commands })
    }
}

impl Message {
    /// Returns the command that publishes the message. `number` is the position of the message in its answer.
    fn into_command(self, number: usize) -> Result<Command, AnswerError> {
        let Self { text, rich_text, quick_replies, metadata, private } = self;
        let (metadata, private) = (metadata.unwrap_or_default(), private.unwrap_or_default());
        match (text, rich_text) {
            (Some(text), None) => {
                Ok(Command::SendText(SendText { text, private, metadata, quick_replies, dialog: None }))
            }
            (None, Some(content)) => {
                Ok(Command::SendRichText(SendRichText { content, private, metadata, quick_replies, dialog: None }))
            }
            _ => Err(AnswerError::NoContent(number)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(answer: &Value) -> Result<Reply, AnswerError> {
        Reply::read(answer.to_string().as_bytes())
    }

    fn names(reply: &Reply) -> Vec<&'static str> {
        reply.commands.iter().map(Command::name).collect()
    }

    #[test]
    fn messages_come_first_in_their_order_then_the_transfer_then_the_close() {
        let answer = json!({
            "close": { "survey": false },
            "transfer": { "skillId": "501", "agentId": null },
            "typing": true,
            "messages": [
                { "text": "Hello", "quickReplies": { "replies": [] }, "metadata": [{ "type": "x" }] },
                { "richText": { "type": "vertical" }, "private": true },
            ],
        });
        let reply = read(&answer).unwrap();
        assert!(reply.typing);
        let [Command::SendText(text), Command::SendRichText(rich), Command::Transfer { agent, skill }, last] =
            &reply.commands[..]
        else {
            panic!("{reply:?}")
        };
        assert_eq!((&*text.text, text.private, text.metadata.len()), ("Hello", false, 1));
        assert!(text.quick_replies.is_some() && rich.private);
        assert_eq!((agent, skill.as_ref().map(SkillId::as_str)), (&None, Some("501")));
        assert_eq!(*last, Command::CloseAtOnce);
        assert_eq!(
            names(&read(&json!({ "close": {} })).unwrap()),
            names(&Reply { commands: vec![Command::Close], typing: false })
        );
    }

    #[test]
    fn an_empty_body_or_an_object_without_members_has_no_commands() {
        for body in ["", " \r\n", "{}", r#"{"messages":[],"typing":false,"transfer":null,"close":null}"#] {
            assert!(Reply::read(body.as_bytes()).unwrap().is_empty(), "{body}");
        }
    }

    #[test]
    fn an_invalid_answer_is_refused_with_the_reason() {
        for body in ["ok", "[]", "null", "\"text\"", "7"] {
            assert_eq!(Reply::read(body.as_bytes()), Err(AnswerError::NotAnObject), "{body}");
        }
        for body in
            ["{", "{\"mesages\":[]}", "{\"messages\":[{\"txt\":\"\"}]}", "{\"typing\":1}", "{} {}", "{\"close\":true}"]
        {
            assert!(matches!(Reply::read(body.as_bytes()), Err(AnswerError::Malformed(_))), "{body}");
        }
        let both = json!({ "messages": [{ "text": "" }, { "text": "a", "richText": {} }] });
        assert_eq!(read(&both), Err(AnswerError::NoContent(2)));
        assert_eq!(read(&json!({ "messages": [{ "private": true }] })), Err(AnswerError::NoContent(1)));
        let many = |count: usize| read(&json!({ "messages": vec![json!({ "text": "a" }); count] }));
        assert_eq!(many(MOST_MESSAGES).unwrap().commands.len(), MOST_MESSAGES);
        assert_eq!(many(MOST_MESSAGES + 1), Err(AnswerError::TooManyMessages(21)));
    }
}
