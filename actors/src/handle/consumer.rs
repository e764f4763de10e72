//! What consumers do apart from messages: open conversations and set their profile.

use tertulia_core::{
    id::UserId,
    ums::{ConversationRequest, ProfileQuery, Request, UserProfile},
};
use tokio::{sync::oneshot, time::timeout};

use super::{ConnectionHandle, PATIENCE, SOCKET};
use crate::{
    connection::{BeginStepUp, ConnectionError, CreateConversation, RequestError, Role, SteppedUp},
    conversation::ConversationHandle,
    platform::StepUp,
};

/// The role that has these methods.
const CONSUMER: &[Role] = &[Role::Consumer];

impl ConnectionHandle {
    /// Opens a conversation as a consumer ([CN-F6](crate::rules#cn-f6)).
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doctests/stage.rs"));
    /// # fn main() { stage::run(async |tertulia, _| {
    /// # let ann = stage::ann(tertulia).await;
    /// use tertulia_actors::core::ums::ConversationRequest;
    ///
    /// let request = ConversationRequest { skill_id: Some("501".into()), ..ConversationRequest::default() };
    /// let conversation = ann.create_conversation(request).await?;
    /// conversation.send_text("I need help").await?;
    /// # Ok(())
    /// # }) }
    /// ```
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn create_conversation(
        &self,
        request: ConversationRequest,
    ) -> Result<ConversationHandle, ConnectionError> {
        let id = self
            .ask("create_conversation", CONSUMER, |address, reply| {
                address.do_send(CreateConversation { request, reply })
            })
            .await?;
        self.conversation(&id).ok_or(ConnectionError::Request(RequestError::ConnectionLost))
    }

    /// Sets the consumer's own profile; members that are absent stay unset ([CN-F10](crate::rules#cn-f10)).
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn set_user_profile(&self, profile: &UserProfile<'_>) -> Result<(), ConnectionError> {
        let profile = serde_json::to_value(profile).map_err(|error| RequestError::Unwritable(error.to_string()))?;
        let answer = self.send("set_user_profile", CONSUMER, Request::SetUserProfile(profile)).await?;
        Ok(answer.read(|response| response.profile_set())?)
    }

    /// Returns the profile of `user`, such as a conversation's consumer, or the connection's own profile without `user`
    /// ([CN-F19](crate::rules#cn-f19)).
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn user_profile(&self, user: Option<UserId>) -> Result<UserProfile<'static>, ConnectionError> {
        let query = ProfileQuery { user_id: user.map(|user| user.to_string()) };
        let answer = self.send("user_profile", SOCKET, Request::GetUserProfile(query)).await?;
        Ok(answer.read(|response| response.user_profile())?)
    }

    /// Gives an anonymous consumer an identity that the brand vouches for, and keeps their open conversations
    /// ([CA-4](crate::rules#ca-4), [CN-F17](crate::rules#cn-f17)). The connection reconnects meanwhile. The step-up
    /// continues if the caller stops waiting; the wait ends after at most three minutes.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doctests/stage.rs"));
    /// # fn main() { stage::run(async |tertulia, _| {
    /// # let ann = stage::ann(tertulia).await;
    /// # ann.create_conversation(Default::default()).await?;
    /// # let jwt = "ann".into();
    /// use tertulia_actors::{connection::Takeover, platform::StepUp};
    ///
    /// let proof = StepUp { connector: "101".into(), code: jwt };
    /// let stepped_up = ann.step_up(proof).await?;
    /// for (conversation, outcome) in &stepped_up.conversations {
    ///     println!("{conversation}: {outcome:?}");
    /// #   assert_eq!(*outcome, Takeover::Done);
    /// }
    /// # Ok(())
    /// # }) }
    /// ```
    ///
    /// # Errors
    /// [`ConnectionError`]; on [`ConnectionError::Http`] the old identity stays in use.
    pub async fn step_up(&self, step_up: StepUp) -> Result<SteppedUp, ConnectionError> {
        let (reply, stepped_up) = oneshot::channel();
        self.socket("step_up", CONSUMER)?.do_send(BeginStepUp { step_up, reply });
        // Each of the three steps (token, reconnect, takeover) may take this long.
        match timeout(PATIENCE * 3, stepped_up).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(RequestError::ConnectionLost.into()),
            Err(_) => Err(RequestError::TimedOut.into()),
        }
    }
}
