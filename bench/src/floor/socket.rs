//! One bot: the smallest exchange with which the stand-in sends the frames of a load run.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use awc::{
    Client, Connector,
    ws::{Frame, Message},
};
use bytes::Bytes;
use futures_util::{Sink, SinkExt as _, StreamExt as _};
use secrecy::ExposeSecret as _;
use tertulia_actors::{
    core::{
        id::{AccountId, AgentId, ConnectionId, RequestId},
        ums::{
            AgentState, AgentStateRequest, ChannelType, ConversationQuery, Dialect, Frame as Decoded, Nothing,
            Notification, Request, RequestFrame, RingAnswer, RingState, RoutingSubscription, Stage,
        },
    },
    platform::{AgentLogin, Platform, PlatformClient, Service},
};
use tokio::time::{interval, timeout};

use super::counts::Counts;
use crate::load::PATIENCE;

/// How the stand-in begins the notification of a record on a bot's socket.
const RECORD: &[u8] = br#"{"kind":"notification","type":".ams.ms.OnlineEventDistribution""#;
/// How it begins the notification of rings.
const RINGS: &[u8] = br#"{"kind":"notification","type":".ams.routing.RoutingTaskNotification""#;
/// How it begins a response.
const RESPONSE: &[u8] = br#"{"kind":"resp""#;
/// The id of the last request of a new socket.
const SUBSCRIBED: &str = "subscribed";
/// The id of each request that accepts a ring.
const ACCEPTED: &str = "accepted";

/// How often a socket sends something. The stand-in closes a socket that is silent for 75 s.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);

/// A bot that accepts every ring and drops everything else.
pub(super) struct Bot {
    pub(super) service: Arc<Platform>,
    pub(super) account: AccountId,
    pub(super) name: ConnectionId,
    pub(super) counts: Arc<Counts>,
}

impl Bot {
    /// Logs in, subscribes, and reads until the thread stops. Reports an error to the counts.
    pub(super) async fn serve(self) {
        if let Err(error) = self.read().await {
            self.counts.fail(error.context(format!("the socket of {} failed", self.name)));
        }
    }

    async fn read(&self) -> anyhow::Result<()> {
        let client = PlatformClient::new(Arc::clone(&self.service), self.account.clone());
        let login = AgentLogin::Password { username: self.name.to_string(), password: "secret".into() };
        let session = client.log_in(&login).await?;
        let host = client.host(Service::BrandSocket).await?;
        let path = format!("ws_api/account/{}/messaging/brand/{}?v=2.1", self.account, session.bearer.expose_secret());
        let (_, mut socket) = self
            .bare_client()
            .ws(format!("wss://{host}/{path}"))
            .max_frame_size(self.service.settings().max_answer_bytes)
            .connect()
            .await
            .map_err(|error| anyhow!("cannot open the socket: {error}"))?;
        for (id, request) in self.subscriptions(&session.agent_id) {
            send(&mut socket, id, request).await?;
        }
        let mut sign_of_life = interval(SIGN_OF_LIFE);
        loop {
            let frame = tokio::select! {
                frame = socket.next() => frame.context("the socket ended")??,
                _ = sign_of_life.tick() => {
                    send(&mut socket, "alive", Request::KeepAlive(Nothing {})).await?;
                    continue;
                }
            };
            match frame {
                Frame::Text(frame) => self.take(&frame, &mut socket).await?,
                Frame::Ping(payload) => write(&mut socket, Message::Pong(payload)).await?,
                Frame::Pong(_) => {}
                other => anyhow::bail!("an unexpected frame: {other:?}"),
            }
        }
    }

    /// A client of `awc` with the same TLS as the service's connections.
    fn bare_client(&self) -> Client {
        let connector = Connector::new().rustls_0_23(Arc::clone(self.service.tls())).timeout(Duration::from_secs(10));
        Client::builder().connector(connector).finish()
    }

    /// The requests of a load run's bot, with their ids.
    fn subscriptions(&self, agent_id: &AgentId) -> [(&'static str, Request); 3] {
        let (account, agent_id) = (self.account.clone(), agent_id.clone());
        let state = AgentStateRequest {
            availability: AgentState::Online,
            channels: vec![ChannelType::Messaging],
            agent_user_id: agent_id.clone(),
        };
        let conversations = ConversationQuery {
            brand_id: Some(account.clone()),
            agent_ids: vec![agent_id.clone()],
            stage: vec![Stage::Open],
            ..ConversationQuery::default()
        };
        let rings = RoutingSubscription { channel_type: ChannelType::Messaging, brand_id: account, agent_id };
        [
            ("state", Request::SetAgentState(state)),
            ("conversations", Request::SubscribeConversations(conversations)),
            (SUBSCRIBED, Request::SubscribeRoutingTasks(rings)),
        ]
    }

    /// Counts a frame. Decodes only rings and responses, which do not occur while messages are measured.
    async fn take<S: Sink<Message, Error: Into<anyhow::Error>> + Unpin>(
        &self,
        frame: &Bytes,
        socket: &mut S,
    ) -> anyhow::Result<()> {
        self.counts.frame();
        if frame.starts_with(RECORD) {
            self.counts.message();
        } else if frame.starts_with(RINGS) {
            for answer in offers(frame)? {
                send(socket, ACCEPTED, Request::AnswerRing(answer)).await?;
            }
        } else if frame.starts_with(RESPONSE) {
            self.take_response(frame)?;
        }
        Ok(())
    }

    fn take_response(&self, frame: &[u8]) -> anyhow::Result<()> {
        let text = str::from_utf8(frame)?;
        let Decoded::Response(response) = Decoded::decode(text)? else { return Ok(()) };
        response.outcome()?;
        match response.request_id.as_deref() {
            Some(SUBSCRIBED) => self.counts.subscription(),
            Some(ACCEPTED) => self.counts.acceptance(),
            _ => {}
        }
        Ok(())
    }
}

/// The acceptances of the rings that a notification offers.
fn offers(frame: &[u8]) -> anyhow::Result<Vec<RingAnswer>> {
    let Decoded::Notification(Notification::Rings(rings)) = Decoded::decode(str::from_utf8(frame)?)? else {
        return Ok(Vec::new());
    };
    let offered = rings.changes.iter().filter_map(|change| change.result.as_ref()).flat_map(|task| &task.rings_details);
    let waiting = offered.filter(|ring| ring.ring_state == RingState::Waiting);
    Ok(waiting
        .map(|ring| RingAnswer { ring_id: ring.ring_id.as_str().into(), ring_state: RingState::Accepted })
        .collect())
}

async fn send<S>(socket: &mut S, id: &str, request: Request) -> anyhow::Result<()>
where
    S: Sink<Message, Error: Into<anyhow::Error>> + Unpin,
{
    let frame = RequestFrame::new(RequestId::from(id), request).encode(Dialect::Brand)?;
    write(socket, Message::Text(frame.into())).await
}

async fn write<S>(socket: &mut S, message: Message) -> anyhow::Result<()>
where
    S: Sink<Message, Error: Into<anyhow::Error>> + Unpin,
{
    timeout(PATIENCE, socket.send(message)).await.context("a write took too long")?.map_err(Into::into)
}
