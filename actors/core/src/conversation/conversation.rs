//! The state of a conversation, and the choice of its dialogs.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    Dialog, HistoryStart, LastMessage,
    absence::{EarliestStated, Flavour},
    arrival::Arrived,
    dialog::order_of,
    members::Members,
    message_order::MessageOrder,
};
use crate::{
    id::{ConversationId, DialogId, ExternalConsumerId, UserId},
    note::{Unshown, WrittenNote},
    time::Timestamp,
    ums::{Dialect, DialogType, SectionMeanings, SectionTexts},
};

/// A conversation with this many dialogs drops records of unknown dialogs. If a state takes it above this number, the
/// dialogs that the state lacks are forgotten, except MAIN.
pub(super) const DIALOG_LIMIT: usize = 64;

/// The most dialogs read from one state, in addition to MAIN. The platform sends the newest first.
pub(super) const DIALOGS_PER_STATE: usize = 256;

/// A conversation as known from the platform's notifications.
///
/// Serializes, as JSON only, as its snapshot: everything, including records that wait until a hole before them is
/// filled. The holes themselves must be requested again after a load ([`Conversation::holes`]). Counters and hashes are
/// included, so that repetitions are recognized after a load ([CV-N10](crate::rules#cv-n10)).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Conversation {
    pub(super) id: ConversationId,
    pub(super) dialect: Dialect,
    /// Whether its states arrive by webhook, in which some members are never sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_by_webhook: bool,
    pub(super) history: HistoryStart,
    /// Whether a state was accepted; until then everything is assumed.
    #[serde(rename = "isTold")]
    pub(super) is_stated: bool,
    pub(super) counters: Counters,
    pub(super) hashes: Hashes,
    pub(super) members: Members,
    /// The times of the states that set the members that never change.
    #[serde(rename = "earliestTold", default, skip_serializing_if = "EarliestStated::is_empty")]
    pub(super) earliest_stated: EarliestStated,
    /// The time of the last change of any kind in the known state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_update_time: Option<Timestamp>,
    /// An update time that was known and cannot have been right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) disbelieved: Option<Timestamp>,
    /// The identity to which the consumer last stepped up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stepped_up_to: Option<UserId>,
    pub(super) dialogs: Vec<Dialog>,
    /// A short form of the newest message. Not part of a snapshot, because a snapshot has no text of delivered messages
    /// ([SR-2](crate::rules#sr-2)).
    #[serde(skip)]
    pub(super) last_message: Option<Arc<LastMessage>>,
    /// How and when it came to its connection, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) arrived: Option<Arrived>,
    /// The connector's own id of the consumer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) external_consumer_id: Option<ExternalConsumerId>,
    /// The notes written but not shown by a state yet; boxed, because few conversations have any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unshown_note: Option<Box<Unshown>>,
}

/// The position of message delivery in a dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogPlace {
    /// The dialog.
    pub dialog_id: DialogId,
    /// The sequence to deliver next; `None` if the first record is still expected.
    pub next: Option<u64>,
}

/// Counts of the received states. Their sum is the number of well-formed states ([CV-N8](crate::rules#cv-n8)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counters {
    pub(super) processed: u64,
    pub(super) ignored: u64,
    pub(super) out_of_order: u64,
}

/// Hashes by which a repeated state is recognized ([CV-N2](crate::rules#cv-n2)). Zero before the first state.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Hashes {
    /// Of the meaning of the known state.
    pub(super) meaning: u64,
    /// Of the text of the known state.
    pub(super) text: u64,
    /// Of the text of its last repetition with another text.
    pub(super) repeated_text: u64,
    /// Of the meanings of its sections, as long as the members are what the state said. Not part of a snapshot: the next
    /// state is then decoded as a whole.
    #[serde(skip)]
    pub(super) sections: SectionMeanings,
    /// Of the texts of its larger sections. Not part of a snapshot either.
    #[serde(skip)]
    pub(super) texts: SectionTexts,
}

impl Conversation {
    /// Returns a conversation without a known state: an open MAIN dialog is assumed, so that callers may send before
    /// the first notification ([CV-I1](crate::rules#cv-i1)).
    #[must_use]
    pub fn new(id: ConversationId, dialect: Dialect, history: HistoryStart) -> Self {
        let main = Dialog::main_of(&id, MessageOrder::starting(history));
        Self {
            id,
            dialect,
            is_by_webhook: false,
            history,
            is_stated: false,
            counters: Counters::default(),
            hashes: Hashes::default(),
            members: Members::default(),
            earliest_stated: EarliestStated::default(),
            last_update_time: None,
            disbelieved: None,
            stepped_up_to: None,
            dialogs: vec![main],
            last_message: None,
            arrived: None,
            external_consumer_id: None,
            unshown_note: None,
        }
    }

    /// Returns the same conversation for states that arrive by webhook.
    #[must_use]
    pub fn by_webhook(self) -> Self {
        Self { is_by_webhook: true, ..self }
    }

    /// The form in which its states arrive.
    pub(super) fn flavour(&self) -> Flavour {
        Flavour::of(self.dialect, self.is_by_webhook)
    }

    /// Returns the same conversation without any state: it keeps its identity, its counters, the positions `places` in
    /// its dialogs and the written notes. For a conversation whose state is suspect; its state must be requested again
    /// and is processed as a first state.
    #[must_use]
    pub fn rebuilt_at(&self, places: &[DialogPlace]) -> Self {
        let dialog = |place: &DialogPlace| {
            let assumed = || Dialog::assumed(place.dialog_id.clone(), MessageOrder::default());
            self.dialog(&place.dialog_id).cloned().unwrap_or_else(assumed).rebuilt_at(place.next)
        };
        let empty = Self::new(self.id.clone(), self.dialect, self.history);
        let dialogs = if places.is_empty() { empty.dialogs.clone() } else { places.iter().map(dialog).collect() };
        Self {
            counters: self.counters,
            dialogs,
            is_by_webhook: self.is_by_webhook,
            last_message: self.last_message.clone(),
            arrived: self.arrived,
            external_consumer_id: self.external_consumer_id.clone(),
            unshown_note: self.unshown_note.clone(),
            ..empty
        }
    }

    /// Records the position of each dialog, for [`Self::rebuilt_at`]. Cheap if the dialogs are unchanged.
    pub fn note_places(&self, places: &mut Vec<DialogPlace>) {
        let pairs = || places.iter().zip(&self.dialogs);
        if places.len() == self.dialogs.len() && pairs().all(|(place, dialog)| place.dialog_id == dialog.dialog_id) {
            for (place, dialog) in places.iter_mut().zip(&self.dialogs) {
                place.next = dialog.next_sequence();
            }
        } else {
            let place =
                |dialog: &Dialog| DialogPlace { dialog_id: dialog.dialog_id.clone(), next: dialog.next_sequence() };
            *places = self.dialogs.iter().map(place).collect();
        }
    }

    /// Sets the consumer for whom a connector speaks. A connector has one consumer in a conversation.
    pub fn speaks_for(&mut self, consumer: ExternalConsumerId) {
        self.external_consumer_id = Some(consumer);
    }

    /// The connector's own id of the consumer.
    #[must_use]
    pub fn external_consumer_id(&self) -> Option<&ExternalConsumerId> {
        self.external_consumer_id.as_ref()
    }

    /// A short form of the newest message. The newest message was delivered, or a state named it as the newest.
    #[must_use]
    pub fn last_message(&self) -> Option<&Arc<LastMessage>> {
        self.last_message.as_ref()
    }

    /// Restores the newest message of a stored conversation.
    pub fn recall_last_message(&mut self, message: Option<Arc<LastMessage>>) {
        self.last_message = message;
    }

    /// The dialect in which it is seen.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// All known dialogs, in no particular order, including dialogs that the newest state lacks.
    #[must_use]
    pub fn dialogs(&self) -> &[Dialog] {
        &self.dialogs
    }

    /// Returns the dialog `id`.
    #[must_use]
    pub fn dialog(&self, id: &DialogId) -> Option<&Dialog> {
        self.dialogs.iter().find(|dialog| dialog.dialog_id == *id)
    }

    /// Returns the last updated dialog of the type `kind` ([CV-F2](crate::rules#cv-f2)).
    #[must_use]
    pub fn get_dialog(&self, kind: &DialogType) -> Option<&Dialog> {
        let stated = self.dialogs.iter().filter(|dialog| !dialog.is_gone());
        let of_kind = stated.filter(|dialog| dialog.dialog_type.as_ref() == Some(kind));
        of_kind.max_by_key(|dialog| dialog.update_time)
    }

    /// The MAIN dialog, whose id is the conversation's.
    #[must_use]
    pub fn main_dialog(&self) -> Option<&Dialog> {
        self.dialogs.iter().find(|dialog| dialog.dialog_id.is_main_of(&self.id))
    }

    /// The dialog in which messages may be written: MAIN if it is open, otherwise the newest open dialog with messages
    /// ([CV-P2](crate::rules#cv-p2)). A dialog stays open until a state closes it, even in a closed conversation
    /// ([CV-N9](crate::rules#cv-n9)).
    #[must_use]
    pub fn open_dialog(&self) -> Option<&Dialog> {
        let open = || self.dialogs.iter().filter(|dialog| dialog.is_open() && dialog.has_messages());
        let main = open().find(|dialog| dialog.dialog_id.is_main_of(&self.id));
        main.or_else(|| open().max_by_key(|dialog| dialog.start_time))
    }

    /// Returns whether the conversation is open, including its surveys.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.members.is_open()
    }

    /// The note as far as known: from the newest state and from later writes ([NT-3](crate::rules#nt-3)).
    pub(crate) fn present_note(&self) -> Option<Cow<'_, str>> {
        let shown = self.members.note.as_deref();
        match &self.unshown_note {
            Some(unshown) => unshown.present(shown),
            None => shown.map(Cow::Borrowed),
        }
    }

    /// The platform confirmed that the note is now `field`, including `note` unless the whole text was written at once.
    pub(crate) fn note_written(&mut self, field: &str, note: Option<&WrittenNote>) {
        let Members { note: shown, update_time, .. } = &self.members;
        self.unshown_note.get_or_insert_default().written(field, note, shown.as_deref(), *update_time);
    }

    /// Returns the index of the dialog `id` in `dialogs`. An unknown dialog is added, unless there are `limit` dialogs
    /// already.
    pub(super) fn dialog_at(&mut self, id: &str, limit: usize) -> Option<usize> {
        let known = self.dialogs.iter().position(|dialog| dialog.dialog_id == *id);
        known.or_else(|| {
            let is_room = self.dialogs.len() < limit;
            is_room.then(|| {
                self.dialogs.reserve_exact(1);
                self.dialogs.push(Dialog::assumed(DialogId::from(id), order_of(self.history, self.is_stated)));
                self.dialogs.len() - 1
            })
        })
    }
}
