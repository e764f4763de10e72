//! What to do about a command's request without a successful response, so that it has its effect at most once
//! (promise 4).

use std::time::Duration;

use super::Repeat;
use crate::refusal::{Case, Lane, Refusal, RequestType, Retry, decide};

/// What to do about a command's request that was sent and had no successful response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Send the request again after a pause.
    SendAgain,
    /// Look up the request's effect after a pause. If it had no effect, send it again.
    LookUp,
    /// Return the platform's response to the caller.
    Tell,
    /// Tell the caller that the outcome is unknown.
    TellUnknown,
}

impl Repeat {
    /// Returns what to do about `refusal`.
    ///
    /// An error does not prove that nothing happened: a gateway before the platform may respond with 429 or 503 to a
    /// request that was applied. A request that has an effect is therefore never repeated before its effect was looked
    /// up.
    #[must_use]
    pub fn remedy(&self, refusal: Refusal) -> Remedy {
        let (lane, request) = (Lane::Command, RequestType::Other);
        let decision = decide(Case { lane, request, refusal, tries: 1, lasted: Duration::ZERO });
        match (decision.retry, self) {
            (Retry::Never, _) => Remedy::Tell,
            (_, Self::Safe) => Remedy::SendAgain,
            (_, Self::Lookup { .. } | Self::ReadStateThenAct) => Remedy::LookUp,
            // The caller gets the response itself, because nothing else is known of the request.
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
