//! Writing one note among the others ([CV-F9](crate::rules#cv-f9)).

use std::iter;

use super::{AgentNote, NoteBudget, NoteError, NotePlan, NoteRoom, WrittenNote, field::Field};

/// The field with `note` in it: in the place of the agent's own note of the same id, or else behind all others
/// ([NT-3](crate::rules#nt-3)). A note that does not fit is cut between two characters where it may be
/// ([NT-6](crate::rules#nt-6)).
///
/// # Errors
/// [`NoteError::NoRoomLeft`] where not even one character fits, or of an empty note not even the entry;
/// [`NoteError::TooLong`] where the note would have to be cut and may not be; [`NoteError::OfAnother`] where the id is
/// that of another agent's note.
pub fn write(
    present: Option<&str>,
    note: AgentNote,
    may_truncate: bool,
    room: NoteRoom,
) -> Result<NotePlan, NoteError> {
    let field = Field::read(present);
    let place = match field.find(&note.note_id) {
        Some((_, Some(agent_id))) if agent_id != note.agent_id => {
            return Err(NoteError::OfAnother { note_id: note.note_id, agent_id });
        }
        found => found.map(|(place, _)| place),
    };
    let mut cut = note.clone();
    let mut with = |content: &str| {
        content.clone_into(&mut cut.note_content);
        field.text_with(place, &serde_json::to_string(&cut).unwrap_or_default())
    };
    let mut fits = |content: &str| match room.budget {
        NoteBudget::WholeField => with(content).chars().count() <= room.limit,
        NoteBudget::PerNote => content.chars().count() <= room.limit,
    };

    // A longer prefix never makes a shorter field, so that the longest one that fits is found by halving.
    let whole = note.note_content.as_str();
    let ends = whole.char_indices().map(|(start, _)| start).chain(iter::once(whole.len()));
    let ends: Vec<usize> = ends.take(room.limit.saturating_add(2)).collect();
    let fitting = ends.partition_point(|end| fits(&whole[..*end]));
    let Some(end) = fitting.checked_sub(1).map(|last| ends[last]).filter(|end| *end > 0 || whole.is_empty()) else {
        return Err(NoteError::NoRoomLeft);
    };
    let truncated = end < whole.len();
    if truncated && !may_truncate {
        return Err(NoteError::TooLong { length: whole.chars().count(), room: fitting - 1 });
    }
    let field = with(&whole[..end]);
    let AgentNote { agent_id, note_id, note_content: content, .. } = cut;
    Ok(NotePlan { field, written: WrittenNote { agent_id, note_id, content, truncated } })
}
