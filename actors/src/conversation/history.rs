//! Missing history: the ranges to fetch, one at a time, and the result of each.

use std::{
    cmp::Ordering,
    collections::VecDeque,
    time::{Duration, Instant},
};

use actix::{ActorFutureExt, AsyncContext, Context, Handler, SpawnHandle, WrapFuture};
use serde::Deserialize;
use tertulia_core::{
    conversation::BackFill,
    id::DialogId,
    refusal::{Case, RequestType, decide},
    ums::{AnswerError, Dialect, Json, MessageQuery, MessageRecord, MessageSubscription, Request},
};
use tokio::sync::oneshot;

use super::{CatchUp, ChildNotice, ChildTold, Conversation, HistoryProgress, poison::Handling};
use crate::{
    dead_letters::{DeadLetterKind, Unhandled},
    request::{Answer, Ask, Lane, RequestError},
    subscriber::EventData,
};

/// Records requested at a time.
const PAGE: u64 = 500;
/// A response with fewer records ends the history if it reaches the last known content.
const SHORT: u64 = 50;
/// How long the replay of a consumer's subscription may take to begin.
const REPLAY_WITHIN: Duration = Duration::from_secs(10);

/// The missing ranges of history. One range is fetched at a time; each is listed once.
#[derive(Default)]
pub(super) struct Histories {
    wanted: VecDeque<BackFill>,
    /// Boxed, because most conversations fetch nothing.
    fetching: Option<Box<Fetching>>,
    /// A catch-up is running: every listed range belongs to it.
    catching_up: bool,
    /// When the catch-up was first needed, however many links were lost since.
    wanted_since: Option<Instant>,
    /// The last catch-up was completed, and the link was not lost since.
    current: bool,
    /// The range that was requested a second time, because the batch that began at this sequence may not have been its
    /// replay.
    doubted: Option<Box<(BackFill, u64)>>,
    /// Numbers the requests, so that a late response is not assigned to another request.
    asked: u64,
    /// Dialogs whose history the platform refused in the last catch-up, so that their messages stay unknown.
    refused: Vec<DialogId>,
    /// Boxed, because most histories are available.
    failing: Option<Box<Failing>>,
}

/// A history that the platform refuses at the moment.
struct Failing {
    since: Instant,
    tries: u32,
    holds_sends: bool,
    /// The connection was told to continue without this history.
    is_told: bool,
}

struct Fetching {
    stretch: BackFill,
    /// The number of the request.
    number: u64,
    /// Whether the connection reads it before the ranges that nobody waits for.
    urgent: bool,
    /// Ends the wait for a consumer's replay.
    deadline: Option<SpawnHandle>,
    /// The highest sequence of a consumer's replay that arrived before the response to its request was processed.
    early: Option<Option<u64>>,
}

impl Histories {
    /// Whether everything published in `dialog` before the last catch-up is known.
    pub(super) fn is_current(&self, dialog: &DialogId) -> bool {
        self.are_current() && !self.refused.contains(dialog)
    }

    /// Whether everything published in any dialog before the last catch-up is known.
    pub(super) fn are_current(&self) -> bool {
        self.current && self.fetching.is_none() && self.wanted.is_empty()
    }

    /// Whether a range is being fetched or waits to be fetched.
    pub(super) fn are_wanted(&self) -> bool {
        self.fetching.is_some() || !self.wanted.is_empty() || self.catching_up
    }

    /// The socket is gone: the next catch-up requests what the lost socket would have delivered.
    pub(super) fn link_lost(&mut self) {
        self.catching_up = false;
        self.current = false;
        self.wanted.clear();
        self.fetching = None;
        self.failing = None;
    }

    /// Whether history records may arrive as notifications.
    pub(super) fn await_replay(&self) -> bool {
        self.fetching.is_some()
    }

    fn is_fetching(&self, number: u64) -> bool {
        self.fetching.as_ref().is_some_and(|now| now.number == number)
    }
}

impl Conversation {
    /// Whether sends wait because earlier messages are not known yet. If the newest state shows that all messages are
    /// known, sends go out before the history is read.
    pub(super) fn are_sends_held(&self) -> bool {
        let is_unknown = match &self.histories.failing {
            Some(failing) => failing.holds_sends,
            None => self.histories.catching_up && self.model.misses_messages(),
        };
        self.upstream.settings.sends_when_caught_up && is_unknown
    }

    /// Whether a command waits for the missing history: it is held, or its outcome is uncertain.
    fn is_history_awaited(&self) -> bool {
        self.commands.is_in_doubt() || (!self.commands.waiting.is_empty() && self.are_sends_held())
    }

    /// If a command waits for the history now, makes the connection read it before the histories that nobody waits for.
    pub(super) fn hurry_history(&mut self) {
        if !self.is_history_awaited() {
            return;
        }
        if let Some(fetching) = self.histories.fetching.as_mut().filter(|fetching| !fetching.urgent) {
            fetching.urgent = true;
            self.tell_history(HistoryProgress::Awaited);
        }
    }

    /// Fetches ranges that a state or record showed to be missing.
    pub(super) fn fetch(&mut self, stretches: impl IntoIterator<Item = BackFill>, ctx: &mut Context<Self>) {
        let before = self.histories.wanted.len();
        self.histories.wanted.extend(stretches);
        if self.histories.wanted.len() > before {
            self.fetch_next(ctx);
        }
    }

    /// Fetches everything that may have been missed: the known holes, and everything after the newest known record.
    pub(super) fn catch_up(&mut self, ctx: &mut Context<Self>) {
        // The running fetch is a part of the catch-up, and its response may belong to the previous socket.
        self.histories.fetching = None;
        self.histories.catching_up = true;
        self.histories.wanted_since.get_or_insert_with(Instant::now);
        self.histories.refused.clear();
        self.histories.doubted = None;
        self.histories.current = false;
        self.histories.failing = None;
        // The ranges listed so far are a part of the catch-up.
        self.histories.wanted = self.model.holes().into();
        self.fetch_next(ctx);
    }

    fn fetch_next(&mut self, ctx: &mut Context<Self>) {
        if self.histories.fetching.is_some() {
            return;
        }
        let Some(stretch) = self.histories.wanted.pop_front() else {
            // Most conversations never fetch again.
            self.histories.wanted.shrink_to_fit();
            let was_told = self.histories.failing.take().is_some_and(|failing| failing.is_told);
            let has_caught_up = std::mem::take(&mut self.histories.catching_up);
            self.histories.current |= has_caught_up;
            if has_caught_up {
                self.histories.wanted_since = None;
            }
            if was_told || has_caught_up {
                self.tell_history(HistoryProgress::Done);
            }
            self.next_command(ctx);
            return;
        };
        let request = self.history_request(&stretch);
        self.histories.asked += 1;
        let number = self.histories.asked;
        let urgent = self.model.misses_messages() || self.is_history_awaited();
        self.histories.fetching = Some(Box::new(Fetching { stretch, number, urgent, deadline: None, early: None }));
        let conversation = Some(self.model.id().clone());
        let (reply, answer) = oneshot::channel();
        let ask = Ask::new(request, Lane::Recovery, reply);
        let asked = self.histories.wanted_since.unwrap_or(ask.asked);
        let asked = self.commands.waiting.front().filter(|_| urgent).map_or(asked, |first| first.asked.min(asked));
        let throttled = self.histories.failing.as_ref().map_or(0, |failing| failing.tries);
        // A refused request queues up after the others.
        let asked = if throttled > 0 { ask.asked } else { asked };
        self.upstream.requests.do_send(Ask { conversation, urgent, asked, throttled, ..ask });
        let answer = async move { answer.await.unwrap_or(Err(RequestError::ConnectionLost)) };
        ctx.spawn(answer.into_actor(self).map(move |answer, conversation, ctx| {
            conversation.fetched(number, answer, ctx);
            conversation.conclude();
        }));
    }

    fn history_request(&self, stretch: &BackFill) -> Request {
        let signed = |sequence: u64| i64::try_from(sequence).unwrap_or(i64::MAX);
        match self.upstream.settings.dialect {
            Dialect::Brand => Request::QueryMessages(MessageQuery {
                dialog_id: stretch.dialog_id.clone(),
                newer_than_sequence: Some(stretch.newer_than.map_or(-1, signed)),
                older_than_sequence: stretch.older_than.map(signed),
                max_quantity: Some(PAGE),
            }),
            Dialect::Consumer => Request::SubscribeMessages(MessageSubscription {
                conversation_id: self.model.id().clone(),
                dialog_id: stretch.dialog_id.clone(),
                from_seq: stretch.newer_than.map_or(0, |newest| newest + 1),
            }),
        }
    }

    fn fetched(&mut self, number: u64, answer: Result<Answer, RequestError>, ctx: &mut Context<Self>) {
        // The link was lost meanwhile: the next catch-up requests the range.
        let Some(Fetching { stretch, .. }) = self.histories.fetching.as_deref().filter(|now| now.number == number)
        else {
            return;
        };
        let stretch = stretch.clone();
        let taken = match (answer, self.upstream.settings.dialect) {
            (Ok(answer), Dialect::Brand) => {
                self.handling(Handling::Answer(answer.bytes()));
                let taken = self.take_history(&answer, &stretch, ctx);
                self.handled();
                taken
            }
            (Ok(answer), Dialect::Consumer) => {
                answer.read(|response| response.outcome().map(drop)).map(|()| self.await_replay(ctx))
            }
            (Err(failure), _) => Err(failure),
        };
        match taken {
            Ok(()) => {}
            Err(RequestError::ConnectionLost | RequestError::NotConnected) => self.histories.link_lost(),
            Err(failure) => self.not_given(number, stretch, &failure, ctx),
        }
    }

    /// The platform refused a range: requests it again after a while, or accepts the refusal as final.
    fn not_given(&mut self, number: u64, stretch: BackFill, failure: &RequestError, ctx: &mut Context<Self>) {
        let first = || Failing { since: Instant::now(), tries: 0, holds_sends: false, is_told: false };
        let failing = self.histories.failing.get_or_insert_with(|| Box::new(first()));
        let (refusal, lasted) = (failure.refusal(), failing.since.elapsed());
        failing.tries = refusal.tries(failing.tries.saturating_add(1));
        let tries = failing.tries;
        let decision = decide(Case { lane: Lane::Recovery, request: RequestType::History, refusal, tries, lasted });
        failing.holds_sends = decision.holds_sends;
        let goes_on = decision.goes_on && !std::mem::replace(&mut failing.is_told, decision.goes_on);
        tracing::debug!(
            conversation = %self.id(), dialog = %stretch.dialog_id, %failure,
            "the platform refused a history"
        );
        let Some(wait) = decision.wait(tries, rand::random()) else {
            if !self.histories.refused.contains(&stretch.dialog_id) {
                self.histories.refused.push(stretch.dialog_id.clone());
            }
            return self.stretch_done(&stretch, None, ctx);
        };
        if goes_on {
            self.go_on_without(&stretch, failure);
        }
        ctx.run_later(wait, move |conversation, ctx| {
            if conversation.histories.is_fetching(number) {
                conversation.histories.fetching = None;
                conversation.histories.wanted.push_front(stretch);
                conversation.fetch_next(ctx);
                conversation.conclude();
            }
        });
        self.next_command(ctx);
    }

    /// The connection continues, and this conversation waits for its history. Reports it in every place where an
    /// operator may look.
    fn go_on_without(&mut self, stretch: &BackFill, failure: &RequestError) {
        let connection = &self.upstream.origin.connection;
        let dialog = &stretch.dialog_id;
        tracing::warn!(
            %connection, conversation = %self.id(), %dialog, %failure,
            "the platform keeps refusing the history of a conversation; its sends wait"
        );
        let asked = serde_json::json!({
            "dialogId": dialog,
            "newerThanSequence": stretch.newer_than,
            "olderThanSequence": stretch.older_than,
        });
        self.upstream.dead_letters.put(Unhandled {
            connection,
            conversation: Some(self.model.id()),
            kind: DeadLetterKind::History,
            reason: failure.to_string(),
            body: asked.to_string().as_bytes(),
        });
        let gap = self.model.history_awaited(stretch);
        self.emit(EventData::Conversation(gap));
        self.tell_history(HistoryProgress::Refused);
    }

    fn tell_history(&self, progress: HistoryProgress) {
        let (conversation, notice) = (self.model.id().clone(), ChildNotice::History(progress));
        self.upstream.parent.do_send(ChildTold { conversation, notice });
    }

    fn take_history(
        &mut self,
        answer: &Answer,
        stretch: &BackFill,
        ctx: &mut Context<Self>,
    ) -> Result<(), RequestError> {
        let dialog = &stretch.dialog_id;
        let (highest, count): (Option<u64>, u64) = answer.read(|response| {
            let unfit = |error: serde_json::Error| AnswerError::Unexpected(error.to_string());
            let records: Vec<Json<'_>> =
                response.outcome()?.map_or(Ok(Vec::new()), |body| body.read()).map_err(unfit)?;
            let mut highest = None;
            let parsed: Vec<Result<MessageRecord<'_>, serde_json::Error>> =
                records.iter().map(|raw| raw.read()).collect();
            let readable = || parsed.iter().flatten();
            let last = readable().filter_map(|record| record.sequence).max();
            let count = records.len() as u64;
            let goes_on =
                last.is_some_and(|last| is_page_of_several(stretch, last, count, self.model.last_content(dialog)));
            // If a page is one of several, the answers to its messages are on the next page. If the state has no last
            // content, a short page is followed by another request. It counts as the whole history here, which it
            // nearly always is, because messages without an answer must not count as answered.
            let is_whole = !goes_on || (count < SHORT && self.model.last_content(dialog).is_none());
            let answered = if is_whole { self.model.answered_through(readable()) } else { Some(u64::MAX) };
            for (raw, record) in records.iter().zip(&parsed) {
                let reception = match record {
                    // If the platform treats the lower bound as inclusive, it sends one record that was not requested.
                    Ok(record) if record.sequence.is_some_and(|sequence| stretch.newer_than >= Some(sequence)) => {
                        highest = highest.max(record.sequence);
                        continue;
                    }
                    Ok(record) => {
                        highest = highest.max(record.sequence);
                        let reception = self.model.receive_fetched(record, Some(dialog.as_str()), answered);
                        self.notice_contradiction(&reception, record, Some(dialog.as_str()));
                        reception
                    }
                    Err(error) => {
                        let sequence = raw.read::<Place>().ok().and_then(|place| place.sequence);
                        highest = highest.max(sequence);
                        self.bury_record(&error.to_string(), raw.get().as_bytes());
                        let Some(sequence) = sequence else { continue };
                        self.model.receive_unreadable(dialog, sequence)
                    }
                };
                self.count_filled(&reception);
                self.take_reception(reception, ctx);
            }
            Ok((highest, count))
        })?;
        self.histories.failing = self.histories.failing.take().filter(|failing| failing.is_told);
        if let Some(failing) = &mut self.histories.failing {
            failing.tries = 0;
        }
        match highest.filter(|highest| is_page_of_several(stretch, *highest, count, self.model.last_content(dialog))) {
            Some(highest) => {
                // Only the range of this page is known to be complete.
                self.histories.wanted.push_front(BackFill { newer_than: Some(highest), ..stretch.clone() });
                self.stretch_done(&BackFill { older_than: None, ..stretch.clone() }, Some(highest), ctx);
            }
            None => self.stretch_done(stretch, highest, ctx),
        }
        Ok(())
    }

    fn count_filled(&self, reception: &tertulia_core::conversation::Reception) {
        let messages = reception.events.iter().filter(|event| event.name() == "message").count();
        self.upstream.metrics.messages_back_filled.inc_by(messages as u64);
        self.upstream.filled.set(self.upstream.filled.get() + messages as u64);
    }

    /// A consumer's subscription replays its records in a separate notification ([§5.4](crate::protocol#54)).
    fn await_replay(&mut self, ctx: &mut Context<Self>) {
        let Some(Fetching { stretch, number, early, .. }) = self.histories.fetching.as_deref() else { return };
        let (stretch, number) = (stretch.clone(), *number);
        if let Some(highest) = *early {
            return self.stretch_done(&stretch, highest, ctx);
        }
        let deadline = ctx.run_later(REPLAY_WITHIN, move |conversation, ctx| {
            if conversation.histories.is_fetching(number) {
                conversation.stretch_done(&stretch, None, ctx);
                conversation.conclude();
            }
        });
        if let Some(fetching) = &mut self.histories.fetching {
            fetching.deadline = Some(deadline);
        }
    }

    /// Checks whether a batch of records of a dialog is the awaited replay. Before the response, only a batch that
    /// begins at the requested sequence counts, because a live record may arrive too.
    pub(super) fn replayed(
        &mut self,
        dialog: &DialogId,
        lowest: Option<u64>,
        highest: Option<u64>,
        ctx: &mut Context<Self>,
    ) {
        let Some(Fetching { stretch, deadline, early, .. }) = self.histories.fetching.as_deref_mut() else { return };
        if stretch.dialog_id != *dialog {
            return;
        }
        let (stretch, is_answered) = (stretch.clone(), deadline.is_some());
        match judge(&stretch, lowest.zip(highest)) {
            Batch::Other => {}
            Batch::Replay if is_answered => self.stretch_done(&stretch, highest, ctx),
            Batch::Replay => *early = Some(highest),
            Batch::Doubtful { .. } if !is_answered => {}
            Batch::Doubtful { begins } => {
                let doubt = (stretch, begins);
                if self.histories.doubted.as_deref() == Some(&doubt) {
                    self.stretch_done(&doubt.0, highest, ctx);
                } else {
                    self.ask_again(doubt, ctx);
                }
            }
        }
    }

    /// Requests the range once more before the records missing in a batch are given up: the batch may not be the
    /// replay. A second batch that begins at the same sequence counts as the replay.
    fn ask_again(&mut self, doubt: (BackFill, u64), ctx: &mut Context<Self>) {
        if let Some(Fetching { deadline: Some(deadline), .. }) =
            self.histories.fetching.take().map(|fetching| *fetching)
        {
            ctx.cancel_future(deadline);
        }
        self.histories.wanted.push_front(doubt.0.clone());
        self.histories.doubted = Some(Box::new(doubt));
        self.fetch_next(ctx);
    }

    /// The platform has sent everything it has of a range; the rest of the range will not arrive.
    fn stretch_done(&mut self, stretch: &BackFill, highest: Option<u64>, ctx: &mut Context<Self>) {
        if let Some(Fetching { deadline: Some(deadline), .. }) =
            self.histories.fetching.take().map(|fetching| *fetching)
        {
            ctx.cancel_future(deadline);
        }
        let below = stretch.older_than.and_then(|older| older.checked_sub(1));
        self.histories.doubted = None;
        let reception = self.model.history_exhausted(&stretch.dialog_id, stretch.newer_than, highest.max(below));
        self.take_reception(reception, ctx);
        self.fetch_next(ctx);
    }
}

/// The part of an unreadable record that tells its sequence.
#[derive(Deserialize)]
struct Place {
    sequence: Option<u64>,
}

/// Whether more records may follow a response of `count` records up to `highest`, since the platform may send fewer
/// than requested. A short response is complete if it reaches the end of the range, or the last content that the state
/// names.
fn is_page_of_several(stretch: &BackFill, highest: u64, count: u64, last_content: Option<u64>) -> bool {
    let is_progress = stretch.newer_than.is_none_or(|newest| highest > newest);
    let reaches_end = match stretch.older_than {
        Some(older) => highest.saturating_add(1) >= older,
        None => count < SHORT && last_content.is_some_and(|last| highest >= last),
    };
    is_progress && !reaches_end
}

/// How a batch of a consumer's records relates to a requested range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Batch {
    /// Live, repeated or late records, not the replay.
    Other,
    /// The replay.
    Replay,
    /// The replay without its beginning, which this consumer may not see (a private message); or other records.
    Doubtful {
        /// The lowest sequence of the batch.
        begins: u64,
    },
}

/// Classifies a batch by its lowest and highest sequence, because nothing else marks a replay. A replay begins at the
/// requested sequence and has everything from there on, including the record that showed the hole.
fn judge(stretch: &BackFill, batch: Option<(u64, u64)>) -> Batch {
    let begins = stretch.newer_than.map_or(0, |newest| newest + 1);
    match (batch, stretch.older_than) {
        (None, None) => Batch::Replay,
        (None, Some(_)) => Batch::Other,
        (Some((lowest, highest)), Some(older)) if highest < older || lowest > older => Batch::Other,
        (Some((lowest, _)), _) => match lowest.cmp(&begins) {
            Ordering::Less => Batch::Other,
            Ordering::Equal => Batch::Replay,
            Ordering::Greater => Batch::Doubtful { begins: lowest },
        },
    }
}

impl Handler<CatchUp> for Conversation {
    type Result = ();

    fn handle(&mut self, CatchUp: CatchUp, ctx: &mut Self::Context) {
        self.catch_up(ctx);
        self.conclude();
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod catch_up_tests;

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(newer_than: Option<u64>, older_than: Option<u64>, batch: Option<(u64, u64)>) -> Batch {
        judge(&BackFill { dialog_id: "d".into(), newer_than, older_than }, batch)
    }

    /// MS-4: for a hole from 4 to 6 that record 7 showed.
    #[test]
    fn only_a_batch_that_covers_the_hole_is_its_replay() {
        let hole = |batch| judged(Some(3), Some(7), batch);
        assert_eq!(hole(Some((4, 7))), Batch::Replay);
        assert_eq!(hole(Some((4, 9))), Batch::Replay);
        assert_eq!(hole(Some((4, 4))), Batch::Other, "a late record of the hole itself");
        assert_eq!(hole(Some((2, 2))), Batch::Other, "a repeated record from before");
        assert_eq!(hole(Some((7, 7))), Batch::Doubtful { begins: 7 }, "a repetition, or all that may be seen");
        assert_eq!(hole(Some((8, 8))), Batch::Other, "without the record that showed the hole");
        assert_eq!(hole(None), Batch::Other);
    }

    /// MS-4: for everything from 4 on.
    #[test]
    fn an_open_stretch_ends_with_what_begins_it_or_with_nothing() {
        let rest = |batch| judged(Some(3), None, batch);
        assert_eq!(rest(None), Batch::Replay);
        assert_eq!(rest(Some((4, 6))), Batch::Replay);
        assert_eq!(rest(Some((3, 3))), Batch::Other);
        assert_eq!(rest(Some((5, 5))), Batch::Doubtful { begins: 5 });
        assert_eq!(judged(None, None, Some((0, 2))), Batch::Replay);
    }
}
