//! What consumers do beside talking: open conversations, and say who they are.

use tertulia_core::{
    id::UserId,
    ums::{ConversationRequest, ProfileQuery, Request, UserProfile},
};
use tokio::{sync::oneshot, time::timeout};

use super::{ConnectionHandle, PATIENCE};
use crate::{
    connection::{BeginStepUp, CreateConversation, StepUpError, SteppedUp},
    conversation::ConversationHandle,
    platform::StepUp,
    request::RequestFailure,
};

impl ConnectionHandle {
    /// Opens a conversation as a consumer ([CN-F6](crate::rules#cn-f6)).
    ///
    /// # Errors
    /// [`RequestFailure`].
    pub async fn create_conversation(
        &self,
        request: ConversationRequest,
    ) -> Result<ConversationHandle, RequestFailure> {
        let id = self.ask(|address, reply| address.do_send(CreateConversation { request, reply })).await?;
        self.conversation(&id).ok_or(RequestFailure::ConnectionLost)
    }

    /// Sets the consumer's own profile ([CN-F10](crate::rules#cn-f10)); what is not told is not set.
    ///
    /// # Errors
    /// [`RequestFailure`].
    pub async fn set_user_profile(&self, profile: &UserProfile<'_>) -> Result<(), RequestFailure> {
        let profile = serde_json::to_value(profile).map_err(|error| RequestFailure::Unwritable(error.to_string()))?;
        let answer = self.send(Request::SetUserProfile(profile)).await?;
        answer.read(|response| response.profile_set())
    }

    /// Reads a profile: of the one named, such as a conversation's consumer, or one's own
    /// ([CN-F19](crate::rules#cn-f19)).
    ///
    /// # Errors
    /// [`RequestFailure`].
    pub async fn user_profile(&self, user: Option<UserId>) -> Result<UserProfile<'static>, RequestFailure> {
        let query = ProfileQuery { user_id: user.map(|user| user.to_string()) };
        let answer = self.send(Request::GetUserProfile(query)).await?;
        answer.read(|response| response.user_profile())
    }

    /// Makes an anonymous consumer somebody the brand vouches for, with their open conversations
    /// ([CA-4](crate::rules#ca-4), [CN-F17](crate::rules#cn-f17)). The connection reconnects on the way. It goes on
    /// where the caller stops waiting, after three minutes at most.
    ///
    /// # Errors
    /// [`StepUpError`]; on [`StepUpError::Login`] the old identity goes on.
    pub async fn step_up(&self, step_up: StepUp) -> Result<SteppedUp, StepUpError> {
        let (reply, stepped_up) = oneshot::channel();
        self.socket()?.do_send(BeginStepUp { step_up, reply });
        // A token, a reconnect and a takeover, one after the other.
        match timeout(PATIENCE * 3, stepped_up).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(RequestFailure::ConnectionLost.into()),
            Err(_) => Err(RequestFailure::TimedOut.into()),
        }
    }
}
