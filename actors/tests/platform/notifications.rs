//! CN-F4: notifications can be read as the platform sends them, beside the events.

use tertulia_actors::subscriber::{NotificationFilter, RawNotification};
use tertulia_emulator::EmulatorConfig;
use tokio::time::timeout;

use crate::stage::{PATIENCE, Stage};

/// EV-3.
#[actix_rt::test]
async fn notifications_of_known_types_are_read_as_they_came() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let bot = stage.bot().await;
    let all = stage.tertulia.notifications(NotificationFilter::everything().connection(bot.as_str()), 64);
    let of_rings = NotificationFilter::everything().kind("RoutingTaskNotification");
    let mut rings = stage.tertulia.notifications(of_rings, 64);
    drop(all);
    let conversation = stage.conversation(&bot).await;
    let first_ring = async {
        loop {
            let ring: std::sync::Arc<RawNotification> = rings.next().await.unwrap().unwrap();
            assert_eq!((&ring.connection, &*ring.kind), (&bot, ".ams.routing.RoutingTaskNotification"));
            let body = ring.body.to_value();
            // The subscription begins with a list that may be empty, and may come after all is ready.
            if body["changes"].as_array().is_some_and(|changes| !changes.is_empty()) {
                return body;
            }
        }
    };
    let body = timeout(PATIENCE, first_ring).await.unwrap();
    assert_eq!(body["changes"][0]["result"]["conversationId"], conversation.id().as_str());
}
