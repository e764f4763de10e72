//! From frames to webhooks: one lane for each conversation, so that its order is kept while others go on.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use actix_web::rt::spawn;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Receiver;
use tokio::time::sleep;

use super::AppInstall;
use super::delivery::Courier;
use super::notification::Notification;
use crate::socket::Outgoing;

/// Webhooks on their way at the same time.
const AT_ONCE: usize = 32;
/// Webhooks that may wait in all lanes; beyond it the newest are lost, as on the platform.
const WAITING: usize = 100_000;

/// The lanes of one application. A lane that is there has a task that empties it.
struct Dispatch {
    courier: Courier,
    turns: Semaphore,
    lanes: RefCell<HashMap<String, VecDeque<Notification>>>,
    waiting: Cell<usize>,
}

/// Sends what an application's consumers would have received, until nobody can speak for them any more.
pub(super) async fn run(app: Arc<AppInstall>, account: String, mut outgoing: Receiver<Outgoing>) {
    let dispatch = Rc::new(Dispatch {
        courier: Courier::new(app, account),
        turns: Semaphore::new(AT_ONCE),
        lanes: RefCell::default(),
        waiting: Cell::new(0),
    });
    while let Some(item) = outgoing.recv().await {
        match item {
            Outgoing::Frame(frame) | Outgoing::Held(frame) => dispatch.enqueue(&frame),
            Outgoing::Late(after, frame) => {
                let dispatch = Rc::clone(&dispatch);
                spawn(async move {
                    sleep(after).await;
                    dispatch.enqueue(&frame);
                });
            }
            _ => {}
        }
    }
}

impl Dispatch {
    fn enqueue(self: &Rc<Self>, frame: &[u8]) {
        let Some(notification) = Notification::of(frame) else { return };
        if self.waiting.get() >= WAITING {
            tracing::warn!(conversation = notification.conversation, "webhook lost, too many wait");
            return;
        }
        self.waiting.update(|waiting| waiting + 1);
        let mut lanes = self.lanes.borrow_mut();
        if let Some(lane) = lanes.get_mut(&notification.conversation) {
            lane.push_back(notification);
            return;
        }
        let conversation = notification.conversation.clone();
        lanes.insert(conversation.clone(), VecDeque::from([notification]));
        drop(lanes);
        spawn(Rc::clone(self).empty(conversation));
    }

    async fn empty(self: Rc<Self>, conversation: String) {
        loop {
            let next = self.lanes.borrow_mut().get_mut(&conversation).and_then(VecDeque::pop_front);
            let Some(notification) = next else { break };
            self.waiting.update(|waiting| waiting - 1);
            let Ok(_turn) = self.turns.acquire().await else { break };
            self.courier.deliver(&notification).await;
        }
        self.lanes.borrow_mut().remove(&conversation);
    }
}
