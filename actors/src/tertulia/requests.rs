//! The front of what the library has no method for: any request of the wire (CN-F4).

use serde_json::Value;
use tertulia_core::{id::ConnectionId, ums::Request};

use super::Tertulia;
use crate::{
    connection::AskWith,
    request::{Answer, Ask, Lane, RequestFailure},
    subscriber::{NotificationFilter, NotificationStream},
};

impl Tertulia {
    /// Sends any request of the wire, by the type and body given, within the same limits as every other (CN-F4); the
    /// answer's body, `null` where it has none. Nobody looks for its outcome if the answer is lost.
    ///
    /// # Errors
    /// [`RequestFailure`].
    pub async fn request(
        &self,
        connection: &ConnectionId,
        kind: impl Into<String>,
        body: Value,
        headers: Vec<Value>,
        metadata: Vec<Value>,
    ) -> Result<Value, RequestFailure> {
        let request = Request::Raw { kind: kind.into(), body };
        let answer = self.send_with(connection, request, headers, metadata).await?;
        answer.read(|response| Ok(response.outcome()?.map(|body| body.to_value()).unwrap_or_default()))
    }

    /// Notifications as the platform sends them, of any type, with room for `capacity` of them (CN-F4).
    pub fn notifications(&self, filter: NotificationFilter, capacity: usize) -> NotificationStream {
        self.around.notifications.stream(filter, capacity)
    }

    pub(super) async fn send(&self, connection: &ConnectionId, request: Request) -> Result<Answer, RequestFailure> {
        self.send_with(connection, request, Vec::new(), Vec::new()).await
    }

    async fn send_with(
        &self,
        connection: &ConnectionId,
        request: Request,
        headers: Vec<Value>,
        metadata: Vec<Value>,
    ) -> Result<Answer, RequestFailure> {
        self.ask(connection, |address, reply| {
            let ask = Ask { conversation: None, request, metadata, lane: Lane::Command, reply };
            address.do_send(AskWith { ask, headers });
        })
        .await
    }
}
