//! How a worker continues where the previous run ended.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    rc::Rc,
    sync::Arc,
};

use futures_util::stream::FuturesUnordered;
use tertulia_actors::engine::{Record, Store, StoreError, StoredEvent};

use super::{Counted, Shared, Worker, new_client};
use crate::webhooks::{
    context::WebhookContext,
    definition::WebhookId,
    lanes::{Content, Head, Item, Lane, Lanes},
    record::{self, KeptRecord, PendingReply, ProgressRecord, ReplyRecord},
    schedule::now,
};

/// A webhook's records in the store.
struct Left {
    progress: ProgressRecord,
    kept: Vec<(Lane, Item, Head)>,
    /// The replies without an outcome, by lane, in order.
    replies: BTreeMap<Lane, Vec<(u64, PendingReply)>>,
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
        let Left { progress, kept, replies, fresh, lost } =
            context.journal.read(move |store| left(store, &wanted)).await?;
        let (now, ordered) = (now(), shared.definition.borrow().ordered);
        let mut lanes = Lanes::new(progress.read);
        for lane in replies.keys() {
            lanes.restore_reply(lane.clone());
        }
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
            unstored: 0,
            is_overflowing: false,
            tests: 0,
            replies: 0,
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
        for (lane, replies) in replies {
            worker.carry_out(lane, replies);
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
        self.append(vec![gap, progress]);
    }
}

fn left(store: &dyn Store, id: &WebhookId) -> Result<Left, StoreError> {
    let progress: Option<ProgressRecord> = record::get(store, &record::progress(id))?;
    let newest = store.history().newest;
    let progress =
        progress.unwrap_or(ProgressRecord { read: newest, fresh: Vec::new(), attempts: 0, failing_since: None });
    let mut kept = Vec::new();
    for found in record::scan(store, &record::all_kept(id))? {
        let (Some((lane, offset)), Ok(record)) = (place(&found), serde_json::from_slice::<KeptRecord>(&found.value))
        else {
            continue;
        };
        kept.push((lane, Item { offset, content: record.content() }, record.head()));
    }
    let mut replies: BTreeMap<Lane, Vec<(u64, PendingReply)>> = BTreeMap::new();
    for found in record::scan(store, &record::all_replies(id))? {
        let (Some((lane, offset)), Ok(record)) = (place(&found), serde_json::from_slice::<ReplyRecord>(&found.value))
        else {
            continue;
        };
        replies.entry(lane).or_default().push((offset, record.reply));
    }
    let (mut fresh, mut lost) = (Vec::new(), None);
    for offset in &progress.fresh {
        match store.event(*offset)? {
            Some(event) => fresh.push(event),
            None => lost = Some((lost.map_or(0, |(count, _)| count) + 1, *offset)),
        }
    }
    Ok(Left { progress, kept, replies, fresh, lost })
}

/// Returns the lane and the offset in a record's key.
fn place(found: &Record) -> Option<(Lane, u64)> {
    let [lane, offset] = found.key.parts()?.last_chunk::<2>()?.clone();
    Some((Lane::named(&lane), u64::from_str_radix(&offset, 16).ok()?))
}
