//! Writes one note among the others ([CV-F9](crate::rules#cv-f9)).

use std::iter;

use super::{AgentNote, NoteBudget, NoteError, NotePlan, NoteRoom, WrittenNote, field::Field};

/// Returns the field with `note` in it: replacing the agent's own note with the same id, or after all others
/// ([NT-3](crate::rules#nt-3)). A note that does not fit is truncated between two characters, if allowed
/// ([NT-6](crate::rules#nt-6)).
///
/// # Errors
/// [`NoteError::NoRoomLeft`] if not even one character fits, or for an empty note not even the entry;
/// [`NoteError::TooLong`] if the note would have to be truncated and must not be; [`NoteError::OfAnother`] if the id
/// belongs to another agent's note.
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

    // A longer prefix never makes a shorter field, so the longest prefix that fits is found by bisection.
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
