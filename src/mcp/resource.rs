//! Conversations as resources: their state, and their messages as text.

use rmcp::model::{Resource as Listed, ResourceTemplate};
use serde_json::Value;

use super::interface::Call;
use crate::percent::{decoded, encoded};

const SCHEME: &str = "tertulia://conversations/";
const TRANSCRIPT: &str = "transcript";
pub(super) const JSON: &str = "application/json";
pub(super) const TEXT: &str = "text/plain";

/// A resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) form: Form,
    pub(super) conversation: String,
    /// The connection to read through; any connection that sees the conversation if absent.
    pub(super) connection: Option<String>,
}

/// What of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// All members, as JSON.
    State,
    /// All messages, as text.
    Transcript,
}

impl Resource {
    /// The resource with this URI; `None` if there is none.
    pub(super) fn parse(uri: &str) -> Option<Self> {
        let (path, query) = uri
            .strip_prefix(SCHEME)?
            .split_once('?')
            .map_or((uri.strip_prefix(SCHEME)?, None), |(path, query)| (path, Some(query)));
        let (conversation, form) = match path.split_once('/') {
            None => (path, Form::State),
            Some((conversation, TRANSCRIPT)) => (conversation, Form::Transcript),
            Some(_) => return None,
        };
        let connection = match query {
            Some(query) => Some(decoded(query.strip_prefix("connection=")?)?),
            None => None,
        };
        let conversation = decoded(conversation).filter(|id| !id.is_empty())?;
        Some(Self { form, conversation, connection })
    }

    fn uri(&self) -> String {
        let tail = match self.form {
            Form::State => String::new(),
            Form::Transcript => format!("/{TRANSCRIPT}"),
        };
        format!("{SCHEME}{}{tail}{}", encoded(&self.conversation), self.query())
    }

    fn query(&self) -> String {
        self.connection.as_ref().map(|connection| format!("?connection={}", encoded(connection))).unwrap_or_default()
    }

    /// The call that reads the conversation.
    pub(super) fn state(&self) -> Call {
        Call::reading(format!("/v1/conversations/{}{}", encoded(&self.conversation), self.query()))
    }

    /// The call that reads the messages of a dialog.
    pub(super) fn messages(&self, dialog: &str) -> Call {
        let query = self.query();
        let mark = if query.is_empty() { '?' } else { '&' };
        let dialog = encoded(dialog);
        Call::reading(format!("/v1/conversations/{}/messages{query}{mark}dialog={dialog}", encoded(&self.conversation)))
    }
}

/// The call for a page of the open conversations.
pub(super) fn page(cursor: Option<&str>) -> Call {
    let cursor = cursor.map(|cursor| format!("&cursor={}", encoded(cursor))).unwrap_or_default();
    Call::reading(format!("/v1/conversations?stage=OPEN&limit=100{cursor}"))
}

/// The resources of a page of conversations: of each its state and its transcript.
pub(super) fn listed(page: &Value) -> Vec<Listed> {
    let items = page["items"].as_array().into_iter().flatten();
    items.flat_map(of_item).collect()
}

fn of_item(item: &Value) -> Vec<Listed> {
    let text = |name: &str| item[name].as_str().map(str::to_owned);
    let Some(conversation) = text("conversationId") else { return Vec::new() };
    let connection = text("connection");
    let of = |form, title: &str, media: &str| {
        let resource = Resource { form, conversation: conversation.clone(), connection: connection.clone() };
        let through = connection.as_deref().unwrap_or_default();
        Listed::new(resource.uri(), format!("{title} {conversation}"))
            .with_description(format!("{title} {conversation}, as the connection {through} sees it"))
            .with_mime_type(media)
    };
    vec![of(Form::State, "conversation", JSON), of(Form::Transcript, "transcript of", TEXT)]
}

/// The templates of the URIs.
pub(super) fn templates() -> Vec<ResourceTemplate> {
    vec![
        ResourceTemplate::new(format!("{SCHEME}{{conversation}}{{?connection}}"), "conversation")
            .with_title("A conversation")
            .with_description("Everything known of a conversation but its messages, as JSON.")
            .with_mime_type(JSON),
        ResourceTemplate::new(format!("{SCHEME}{{conversation}}/{TRANSCRIPT}{{?connection}}"), "transcript")
            .with_title("A transcript")
            .with_description("All messages of a conversation as text, one line or more for each message.")
            .with_mime_type(TEXT),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_uri_is_read_as_it_was_written() {
        for form in [Form::State, Form::Transcript] {
            for connection in [None, Some("bots/1".to_owned())] {
                let resource = Resource { form, conversation: "c d/?".to_owned(), connection };
                assert_eq!(Resource::parse(&resource.uri()), Some(resource));
            }
        }
        for wrong in [
            "",
            "tertulia://conversations/",
            "tertulia://connections/c",
            "tertulia://conversations/c/notes",
            "tertulia://conversations/c?limit=1",
            "tertulia://conversations/%ff",
        ] {
            assert_eq!(Resource::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_resource_becomes_calls_of_the_endpoints() {
        let resource = Resource::parse("tertulia://conversations/c%20d/transcript?connection=bots-1").unwrap();
        assert_eq!(resource.state(), Call::reading("/v1/conversations/c%20d?connection=bots-1"));
        let messages = "/v1/conversations/c%20d/messages?connection=bots-1&dialog=d%2F1";
        assert_eq!(resource.messages("d/1"), Call::reading(messages));
        let resource = Resource::parse("tertulia://conversations/c").unwrap();
        assert_eq!(resource.messages("d"), Call::reading("/v1/conversations/c/messages?dialog=d"));
        assert_eq!(page(Some("a=")), Call::reading("/v1/conversations?stage=OPEN&limit=100&cursor=a%3D"));
    }

    #[test]
    fn a_listed_conversation_has_two_resources_that_can_be_read() {
        let page = json!({ "items": [{ "conversationId": "c", "connection": "bots-1" }, {}] });
        let uris: Vec<String> = listed(&page).into_iter().map(|resource| resource.uri).collect();
        let state = "tertulia://conversations/c?connection=bots-1";
        assert_eq!(uris, [state, "tertulia://conversations/c/transcript?connection=bots-1"]);
        assert!(uris.iter().all(|uri| Resource::parse(uri).is_some()));
    }
}
