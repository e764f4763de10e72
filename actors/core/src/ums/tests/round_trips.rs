//! What is written is read as the same.

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::{generate, generate_requests};
use crate::ums::*;

fn survives<'de, T>(value: &T, text: &'de str) -> Result<(), TestCaseError>
where
    T: Deserialize<'de> + PartialEq + std::fmt::Debug,
{
    let read: T = serde_json::from_str(text).map_err(|error| TestCaseError::fail(format!("{error} in {text}")))?;
    prop_assert_eq!(&read, value, "from {}", text);
    Ok(())
}

fn written<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap()
}

fn sorted(people: &[Person<'static>]) -> Vec<(ParticipantRole, String)> {
    let mut people: Vec<_> =
        people.iter().map(|person| (person.role.clone(), person.user_id.as_str().to_owned())).collect();
    people.sort();
    people
}

proptest! {
    #[test]
    fn every_request_is_read_as_it_was_written_in_both_dialects(frame in generate_requests::frame()) {
        for dialect in Dialect::ALL {
            let text = frame.encode(dialect).unwrap();
            prop_assert_eq!(&RequestFrame::decode(&text).unwrap(), &frame, "from {}", text);
        }
    }

    #[test]
    fn every_brand_state_is_read_as_it_was_written(state in generate::state(Dialect::Brand)) {
        survives(&state, &written(&state))?;
    }

    #[test]
    fn every_consumer_state_is_read_as_it_was_written(state in generate::state(Dialect::Consumer)) {
        survives(&state, &written(&state))?;
    }

    #[test]
    fn every_record_is_read_as_it_was_written(record in generate::record()) {
        survives(&record, &written(&record))?;
    }

    #[test]
    fn every_routing_task_is_read_as_it_was_written(task in generate::routing_task()) {
        survives(&task, &written(&task))?;
    }

    #[test]
    fn every_agent_state_is_read_as_it_was_written(change in generate::agent_state_change()) {
        survives(&change, &written(&change))?;
    }

    /// DG-N10
    #[test]
    fn both_shapes_of_participants_tell_of_the_same_people(people in generate::people()) {
        let [brand, consumer] = Dialect::ALL.map(|dialect| {
            let details = ConversationDetails::default().with_people(people.clone(), dialect);
            let text = written(&details);
            let read: ConversationDetails<'_> = serde_json::from_str(&text).unwrap();
            let people: Vec<Person<'static>> = read
                .people()
                .into_iter()
                .map(|person| Person {
                    role: person.role,
                    user_id: person.user_id.into_owned().into(),
                    agent_id: person.agent_id.map(|id| id.into_owned().into()),
                })
                .collect();
            people
        });
        prop_assert_eq!(sorted(&brand), sorted(&people));
        prop_assert_eq!(sorted(&consumer), sorted(&people));
        for person in brand {
            prop_assert!(people.contains(&person), "agent ids are kept on brand sockets: {:?}", person);
        }
    }

    #[test]
    fn a_frame_is_decoded_without_copying_its_bodies(record in generate::record()) {
        let text = format!(r#"{{"kind":"resp","reqId":"1","code":200,"body":{}}}"#, written(&record));
        let Frame::Response(response) = Frame::decode(&text).unwrap() else { panic!("not a response") };
        let body = response.body.unwrap();
        prop_assert!(text.as_bytes().as_ptr_range().contains(&body.get().as_ptr()));
    }
}

/// Protocol §10.3: the HTTP header is one line of ASCII that says the same.
#[test]
fn client_properties_are_one_line_of_ascii_as_an_http_header() {
    let properties = ClientProperties {
        app_id: Some("Über\n😀\"".to_owned()),
        features: vec!["RICH_CONTENT".to_owned()],
        ..ClientProperties::default()
    };
    let header = properties.http_header();
    assert!(header.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{header}");
    let mut read: serde_json::Value = serde_json::from_str(&header).unwrap();
    assert_eq!(read["type"].take(), ".ClientProperties");
    read.as_object_mut().unwrap().remove("type");
    assert_eq!(serde_json::from_value::<ClientProperties>(read).unwrap(), properties);
}
