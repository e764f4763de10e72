//! The applications of the account, and where each one's notifications are queued.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc::{self, Sender};

use super::{AppInstall, dispatch};
use crate::account::{Account, lock};
use crate::socket::Outgoing;

/// Notifications that may wait for one application. When they are exceeded, the consumer concerned is not notified any
/// more until its connector speaks for it again.
const QUEUE: usize = 65_536;

/// Every application installed.
#[derive(Debug, Default)]
pub(crate) struct Apps {
    installed: HashMap<String, Installed>,
}

#[derive(Debug)]
struct Installed {
    app: Arc<AppInstall>,
    queue: Sender<Outgoing>,
}

/// Installs an application, or replaces it; its notifications are sent by the present runtime.
pub(crate) fn install(account: &Account, app: AppInstall) {
    let (queue, outgoing) = mpsc::channel(QUEUE);
    let app = Arc::new(app);
    actix_web::rt::spawn(dispatch::run(Arc::clone(&app), account.config.account.clone(), outgoing));
    lock(&account.apps).installed.insert(app.client_id.clone(), Installed { app, queue });
}

impl Apps {
    /// How long a token of the application lives; `None` where the credentials are wrong. While nothing is installed,
    /// any are right.
    pub(crate) fn token_seconds(&self, client_id: &str, secret: &str) -> Option<u64> {
        if self.installed.is_empty() {
            return Some(3_600);
        }
        let known = self.installed.get(client_id).filter(|known| known.app.client_secret == secret)?;
        Some(known.app.token_life.as_secs())
    }

    /// Every installation document, in the order of their ids.
    pub(crate) fn documents(&self) -> Vec<Value> {
        let mut apps: Vec<&AppInstall> = self.installed.values().map(|known| &*known.app).collect();
        apps.sort_unstable_by(|a, b| a.client_id.cmp(&b.client_id));
        apps.into_iter().map(AppInstall::document).collect()
    }

    /// Where an application's notifications go, if it wants any.
    pub(crate) fn queue(&self, client_id: &str) -> Option<Sender<Outgoing>> {
        self.installed.get(client_id).map(|known| known.queue.clone())
    }
}
