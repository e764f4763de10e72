//! What is done about a command's request that was not answered with success, so that it acts at most once (promise 4).

use std::time::Duration;

use super::Repeat;
use crate::refusal::{Case, Lane, Refusal, RequestType, Retry, decide};

/// What is done about a command's request that was sent and not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The request is sent again after a pause.
    SendAgain,
    /// The request's effect is looked for after a pause. Only without an effect is it sent again.
    LookUp,
    /// The caller is told what the platform answered.
    Tell,
    /// The caller is told that the outcome is unknown.
    TellUnknown,
}

impl Repeat {
    /// What is done about `refusal`.
    ///
    /// No answer but success says that nothing happened: a gateway before the platform may answer 429 or 503 for a
    /// request that went through. A request that acts is therefore never repeated before its effect was looked for.
    #[must_use]
    pub fn remedy(&self, refusal: Refusal) -> Remedy {
        let (lane, request) = (Lane::Command, RequestType::Other);
        let decision = decide(Case { lane, request, refusal, tries: 1, lasted: Duration::ZERO });
        match (decision.retry, self) {
            (Retry::Never, _) => Remedy::Tell,
            (_, Self::Safe) => Remedy::SendAgain,
            (_, Self::Lookup { .. } | Self::ReadStateThenAct) => Remedy::LookUp,
            // The caller gets the answer itself: nothing else is known of the request.
            (_, Self::Never) if refusal == Refusal::TooMany => Remedy::Tell,
            (_, Self::Never) => Remedy::TellUnknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSING: [Refusal; 4] = [Refusal::TooMany, Refusal::Trouble, Refusal::Unanswered, Refusal::ConnectionLost];
    const FINAL: [Refusal; 2] = [Refusal::NotPermitted, Refusal::Rejected];

    fn remedies(repeat: &Repeat) -> [Remedy; 4] {
        assert_eq!(FINAL.map(|refusal| repeat.remedy(refusal)), [Remedy::Tell; 2]);
        PASSING.map(|refusal| repeat.remedy(refusal))
    }

    #[test]
    fn what_acts_is_looked_up_before_it_is_repeated_whatever_was_answered() {
        let lookup = Repeat::Lookup { dialog_id: "d".into(), key: "k".into(), from: 0 };
        for repeat in [lookup, Repeat::ReadStateThenAct] {
            assert_eq!(remedies(&repeat), [Remedy::LookUp; 4], "{repeat:?}");
        }
    }

    #[test]
    fn what_is_the_same_twice_is_repeated() {
        assert_eq!(remedies(&Repeat::Safe), [Remedy::SendAgain; 4]);
    }

    #[test]
    fn what_cannot_be_looked_up_is_not_repeated() {
        let unknown = Remedy::TellUnknown;
        assert_eq!(remedies(&Repeat::Never), [Remedy::Tell, unknown, unknown, unknown]);
    }
}
