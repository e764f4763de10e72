//! The limits on what a command carries, for arbitrary input.

use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};

use super::{
    scene::{Scene, agent, consumer},
    sends::text,
};
use crate::{
    command::*,
    id::CommandKey,
    note::NoteBudget,
    rich_content::{Channel, Strictness},
    time::Timestamp,
    ums::{DeliveryStatus, MessageContent, Request},
};

const LIMITS: Limits = Limits {
    text_chars: 20,
    rich_chars: 60,
    note_chars: 10,
    note_budget: NoteBudget::WholeField,
    metadata_items: 4,
    file_bytes: 32,
    preview_bytes: 16,
    quick_replies: Channel::Web,
    strictness: Strictness::Schema,
};

fn asked(command: &Command) -> Result<Plan, &'static str> {
    let asked = command.requests(&Scene::open().conversation(), &agent(), &CommandKey::from("k"), &LIMITS);
    asked.map_err(|error| error.code())
}

fn sent_text(plan: &Plan) -> Option<String> {
    let Plan::Request(planned) = plan else { return None };
    let Request::Publish(publish) = &planned.request else { return None };
    let MessageContent::Content { message, .. } = &publish.event else { return None };
    message.read_owned().ok()
}

proptest! {
    #[test]
    fn cv_f6_a_text_from_1_to_the_limit_of_characters_is_sent_whole(characters in vec(any::<char>(), 0..40)) {
        let written: String = characters.iter().collect();
        match asked(&Command::SendText(text(&written))) {
            Ok(plan) => {
                prop_assert!((1..=LIMITS.text_chars).contains(&characters.len()));
                prop_assert_eq!(sent_text(&plan), Some(written));
            }
            Err(code) => prop_assert_eq!(code, if characters.is_empty() { "text-empty" } else { "text-too-long" }),
        }
    }

    #[test]
    fn cv_f8_structured_content_is_measured_as_json(characters in vec(any::<char>(), 0..60)) {
        let content = json!({ "type": "text", "text": characters.iter().collect::<String>() });
        let length = content.to_string().chars().count();
        let command = Command::SendRichText(SendRichText { content, ..SendRichText::default() });
        match asked(&command) {
            Ok(_) => prop_assert!(length <= LIMITS.rich_chars),
            Err(code) => prop_assert!(code == "rich-text-too-long" && length > LIMITS.rich_chars),
        }
    }

    #[test]
    fn cv_f12_a_note_up_to_the_limit_is_taken(characters in vec(any::<char>(), 0..20)) {
        let taken = asked(&Command::SetNote { note: characters.iter().collect() });
        let expected = if characters.len() <= LIMITS.note_chars { None } else { Some("note-too-long") };
        prop_assert_eq!(taken.err(), expected);
    }

    #[test]
    fn metadata_is_counted_with_the_key(count in 0..8_usize, own in any::<bool>()) {
        let mut metadata = vec![json!({ "type": "ActionReason" }); count];
        if own {
            metadata.push(json!({ "type": "ExternalId", "id": "own" }));
        }
        let sent = asked(&Command::SendText(SendText { metadata, ..text("hi") }));
        let expected = if count < LIMITS.metadata_items { None } else { Some("metadata-too-many") };
        prop_assert_eq!(sent.err(), expected);
    }

    #[test]
    fn a_previews_bytes_are_limited(preview in ".{0,12}") {
        let length = preview.len();
        let (relative_path, file_type) = ("/v1/a".to_owned(), "PNG".to_owned());
        let file = HostedFile { relative_path, file_type, preview: Some(preview), ..HostedFile::default() };
        let sent = asked(&Command::SendFileNotice(SendFileNotice { file, ..SendFileNotice::default() }));
        let expected = if length <= LIMITS.preview_bytes { None } else { Some("preview-too-large") };
        prop_assert_eq!(sent.err(), expected);
    }

    #[test]
    fn no_command_panics(
        written in any::<String>(), number in any::<u64>(), rate in any::<u8>(), sequences in vec(any::<u64>(), 0..4),
    ) {
        let commands = [
            Command::SendText(SendText { dialog: Some(written.as_str().into()), ..text(&written) }),
            Command::SendRichText(SendRichText { content: Value::from(written.as_str()), ..SendRichText::default() }),
            Command::QueryMessages {
                dialog: None,
                range: MessageRange { from: Some(number), to: sequences.first().copied(), max: sequences.last().copied() },
            },
            Command::Transfer { agent: Some(written.as_str().into()), skill: Some(written.as_str().into()) },
            Command::AcceptStatus { dialog: None, status: DeliveryStatus::Read, sequences, metadata: vec![number.into()] },
            Command::SetTtr { ttr_type: written.as_str().into(), value: number },
            Command::SetAgentNote(SetAgentNote::new(written.clone(), Timestamp(1))),
            Command::SetCsat { rate, resolved: None, status: written.as_str().into() },
            Command::ConsumerTakeover { new_consumer: written.as_str().into() },
        ];
        for command in commands {
            for (scene, side) in [(Scene::open(), agent()), (Scene::survey(), consumer()), (Scene::closed(), agent())] {
                let _ = scene.asked(&command, &side);
            }
        }
    }
}

#[test]
fn the_default_limits_are_those_of_the_class_page() {
    let limits = Limits::default();
    assert_eq!(
        (limits.text_chars, limits.rich_chars, limits.note_chars, limits.metadata_items),
        (8_000, 15_000, 5_000, 32)
    );
}
