//! What all endpoints that act on a conversation share: the conversation, the acting connection, and the key.

use std::{future::Future, pin::Pin, time::Duration};

use actix_web::{
    Error, FromRequest, HttpRequest,
    dev::Payload,
    web::{Data, Json, Path, Query},
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

use super::find::{Through, find_to_act};
use crate::gateway::{
    body::Digest,
    idempotency::{self, Key},
    problem::Problem,
    state::State,
};

/// How long a command may take, including the wait for a reconnect: less than callers' usual timeouts.
pub(super) const PATIENCE: Duration = Duration::from_secs(25);

/// A conversation on which one connection acts, with the caller's key if there is one.
pub(super) struct Acting {
    pub(super) handle: ConversationHandle,
    pub(super) key: Option<CommandKey>,
}

impl Acting {
    /// Runs a command.
    ///
    /// # Errors
    /// The command failed, or the key was used with another body.
    pub(super) async fn perform(self, digest: &Digest, command: Command) -> Result<Done, Problem> {
        idempotency::once(&self.handle, self.key, digest, command, PATIENCE).await
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

/// The platform has accepted the command.
#[derive(Serialize, ToSchema)]
pub(super) struct Acted {
    /// The command's key: the caller's or a generated one. The event about the command contains it.
    #[schema(value_type = String)]
    key: CommandKey,
}

impl FromRequest for Acting {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parts = <(Data<State>, Path<ConversationId>, Query<Through>)>::extract(request);
        let key = idempotency::key(request.headers());
        Box::pin(async move {
            let (state, id, through) = parts.await?;
            Ok(Self { handle: find_to_act(&state, &id, through.into_inner())?, key: key? })
        })
    }
}

impl IntoParams for Acting {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let own = [Named::into_params(|| None), Through::into_params(|| None), Key::into_params(|| None)];
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
