//! Reads a state in one pass: its small members, and where its larger sections are, each with the hash of its meaning. A
//! section with the meaning that it has in the known state is not decoded again.

use serde::{
    Deserialize,
    de::{
        IntoDeserializer,
        value::{BorrowedStrDeserializer, Error},
    },
};
use smallvec::SmallVec;

use super::{
    ConversationDetails, ConversationState, DialogState, ParticipantDetails, Presence, Text,
    json_reader::{JsonReader, Kind, Scalar},
    lenient, meaning,
    meaning::{ArrayMeaning, ObjectMeaning},
};

/// The most dialogs of a state that is read this way.
const DIALOGS: usize = 16;

/// A section of a state: its text and the hash of its meaning.
#[derive(Clone, Copy, Debug)]
struct Section<'a> {
    text: &'a str,
    meaning: u64,
}

/// A state whose small members are decoded, and whose sections were only found.
#[derive(Debug)]
pub(crate) struct SectionedState<'a> {
    /// The hash of the meaning of the whole state.
    pub(crate) meaning: u64,
    /// The members outside the details, without the sections.
    pub(crate) state: ConversationState<'a>,
    /// The details, without the sections.
    pub(crate) details: Option<ConversationDetails<'a>>,
    sections: Sections<'a>,
}

/// The sections, absent or found.
#[derive(Debug, Default)]
struct Sections<'a> {
    unread: Option<Section<'a>>,
    last_content: Option<Section<'a>>,
    participants: Option<Section<'a>>,
    participants_public: Option<Section<'a>>,
    ttr: Option<Section<'a>>,
    delay: Option<Section<'a>>,
    csat: Option<Section<'a>>,
    context: Option<Section<'a>>,
    campaign_info: Option<Section<'a>>,
    handler_details: Option<Section<'a>>,
    dialogs: SmallVec<[DialogSections<'a>; 2]>,
}

/// The sections of a dialog.
#[derive(Debug, Default)]
struct DialogSections<'a> {
    participants_details: Option<Section<'a>>,
    meta_data: Option<Section<'a>>,
}

/// The hashes of the sections of a known state, by which an unchanged section is recognized. Zero if unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SectionMeanings {
    /// The participants of the conversation and of each dialog. They are decoded together, because the ids of one list
    /// are found in the other ([DG-N10](crate::rules#dg-n10)).
    pub(crate) people: u64,
    pub(crate) unread: u64,
    pub(crate) last_content: u64,
    pub(crate) ttr: u64,
    pub(crate) context: u64,
    /// The campaign and the handling account.
    pub(crate) provenance: u64,
}

/// The texts of the larger sections of the last state that was read. A section with the same text is not even read: it
/// ends where that one ended, and means the same.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SectionTexts {
    last_content: SectionText,
    participants: SectionText,
    participants_public: SectionText,
    context: SectionText,
    campaign_info: SectionText,
    /// The participants of the first dialogs.
    dialogs: [SectionText; 2],
}

/// The text of an object or an array. Small, because every conversation has seven.
#[derive(Clone, Copy, Debug, Default)]
struct SectionText {
    /// The length in the lowest bits, zero if the text is unknown; above it the highest bits of the hash.
    text: u64,
    /// The hash of the meaning.
    meaning: u64,
}

impl SectionText {
    /// The bits of the length. A longer text is read each time.
    const LENGTH: u64 = 0xffff;

    /// Returns the section that begins here, if it has this text.
    #[inline]
    fn repeated<'a>(&self, reader: &mut JsonReader<'a>) -> Option<Section<'a>> {
        // An object or an array ends at its last byte, whatever follows.
        let text = reader.next_bytes(usize::try_from(self.text & Self::LENGTH).ok()?)?;
        (self.text != 0 && Self::identity(text) == self.text).then(|| {
            reader.pass(text);
            Section { text, meaning: self.meaning }
        })
    }

    #[inline]
    fn of(Section { text, meaning }: Section<'_>) -> Self {
        Self { text: Self::identity(text), meaning }
    }

    /// The length and the hash; zero if the text is too long.
    #[inline]
    fn identity(text: &str) -> u64 {
        match u64::try_from(text.len()) {
            Ok(length @ 1..=Self::LENGTH) => length | (meaning::of_text(text) & !Self::LENGTH),
            _ => 0,
        }
    }
}

/// The sections that have the meaning that they have in the known state. They are not decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unchanged {
    pub(crate) people: bool,
    pub(crate) unread: bool,
    pub(crate) last_content: bool,
    pub(crate) ttr: bool,
    pub(crate) context: bool,
    pub(crate) provenance: bool,
}

impl SectionMeanings {
    /// Returns the sections that are the same in both states.
    pub(crate) fn same_as(&self, known: &Self) -> Unchanged {
        let is_same = |this: u64, known: u64| known != 0 && this == known;
        Unchanged {
            people: is_same(self.people, known.people),
            unread: is_same(self.unread, known.unread),
            last_content: is_same(self.last_content, known.last_content),
            ttr: is_same(self.ttr, known.ttr),
            context: is_same(self.context, known.context),
            provenance: is_same(self.provenance, known.provenance),
        }
    }
}

macro_rules! members {
    ($(enum $kind:ident { $($name:ident = $wire:literal,)+ })+) => {$(
        #[derive(Clone, Copy)]
        enum $kind {
            $($name,)+
        }

        impl Named for $kind {
            #[inline]
            fn named(name: &[u8]) -> Option<Self> {
                match name {
                    $($wire => Some(Self::$name),)+
                    _ => None,
                }
            }

            fn place(self) -> usize {
                self as usize
            }

            #[inline]
            fn hash_of_name(self) -> u64 {
                const HASHES: &[u64] = &[$(meaning::of_name($wire)),+];
                HASHES[self as usize]
            }
        }
    )+};
}

/// The members of an object that are decoded.
trait Named: Copy {
    /// Returns the member with this name.
    fn named(name: &[u8]) -> Option<Self>;

    /// The member's place among the members, below 64.
    fn place(self) -> usize;

    /// The hash of the name's meaning.
    fn hash_of_name(self) -> u64;
}

members! {
    enum StateMember {
        ConvId = b"convId",
        EffectiveTtr = b"effectiveTTR",
        ConversationDetails = b"conversationDetails",
        Unread = b"numberOfunreadMessages",
        LastUpdateTime = b"lastUpdateTime",
        LastContent = b"lastContentEventNotification",
    }
    enum DetailsMember {
        ConvId = b"convId",
        SkillId = b"skillId",
        BrandId = b"brandId",
        Participants = b"participants",
        ParticipantsPublic = b"participantsPId",
        Dialogs = b"dialogs",
        State = b"state",
        Stage = b"stage",
        StartTs = b"startTs",
        EndTs = b"endTs",
        UpdateTs = b"metaDataLastUpdateTs",
        CloseReason = b"closeReason",
        FirstConversation = b"firstConversation",
        GroupId = b"groupId",
        Ttr = b"ttr",
        Delay = b"delay",
        ManualEttr = b"manualETTR",
        Csat = b"csat",
        CsatRate = b"csatRate",
        Note = b"note",
        Context = b"context",
        CampaignInfo = b"campaignInfo",
        HandlerDetails = b"conversationHandlerDetails",
        AppInstId = b"appInstId",
    }
    enum DialogMember {
        DialogId = b"dialogId",
        ParticipantsDetails = b"participantsDetails",
        DialogType = b"dialogType",
        ChannelType = b"channelType",
        MetaData = b"metaData",
        State = b"state",
        CreationTs = b"creationTs",
        EndTs = b"endTs",
        UpdateTs = b"metaDataLastUpdateTs",
        ClosedBy = b"closedBy",
        ClosedCause = b"closedCause",
    }
}

impl<'a> SectionedState<'a> {
    /// Reads the text of a state, with the texts of the last one. `None` if the text must be decoded as a whole: it is no
    /// state, some member has an unusual form, or a member stands there twice.
    pub(crate) fn read(raw: &'a str, texts: &mut SectionTexts) -> Option<Self> {
        let mut reader = JsonReader::new(raw);
        let mut state = ConversationState {
            conv_id: Text::default(),
            effective_ttr: Presence::Absent,
            conversation_details: None,
            number_of_unread_messages: Presence::Absent,
            last_update_time: None,
            last_content_event_notification: None,
        };
        let mut conv_id = None;
        let mut details = None;
        let mut sections = Sections::default();
        let meaning = members(&mut reader, |member, reader| match member {
            StateMember::ConvId => scalar(reader, &mut conv_id),
            StateMember::EffectiveTtr => presence(reader, &mut state.effective_ttr),
            StateMember::ConversationDetails => match reader.kind()? {
                Kind::Object => {
                    read_details(reader, details.insert(ConversationDetails::default()), &mut sections, texts)
                }
                _ => scalar(reader, &mut None::<Never>),
            },
            StateMember::Unread => section(reader, &mut sections.unread),
            StateMember::LastUpdateTime => scalar(reader, &mut state.last_update_time),
            StateMember::LastContent => large_section(reader, &mut sections.last_content, &mut texts.last_content),
        })?;
        state.conv_id = conv_id?;
        reader.is_at_end().then_some(Self { meaning, state, details, sections })
    }

    /// The hashes of the sections.
    pub(crate) fn meanings(&self) -> SectionMeanings {
        let Sections { unread, last_content, ttr, context, campaign_info, handler_details, .. } = &self.sections;
        SectionMeanings {
            people: self.people(),
            unread: joined(&[unread]),
            last_content: joined(&[last_content]),
            ttr: joined(&[ttr]),
            context: joined(&[context]),
            provenance: joined(&[campaign_info, handler_details]),
        }
    }

    /// The hash of all lists of participants. Zero if a dialog has no list, or the state does not list MAIN, because
    /// these states say less than the lists ([DG-N10](crate::rules#dg-n10)).
    fn people(&self) -> u64 {
        let Some(details) = &self.details else { return 0 };
        let mut all = joined(&[&self.sections.participants, &self.sections.participants_public]);
        let mut lists_main = false;
        for (dialog, sections) in details.dialogs.iter().zip(&self.sections.dialogs) {
            let Some(list) = sections.participants_details.filter(|list| list.text != "null") else { return 0 };
            lists_main |= dialog.dialog_id == self.state.conv_id;
            all = all.wrapping_add(meaning::mix(meaning::of_text(&dialog.dialog_id), list.meaning));
        }
        if lists_main { all.max(1) } else { 0 }
    }

    /// Decodes the sections, except the unchanged ones, which stay absent. `None` if a section is ill-typed or the state
    /// has no details.
    pub(crate) fn decode(self, unchanged: Unchanged) -> Option<(ConversationState<'a>, ConversationDetails<'a>)> {
        let Self { mut state, details, sections, .. } = self;
        let mut details = details?;
        if !unchanged.unread {
            state.number_of_unread_messages = decoded(sections.unread)?;
        }
        if !unchanged.last_content {
            state.last_content_event_notification = decoded(sections.last_content)?;
        }
        if !unchanged.ttr {
            details.ttr = decoded(sections.ttr)?;
        }
        if !unchanged.context {
            details.context = decoded(sections.context)?;
        }
        if !unchanged.provenance {
            details.campaign_info = decoded(sections.campaign_info)?;
            details.conversation_handler_details = decoded(sections.handler_details)?;
        }
        details.delay = decoded(sections.delay)?;
        details.csat = decoded(sections.csat)?;
        if !unchanged.people {
            details.participants = decoded(sections.participants)?;
            details.participants_public = decoded(sections.participants_public)?;
        }
        for (dialog, sections) in details.dialogs.iter_mut().zip(sections.dialogs) {
            dialog.meta_data = decoded(sections.meta_data)?;
            if !unchanged.people {
                dialog.participants_details = decoded::<List<'a>>(sections.participants_details)?.0;
            }
        }
        Some((state, details))
    }
}

/// A list of participants, as `participantsDetails` has it.
#[derive(Default, Deserialize)]
#[serde(transparent)]
struct List<'a>(#[serde(borrow, deserialize_with = "lenient::maybe_many")] Option<Vec<ParticipantDetails<'a>>>);

/// The type of a member that may only be null here.
#[derive(Deserialize)]
enum Never {}

fn read_details<'a>(
    reader: &mut JsonReader<'a>,
    details: &mut ConversationDetails<'a>,
    sections: &mut Sections<'a>,
    texts: &mut SectionTexts,
) -> Option<u64> {
    members(reader, |member, reader| match member {
        DetailsMember::ConvId => scalar(reader, &mut details.conv_id),
        DetailsMember::SkillId => presence(reader, &mut details.skill_id),
        DetailsMember::BrandId => scalar(reader, &mut details.brand_id),
        DetailsMember::Participants => large_section(reader, &mut sections.participants, &mut texts.participants),
        DetailsMember::ParticipantsPublic => {
            large_section(reader, &mut sections.participants_public, &mut texts.participants_public)
        }
        DetailsMember::Dialogs => read_dialogs(reader, &mut details.dialogs, sections, &mut texts.dialogs),
        DetailsMember::State => scalar(reader, &mut details.state),
        DetailsMember::Stage => scalar(reader, &mut details.stage),
        DetailsMember::StartTs => scalar(reader, &mut details.start_ts),
        DetailsMember::EndTs => scalar(reader, &mut details.end_ts),
        DetailsMember::UpdateTs => scalar(reader, &mut details.meta_data_last_update_ts),
        DetailsMember::CloseReason => scalar(reader, &mut details.close_reason),
        DetailsMember::FirstConversation => scalar(reader, &mut details.first_conversation),
        DetailsMember::GroupId => presence(reader, &mut details.group_id),
        DetailsMember::Ttr => section(reader, &mut sections.ttr),
        DetailsMember::Delay => section(reader, &mut sections.delay),
        DetailsMember::ManualEttr => presence(reader, &mut details.manual_ettr),
        DetailsMember::Csat => section(reader, &mut sections.csat),
        DetailsMember::CsatRate => {
            let rate = reader.scalar()?;
            details.csat_rate = match rate {
                Scalar::Integer(rate) => u64::try_from(rate).ok(),
                Scalar::Null => None,
                Scalar::Plain(_) | Scalar::Other(_) => return None,
            };
            Some(meaning::of_scalar(rate))
        }
        DetailsMember::Note => presence(reader, &mut details.note),
        DetailsMember::Context => large_section(reader, &mut sections.context, &mut texts.context),
        DetailsMember::CampaignInfo => large_section(reader, &mut sections.campaign_info, &mut texts.campaign_info),
        DetailsMember::HandlerDetails => section(reader, &mut sections.handler_details),
        DetailsMember::AppInstId => presence(reader, &mut details.app_inst_id),
    })
}

fn read_dialogs<'a>(
    reader: &mut JsonReader<'a>,
    dialogs: &mut Vec<DialogState<'a>>,
    sections: &mut Sections<'a>,
    texts: &mut [SectionText],
) -> Option<u64> {
    let mut meaning = ArrayMeaning::default();
    reader.array(|reader| {
        if dialogs.len() == DIALOGS {
            return None;
        }
        let text = texts.get_mut(dialogs.len());
        let (dialog, dialog_sections, hash) = read_dialog(reader, text.unwrap_or(&mut SectionText::default()))?;
        dialogs.push(dialog);
        sections.dialogs.push(dialog_sections);
        meaning.add(hash);
        Some(())
    })?;
    Some(meaning.hash())
}

fn read_dialog<'a>(
    reader: &mut JsonReader<'a>,
    people: &mut SectionText,
) -> Option<(DialogState<'a>, DialogSections<'a>, u64)> {
    let mut dialog_id = None;
    let mut sections = DialogSections::default();
    let mut dialog = DialogState {
        dialog_id: Text::default(),
        participants_details: None,
        dialog_type: None,
        channel_type: None,
        meta_data: None,
        state: None,
        creation_ts: None,
        end_ts: None,
        meta_data_last_update_ts: None,
        closed_by: None,
        closed_cause: None,
    };
    let meaning = members(reader, |member, reader| match member {
        DialogMember::DialogId => scalar(reader, &mut dialog_id),
        DialogMember::ParticipantsDetails => large_section(reader, &mut sections.participants_details, people),
        DialogMember::DialogType => scalar(reader, &mut dialog.dialog_type),
        DialogMember::ChannelType => scalar(reader, &mut dialog.channel_type),
        DialogMember::MetaData => section(reader, &mut sections.meta_data),
        DialogMember::State => scalar(reader, &mut dialog.state),
        DialogMember::CreationTs => scalar(reader, &mut dialog.creation_ts),
        DialogMember::EndTs => scalar(reader, &mut dialog.end_ts),
        DialogMember::UpdateTs => scalar(reader, &mut dialog.meta_data_last_update_ts),
        DialogMember::ClosedBy => scalar(reader, &mut dialog.closed_by),
        DialogMember::ClosedCause => scalar(reader, &mut dialog.closed_cause),
    })?;
    dialog.dialog_id = dialog_id?;
    Some((dialog, sections, meaning))
}

/// Reads an object and returns the hash of its meaning. `each` reads the value of a known member and returns its hash.
#[inline]
fn members<'a, M: Named>(
    reader: &mut JsonReader<'a>,
    mut each: impl FnMut(M, &mut JsonReader<'a>) -> Option<u64>,
) -> Option<u64> {
    let mut meaning = ObjectMeaning::default();
    let mut seen = 0_u64;
    reader.object(|reader, name| {
        let Some(member) = M::named(name.as_bytes()) else {
            meaning.add(name, meaning::of_next(reader)?);
            return Some(());
        };
        let bit = 1_u64 << member.place();
        // A derived decoder refuses a member that stands there twice.
        if seen & bit != 0 {
            return None;
        }
        seen |= bit;
        meaning.add_hashed(member.hash_of_name(), each(member, reader)?);
        Some(())
    })?;
    Some(meaning.hash())
}

/// Finds a section and returns the hash of its meaning.
#[inline]
fn section<'a>(reader: &mut JsonReader<'a>, found: &mut Option<Section<'a>>) -> Option<u64> {
    reader.kind()?;
    let start = reader.at();
    let meaning = meaning::of_next(reader)?;
    *found = Some(Section { text: reader.since(start)?, meaning });
    Some(meaning)
}

/// Finds a section like [`section`], and does not read it if it has the text of the last state.
#[inline]
fn large_section<'a>(
    reader: &mut JsonReader<'a>,
    found: &mut Option<Section<'a>>,
    known: &mut SectionText,
) -> Option<u64> {
    if reader.kind()? == Kind::Scalar {
        return section(reader, found);
    }
    *found = known.repeated(reader);
    if let Some(Section { meaning, .. }) = *found {
        return Some(meaning);
    }
    let meaning = section(reader, found)?;
    *known = found.map_or_else(SectionText::default, SectionText::of);
    Some(meaning)
}

/// Decodes a scalar, or leaves `None` for null, and returns the hash of its meaning.
#[inline]
fn scalar<'a, T: Deserialize<'a>>(reader: &mut JsonReader<'a>, value: &mut Option<T>) -> Option<u64> {
    let scalar = reader.scalar()?;
    *value = match scalar {
        Scalar::Plain(text) => Some(T::deserialize(BorrowedStrDeserializer::<Error>::new(text)).ok()?),
        Scalar::Integer(number) => {
            let read: Result<T, Error> = match u64::try_from(number) {
                Ok(number) => T::deserialize(number.into_deserializer()),
                Err(_) => T::deserialize(number.into_deserializer()),
            };
            Some(read.ok()?)
        }
        Scalar::Null => None,
        Scalar::Other(raw) => Some(serde_json::from_str(raw).ok()?),
    };
    Some(meaning::of_scalar(scalar))
}

/// Decodes a scalar that is a present member, and returns the hash of its meaning.
#[inline]
fn presence<'a, T: Deserialize<'a>>(reader: &mut JsonReader<'a>, value: &mut Presence<T>) -> Option<u64> {
    let mut present = None;
    let meaning = scalar(reader, &mut present)?;
    *value = present.into();
    Some(meaning)
}

/// Decodes a section; an absent one has the default value.
fn decoded<'a, T: Deserialize<'a> + Default>(section: Option<Section<'a>>) -> Option<T> {
    match section {
        Some(Section { text, .. }) => serde_json::from_str(text).ok(),
        None => Some(T::default()),
    }
}

/// One hash of several sections, absent or not; never zero.
fn joined(sections: &[&Option<Section<'_>>]) -> u64 {
    let absent = 0;
    let hash = |section: &&Option<Section<'_>>| section.map_or(absent, |section| section.meaning);
    sections.iter().map(hash).fold(1, meaning::mix).max(1)
}
