//! What the outcome of a command means for its item.

use serde::{Deserialize, Serialize};
use tertulia_actors::{
    conversation::ConversationError,
    core::{command::Refusal, ums::AnswerError},
};

use super::{connections::Outcome, operation::Operation};

/// The platform's status for too many requests.
const TOO_MANY: u16 = 429;

/// The outcome of an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ItemOutcome {
    /// The conversation is in the wanted state.
    Done {
        /// Whether a change was needed, as a code.
        code: String,
    },
    /// The conversation is not in the wanted state, and will not be retried.
    Refused {
        /// The reason as a stable code.
        code: String,
        /// The reason.
        detail: String,
        /// The platform's own code, if the platform refused.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        platform_code: Option<u16>,
    },
    /// The platform got the request, and its effect could not be determined.
    Unknown {
        /// The reason as a stable code.
        code: String,
        /// The reason.
        detail: String,
    },
}

impl ItemOutcome {
    /// A success with the given code.
    pub(super) fn done(code: &str) -> Self {
        Self::Done { code: code.to_owned() }
    }

    /// The outcome of a final failure.
    pub(super) fn of(failure: &ConversationError) -> Self {
        let (code, detail) = (failure.code().to_owned(), failure.to_string());
        match failure {
            ConversationError::OutcomeUnknown { .. } => Self::Unknown { code, detail },
            ConversationError::Refused(AnswerError::Refused { code: platform_code, .. }) => {
                Self::Refused { code, detail, platform_code: Some(*platform_code) }
            }
            _ => Self::Refused { code, detail, platform_code: None },
        }
    }

    /// The name, also used in metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Done { .. } => "done",
            Self::Refused { .. } => "refused",
            Self::Unknown { .. } => "unknown",
        }
    }
}

/// What to do with an item after a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The outcome is final.
    Settled(ItemOutcome),
    /// The outcome is final, unless the conversation's last known state is the wanted one.
    Look(ItemOutcome),
    /// The item may be retried; without a success this becomes its outcome.
    Again(ItemOutcome),
}

/// Judges the outcome of a command.
pub(super) fn judge(operation: &Operation, answer: &Outcome) -> Verdict {
    let failure = match answer {
        Ok(_) => return Verdict::Settled(ItemOutcome::done(operation.done())),
        Err(failure) => failure,
    };
    let outcome = ItemOutcome::of(failure);
    match failure {
        ConversationError::Invalid(error) if is_as_wanted(operation, &error.refusal) => {
            Verdict::Settled(ItemOutcome::done(operation.already()))
        }
        ConversationError::Overloaded
        | ConversationError::NotConnected
        | ConversationError::TimedOut
        | ConversationError::OutcomeUnknown { .. } => Verdict::Again(outcome),
        ConversationError::Refused(AnswerError::Refused { code: TOO_MANY, .. }) => Verdict::Again(outcome),
        ConversationError::Refused(error) if error.is_transient() => Verdict::Again(outcome),
        ConversationError::Refused(_) | ConversationError::UnknownConversation => Verdict::Look(outcome),
        // Nothing was sent, or sending again would change nothing.
        _ => Verdict::Settled(outcome),
    }
}

/// Whether a conversation refused because it is already in the wanted state.
fn is_as_wanted(operation: &Operation, refusal: &Refusal) -> bool {
    match operation {
        Operation::Close { .. } => {
            matches!(refusal, Refusal::NoOpenDialog | Refusal::DialogClosed(_) | Refusal::Locked)
        }
        Operation::Transfer { .. } => matches!(refusal, Refusal::SameAgent(_)),
    }
}

#[cfg(test)]
mod tests {
    use tertulia_actors::core::{command::CommandError, id::CommandKey};

    use super::*;

    const CLOSE: Operation = Operation::Close { survey: false };
    const TRANSFER: Operation = Operation::Transfer { agent_id: None, skill_id: None };

    fn invalid(refusal: Refusal) -> Outcome {
        Err(ConversationError::Invalid(CommandError { conversation: "c".into(), refusal }))
    }

    fn refused(code: u16) -> Outcome {
        Err(ConversationError::Refused(AnswerError::Refused { code, text: "no".to_owned() }))
    }

    #[test]
    fn a_conversation_already_in_the_wanted_state_is_done() {
        for refusal in [Refusal::NoOpenDialog, Refusal::DialogClosed("d".into()), Refusal::Locked] {
            let closed = Verdict::Settled(ItemOutcome::done("already-closed"));
            assert_eq!(judge(&CLOSE, &invalid(refusal.clone())), closed);
            assert!(matches!(judge(&TRANSFER, &invalid(refusal)), Verdict::Settled(ItemOutcome::Refused { .. })));
        }
        let there = Verdict::Settled(ItemOutcome::done("already-there"));
        assert_eq!(judge(&TRANSFER, &invalid(Refusal::SameAgent("1.2".into()))), there);
    }

    #[test]
    fn a_temporary_failure_is_retried() {
        for failure in [ConversationError::Overloaded, ConversationError::NotConnected, ConversationError::TimedOut] {
            let verdict = judge(&CLOSE, &Err(failure.clone()));
            assert!(matches!(&verdict, Verdict::Again(ItemOutcome::Refused { code, .. }) if code == failure.code()));
        }
        for code in [429, 500, 502, 503] {
            assert!(matches!(judge(&CLOSE, &refused(code)), Verdict::Again(_)), "{code}");
        }
        let unknown = Err(ConversationError::OutcomeUnknown { key: CommandKey::from("k") });
        assert!(matches!(judge(&CLOSE, &unknown), Verdict::Again(ItemOutcome::Unknown { .. })));
    }

    #[test]
    fn a_platforms_refusal_keeps_its_code_unless_the_conversation_is_in_the_wanted_state() {
        for code in [400, 403, 404] {
            let Verdict::Look(ItemOutcome::Refused { code: word, detail, platform_code }) =
                judge(&CLOSE, &refused(code))
            else {
                panic!("{code} is not looked at")
            };
            assert_eq!((word.as_str(), platform_code), ("platform-rejected", Some(code)));
            assert!(detail.contains("no"));
        }
        assert!(matches!(judge(&CLOSE, &Err(ConversationError::UnknownConversation)), Verdict::Look(_)));
    }

    #[test]
    fn a_quarantined_or_dead_lettered_item_is_not_retried() {
        for failure in [ConversationError::Quarantined, ConversationError::DeadLettered] {
            assert!(matches!(judge(&CLOSE, &Err(failure)), Verdict::Settled(ItemOutcome::Refused { .. })));
        }
    }
}
