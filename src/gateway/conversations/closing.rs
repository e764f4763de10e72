//! Closing conversations and dialogs.

use actix_web::{post, web::Json};
use serde::Deserialize;
use tertulia_actors::core::{command::Command, id::DialogId};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::acting::{Acted, Acting};
use crate::gateway::{body::BodyOrNone, problem::Problem};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(close);
}

#[derive(Deserialize, ToSchema)]
#[schema(as = CloseRequest)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Close {
    /// Whether the survey may start, if the account has one; if false, all dialogs close at once.
    #[schema(default = true)]
    survey: bool,
    /// The dialog to close; the whole conversation if absent.
    #[schema(value_type = Option<String>)]
    dialog: Option<DialogId>,
}

impl Default for Close {
    fn default() -> Self {
        Self { survey: true, dialog: None }
    }
}

impl Close {
    fn into_command(self) -> Result<Command, Problem> {
        match self {
            Self { survey: true, dialog: Some(dialog) } => Ok(Command::CloseDialog { dialog, by: None, cause: None }),
            Self { survey: false, dialog: Some(_) } => Err(Problem::bad_request(
                "survey: false cannot be combined with dialog: closing a single dialog opens no survey",
            )),
            Self { survey: true, dialog: None } => Ok(Command::Close),
            Self { survey: false, dialog: None } => Ok(Command::CloseAtOnce),
        }
    }
}

/// Closes the conversation, or one dialog of it.
#[utoipa::path(
    operation_id = "closeConversation",
    tag = "conversations",
    params(Acting),
    request_body(content = Option<Close>),
    responses((status = 200, description = "The conversation or dialog has ended, or its survey began", body = Acted))
)]
#[post("/conversations/{conversation}/close")]
async fn close(acting: Acting, body: BodyOrNone<Close>) -> Result<Json<Acted>, Problem> {
    acting.act(&body.digest, body.value.into_command()?).await
}
