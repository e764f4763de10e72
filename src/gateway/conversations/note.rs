//! An agent's note ([CV-F9](crate::rules#cv-f9)).

use actix_web::{post, web::Json};
use serde::{Deserialize, Serialize};
use tertulia_actors::core::{
    command::{Command, SetAgentNote},
    id::{AgentId, CommandKey},
    note::WrittenNote,
    time::Timestamp,
};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::acting::Acting;
use crate::gateway::{body::Body, problem::Problem};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(note);
}

#[derive(Deserialize, ToSchema)]
#[schema(as = NewNote)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Note {
    note_content: String,
    /// The note's agent; the connection's agent if absent.
    #[schema(value_type = Option<String>)]
    agent_id: Option<AgentId>,
    /// The agent's name as shown to others; the name of the connection's agent if absent.
    name: Option<String>,
    /// The note to replace; a new note if absent.
    note_id: Option<String>,
    /// Whether a machine wrote the note.
    #[serde(default)]
    is_auto_summary: bool,
    /// Whether the note may be cut to fit.
    #[schema(default = true)]
    truncate_enabled: Option<bool>,
}

impl Note {
    /// The command, requested at `time`.
    fn into_command(self, time: Timestamp) -> Command {
        let Self { note_content, agent_id, name, note_id, is_auto_summary, truncate_enabled } = self;
        let truncate_enabled = truncate_enabled.unwrap_or(true);
        Command::SetAgentNote(SetAgentNote {
            note_content,
            time,
            agent_id,
            name,
            note_id,
            is_auto_summary,
            truncate_enabled,
        })
    }
}

/// The outcome of writing a note.
#[derive(Serialize, ToSchema)]
#[schema(as = WrittenNote)]
#[serde(rename_all = "camelCase")]
struct Written {
    #[schema(value_type = String)]
    key: CommandKey,
    /// The id with which the note can be replaced.
    note_id: Option<String>,
    /// Whether the note was cut.
    truncated: bool,
    /// The remaining text of a cut note.
    truncated_text: Option<String>,
}

/// Writes an agent's note; notes of other agents stay as they are.
#[utoipa::path(
    operation_id = "setNote",
    tag = "conversations",
    params(Acting),
    request_body = Note,
    responses((status = 200, description = "The note was written, cut to fit if necessary", body = Written))
)]
#[post("/conversations/{conversation}/note")]
async fn note(acting: Acting, body: Body<Note>) -> Result<Json<Written>, Problem> {
    let now = Timestamp(jiff::Timestamp::now().as_millisecond());
    let done = acting.perform(&body.digest, body.value.into_command(now)).await?;
    let (note_id, cut) = match done.note {
        Some(WrittenNote { note_id, content, truncated, .. }) => (Some(note_id), truncated.then_some(content)),
        None => (None, None),
    };
    Ok(Json(Written { key: done.key, note_id, truncated: cut.is_some(), truncated_text: cut }))
}
