//! What all endpoints that act on a conversation share: the conversation, the acting connection, and the key.

use std::{future::Future, pin::Pin, time::Duration};

use actix_web::{
    Error, FromRequest, HttpRequest,
    dev::Payload,
    web::{Json, Path, Query},
};
use serde::Serialize;
use tertulia_actors::{
    conversation::{ConversationHandle, Done},
    core::{
        command::Command,
        id::{CommandKey, ConversationId},
    },
};
use utoipa::{
    IntoParams, ToSchema,
    openapi::path::{Parameter, ParameterIn},
};
use uuid::Uuid;

use super::{
    find::{Through, find_to_act},
    form::Form,
};
use crate::gateway::{body::Digest, keyed::Once, problem::Problem, state::Caller};

/// How long a command may take, including the wait for a reconnect: less than callers' usual timeouts.
pub(super) const PATIENCE: Duration = Duration::from_secs(25);

/// How long a command with a key continues after its caller is gone. A repeated request waits for it.
const LIFETIME: Duration = Duration::from_secs(300);

/// A conversation on which one connection acts, with the caller's key if there is one.
pub(super) struct Acting {
    handle: ConversationHandle,
    once: Once,
}

impl Acting {
    /// Runs a command.
    ///
    /// # Errors
    /// The command failed, or the key was used with another body.
    pub(super) async fn perform(self, digest: &Digest, command: Command) -> Result<Done, Problem> {
        Ok(match self.once.key() {
            Some(key) => self.handle.perform_durably(key.clone(), digest.as_str(), command, LIFETIME, PATIENCE).await?,
            None => self.handle.perform_as(new_key(), command, PATIENCE).await?,
        })
    }

    /// Uploads a file and publishes its message.
    ///
    /// # Errors
    /// The upload failed, or the key was used with another file.
    pub(super) async fn upload(self, form: Form) -> Result<Done, Problem> {
        let digest = form.digest(self.once.resource());
        // Of several requests with one key, one uploads the file.
        let _turn = self.once.turn().await?;
        let file = form.into_source();
        Ok(match self.once.key() {
            Some(key) => {
                self.handle.upload_file_durably(key.clone(), digest.as_str(), file, LIFETIME, PATIENCE).await?
            }
            None => self.handle.upload_file_as(new_key(), file, PATIENCE).await?,
        })
    }

    /// Runs a command whose only response is an acknowledgement.
    ///
    /// # Errors
    /// As [`Self::perform`].
    pub(super) async fn act(self, digest: &Digest, command: Command) -> Result<Json<Acted>, Problem> {
        let Done { key, .. } = self.perform(digest, command).await?;
        Ok(Json(Acted { key }))
    }
}

/// The key of a command whose caller gave none.
pub(super) fn new_key() -> CommandKey {
    CommandKey::from(Uuid::now_v7().to_string())
}

/// The platform has accepted the command.
#[derive(Serialize, ToSchema)]
#[schema(as = AcceptedCommand)]
pub(super) struct Acted {
    /// The command's key: the caller's or a generated one. The event about the command contains it.
    #[schema(value_type = String)]
    key: CommandKey,
}

impl FromRequest for Acting {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parts = <(Caller, Path<ConversationId>, Query<Through>, Once)>::extract(request);
        Box::pin(async move {
            let (caller, id, through, once) = parts.await?;
            Ok(Self { handle: find_to_act(&caller, &id, through.into_inner())?, once })
        })
    }
}

impl IntoParams for Acting {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let own = [Named::into_params(|| None), Through::into_params(|| None), Once::into_params(|| None)];
        own.into_iter().flatten().collect()
    }
}

/// The conversation in the path, for the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only for the OpenAPI document")]
pub(super) struct Named {
    /// The conversation's id.
    conversation: String,
}
