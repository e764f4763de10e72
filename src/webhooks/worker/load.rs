//! How a worker continues where the previous run ended.

use std::{
    collections::{HashMap, VecDeque},
    rc::Rc,
    sync::Arc,
};

use futures_util::stream::FuturesUnordered;
use tertulia_actors::engine::{Store, StoreError, StoredEvent};

use super::{Counted, Shared, WebhookContext, Worker, new_client, now};
use crate::webhooks::{
    definition::WebhookId,
    lanes::{Content, Head, Item, Lane, Lanes},
    record::{self, KeptRecord, ProgressRecord},
};

/// A webhook's records in the store.
struct Left {
    progress: ProgressRecord,
    kept: Vec<(Lane, Item, Head)>,
    fresh: Vec<StoredEvent>,
    /// Fresh events that the log no longer has: their number and the last of them.
    lost: Option<(u64, u64)>,
}

impl Worker {
    /// Loads a webhook's records from the store.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(in crate::webhooks) async fn load(context: Rc<WebhookContext>, shared: Rc<Shared>) -> Result<Self, StoreError> {
        let id = shared.definition.borrow().id.clone();
        let wanted = id.clone();
        let Left { progress, kept, fresh, lost } = context.journal.read(move |store| left(store, &wanted)).await?;
        let (now, ordered) = (now(), shared.definition.borrow().ordered);
        let mut lanes = Lanes::new(progress.read);
        for (lane, item, head) in kept {
            lanes.restore(lane, item, head, now);
        }
        let (filter, reach) = {
            let definition = shared.definition.borrow();
            (definition.filter.filter(), definition.reach.clone())
        };
        let mut worker = Self {
            log: Some(Box::new(context.journal.reader(progress.read))),
            client: new_client(&context),
            counted: Counted::new(Arc::clone(&context.metrics)),
            attempts: progress.attempts,
            // After the clock was set back, the start of the failures is unknown.
            failing_since: progress.failing_since.filter(|since| *since <= now),
            under_way: FuturesUnordered::new(),
            bodies: HashMap::new(),
            unread: VecDeque::new(),
            untold: 0,
            is_overflowing: false,
            tests: 0,
            clock: now,
            id,
            context,
            shared,
            filter,
            reach,
            lanes,
        };
        for event in fresh {
            worker.lanes.take(Lane::of(&event, ordered), event.offset);
            worker.bodies.insert(event.offset, Arc::new(event));
        }
        if let Some((missed, last)) = lost {
            worker.miss(last, missed);
        }
        Ok(worker)
    }

    /// Records that the log dropped `missed` events up to `last` before they were read.
    pub(super) fn miss(&mut self, last: u64, missed: u64) {
        let (lane, content) = (Lane::log(), Content::Gap { missed: Some(missed) });
        let item = Item { offset: last, content };
        self.lanes.restore(lane.clone(), item, Head::default(), now());
        let gap = record::put(record::kept(&self.id, &lane, last), &KeptRecord::of(&item, Head::default()));
        let progress = self.progress();
        self.append(vec![gap, progress], || {});
    }
}

fn left(store: &dyn Store, id: &WebhookId) -> Result<Left, StoreError> {
    let progress: Option<ProgressRecord> = record::get(store, &record::progress(id))?;
    let newest = store.history().newest;
    let progress =
        progress.unwrap_or(ProgressRecord { read: newest, fresh: Vec::new(), attempts: 0, failing_since: None });
    let mut kept = Vec::new();
    for found in record::scan(store, &record::all_kept(id))? {
        let Some([.., lane, offset]) = found.key.parts().and_then(|parts| parts.last_chunk::<2>().cloned()) else {
            continue;
        };
        let (Ok(offset), Ok(record)) =
            (u64::from_str_radix(&offset, 16), serde_json::from_slice::<KeptRecord>(&found.value))
        else {
            continue;
        };
        kept.push((Lane::named(&lane), Item { offset, content: record.content() }, record.head()));
    }
    let (mut fresh, mut lost) = (Vec::new(), None);
    for offset in &progress.fresh {
        match store.event(*offset)? {
            Some(event) => fresh.push(event),
            None => lost = Some((lost.map_or(0, |(count, _)| count) + 1, *offset)),
        }
    }
    Ok(Left { progress, kept, fresh, lost })
}
