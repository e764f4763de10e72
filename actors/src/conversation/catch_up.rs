//! Fetches missing history, one range at a time.

use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use serde::Deserialize;
use tertulia_core::{
    conversation::BackFill,
    id::DialogId,
    ums::{AnswerError, Dialect, Json, MessageQuery, MessageRecord, MessageSubscription, Request},
};
use tokio::sync::oneshot;

use super::{
    CatchUp, ChildNotice, ChildReport, Conversation, HistoryProgress,
    handling::Handling,
    history::{AfterRefusal, Batch, Fetching, NextRange, SHORT, is_page_of_several, judge},
};
use crate::{
    dead_letters::{DeadLetterKind, Unhandled},
    request::{Answer, Ask, Lane, RequestError},
    subscriber::EventData,
};

/// Records requested at a time.
const PAGE: u64 = 500;
/// How long the replay of a consumer's subscription may take to begin.
const REPLAY_WITHIN: Duration = Duration::from_secs(10);

impl Conversation {
    /// Whether sends wait because earlier messages are not known yet. If the newest state shows that all messages are
    /// known, sends go out before the history is read.
    pub(super) fn are_sends_held(&self) -> bool {
        self.upstream.settings.sends_when_caught_up && self.histories.hold_sends(|| self.model.misses_messages())
    }

    /// Whether a command waits for the missing history: it is held, or its outcome is uncertain.
    fn is_history_awaited(&self) -> bool {
        self.commands.is_in_doubt() || (self.commands.is_waiting() && self.are_sends_held())
    }

    /// If a command waits for the history now, makes the connection read it before the histories that nobody waits for.
    pub(super) fn hurry_history(&mut self) {
        if self.is_history_awaited() && self.histories.hurry() {
            self.tell_history(HistoryProgress::Awaited);
        }
    }

    /// Fetches ranges that a state or record showed to be missing.
    pub(super) fn fetch(&mut self, stretches: impl IntoIterator<Item = BackFill>, ctx: &mut Context<Self>) {
        if self.histories.want(stretches) {
            self.fetch_next(ctx);
        }
    }

    /// Fetches everything that may have been missed: the known holes, and everything after the newest known record.
    pub(super) fn catch_up(&mut self, ctx: &mut Context<Self>) {
        self.histories.begin_catch_up(self.model.holes().into());
        self.fetch_next(ctx);
    }

    fn fetch_next(&mut self, ctx: &mut Context<Self>) {
        let stretch = match self.histories.next() {
            NextRange::Fetch(stretch) => stretch,
            NextRange::Wait => return,
            NextRange::Done { is_awaited } => {
                if is_awaited {
                    self.tell_history(HistoryProgress::Done);
                }
                self.next_command(ctx);
                return;
            }
        };
        let request = self.history_request(&stretch);
        let urgent = self.model.misses_messages() || self.is_history_awaited();
        let number = self.histories.requested(stretch, urgent);
        let conversation = Some(self.model.id().clone());
        let (reply, answer) = oneshot::channel();
        let ask = Ask::new(request, Lane::Recovery, reply);
        let asked = self.histories.wanted_since().unwrap_or(ask.asked);
        let asked = self.commands.first().filter(|_| urgent).map_or(asked, |first| first.submitted_at().min(asked));
        let throttled = self.histories.refusals();
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
        let Some(Fetching { stretch, .. }) = self.histories.fetching().filter(|now| now.number == number) else {
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
        let AfterRefusal { wait, goes_on } = self.histories.refused(failure.refusal(), rand::random());
        tracing::debug!(
            conversation = %self.id(), dialog = %stretch.dialog_id, %failure,
            "the platform refused a history"
        );
        let Some(wait) = wait else {
            self.histories.give_up(&stretch.dialog_id);
            return self.stretch_done(&stretch, None, ctx);
        };
        if goes_on {
            self.go_on_without(&stretch, failure);
        }
        ctx.run_later(wait, move |conversation, ctx| {
            if conversation.histories.want_again(number, stretch) {
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
        self.upstream.parent.do_send(ChildReport { conversation, notice });
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
                        let sequence = raw.read::<SequenceOnly>().ok().and_then(|record| record.sequence);
                        highest = highest.max(sequence);
                        self.dead_letter_record(&error.to_string(), raw.get().as_bytes());
                        let Some(sequence) = sequence else { continue };
                        self.model.receive_unreadable(dialog, sequence)
                    }
                };
                self.count_filled(&reception);
                self.take_reception(reception, ctx);
            }
            Ok((highest, count))
        })?;
        self.histories.granted();
        match highest.filter(|highest| is_page_of_several(stretch, *highest, count, self.model.last_content(dialog))) {
            Some(highest) => {
                // Only the range of this page is known to be complete.
                self.histories.want_first(BackFill { newer_than: Some(highest), ..stretch.clone() });
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
        let Some(Fetching { stretch, number, early, .. }) = self.histories.fetching() else { return };
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
        if let Some(fetching) = self.histories.fetching_mut() {
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
        let Some(Fetching { stretch, deadline, early, .. }) = self.histories.fetching_mut() else { return };
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
                if self.histories.is_doubted(&doubt) {
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
        if let Some(deadline) = self.histories.doubt(doubt) {
            ctx.cancel_future(deadline);
        }
        self.fetch_next(ctx);
    }

    /// The platform has sent everything it has of a range; the rest of the range will not arrive.
    fn stretch_done(&mut self, stretch: &BackFill, highest: Option<u64>, ctx: &mut Context<Self>) {
        if let Some(deadline) = self.histories.fetched() {
            ctx.cancel_future(deadline);
        }
        let below = stretch.older_than.and_then(|older| older.checked_sub(1));
        let reception = self.model.history_exhausted(&stretch.dialog_id, stretch.newer_than, highest.max(below));
        self.take_reception(reception, ctx);
        self.fetch_next(ctx);
    }
}

/// The part of an unreadable record that tells its sequence.
#[derive(Deserialize)]
struct SequenceOnly {
    sequence: Option<u64>,
}

impl Handler<CatchUp> for Conversation {
    type Result = ();

    fn handle(&mut self, CatchUp: CatchUp, ctx: &mut Self::Context) {
        self.catch_up(ctx);
        self.conclude();
    }
}
