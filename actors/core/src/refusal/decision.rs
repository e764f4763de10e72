//! What a refusal affects, and whether and when the request is repeated.

use std::time::Duration;

use super::{Lane, Refusal, RequestType, THROTTLED_OFTEN};
use crate::session::Backoff;

/// The waits between repetitions. The longest is short enough that everything works soon after the platform does.
const AGAIN: Backoff =
    Backoff { floor: Duration::from_millis(500), base: Duration::from_secs(1), max: Duration::from_secs(15) };
/// After this many refusals the connection continues without the request's effect, and keeps trying.
const GOES_ON_AFTER: u32 = 3;
/// A refused permission is final after this long.
const PERMISSION_LASTS: Duration = Duration::from_secs(60);

/// One refused request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// The purpose of the request.
    pub lane: Lane,
    /// The request's type.
    pub request: RequestType,
    /// How it was refused.
    pub refusal: Refusal,
    /// How often it was refused so far, including this time.
    pub tries: u32,
    /// How long it has been refused.
    pub lasted: Duration,
}

/// What a refusal affects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Concern {
    /// One command; the later commands of its conversation wait while it is repeated.
    Command,
    /// One conversation, whose sends wait.
    Conversation,
    /// One type of request; everything else continues.
    RequestType,
    /// The whole login; only keep-alives are sent.
    Login,
}

/// Whether and when a request is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Not at all: the refusal is final.
    Never,
    /// Unchanged, when the rate limit of the login allows it ([`super::LoginPace`]).
    AtPace,
    /// After this wait, which depends on the number of tries.
    After(Backoff),
    /// After it is known whether the request had its effect.
    AfterLookup,
    /// On the next socket.
    NextSocket,
}

/// The reaction to a refused request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What the refusal affects.
    pub concerns: Concern,
    /// Whether and when the request is repeated.
    pub retry: Retry,
    /// Whether the connection continues without the request's effect and reports the missing part.
    pub goes_on: bool,
    /// Whether the sends of the conversation wait until the request is granted.
    pub holds_sends: bool,
}

impl Decision {
    /// Returns the wait before the next try; `None` if another event than time decides. `entropy` is 64 random bits.
    #[must_use]
    pub fn wait(&self, tries: u32, entropy: u64) -> Option<Duration> {
        match self.retry {
            Retry::After(backoff) => Some(backoff.delay(tries.saturating_sub(1), entropy)),
            Retry::Never | Retry::AtPace | Retry::AfterLookup | Retry::NextSocket => None,
        }
    }
}

/// Decides the reaction to one refused request.
///
/// | answer | command | history | subscription, rings, agent state, … |
/// |---|---|---|---|
/// | 429 | looked up, then at the pace of the login | at the pace of the login; from the third time on as for 5xx | at the pace of the login (the answer to an offer: from the third time on as for 5xx) |
/// | connection lost | looked up on the next socket | next socket | next socket |
/// | 5xx, no answer | looked up, then again | again; its sends wait | again; all else goes on |
/// | 401, 403 | final | again for a minute, then final | again; all else goes on |
/// | other 4xx | final | final | again; all else goes on |
#[must_use]
pub fn decide(case: Case) -> Decision {
    let goes_on = case.tries >= GOES_ON_AFTER;
    let decision = |concerns, retry| Decision { concerns, retry, goes_on, holds_sends: false };
    match (case.refusal, case.lane, case.request) {
        (Refusal::TooMany, Lane::Recovery, RequestType::History) if case.tries >= THROTTLED_OFTEN => {
            Decision { holds_sends: true, ..decision(Concern::Conversation, Retry::After(AGAIN)) }
        }
        (Refusal::TooMany, Lane::Recovery, RequestType::RingAnswer) if case.tries >= THROTTLED_OFTEN => {
            decision(Concern::Command, Retry::After(AGAIN))
        }
        (Refusal::TooMany, Lane::Recovery, _) => {
            Decision { goes_on: false, ..decision(Concern::RequestType, Retry::AtPace) }
        }
        // A gateway may respond with 429 to a request that was applied.
        (Refusal::TooMany, Lane::Command, _) => {
            Decision { goes_on: false, ..decision(Concern::Login, Retry::AfterLookup) }
        }
        (Refusal::TooMany, ..) => Decision { goes_on: false, ..decision(Concern::Login, Retry::AtPace) },
        (Refusal::ConnectionLost, Lane::Command, _) => decision(Concern::Login, Retry::AfterLookup),
        (Refusal::ConnectionLost, ..) => decision(Concern::Login, Retry::NextSocket),
        // The session itself notices a socket without responses.
        (_, Lane::KeepAlive, _) => decision(Concern::RequestType, Retry::Never),
        (Refusal::Trouble | Refusal::Unanswered, Lane::Command, _) => decision(Concern::Command, Retry::AfterLookup),
        (Refusal::NotPermitted | Refusal::Rejected, Lane::Command, _) => decision(Concern::Command, Retry::Never),
        (Refusal::Trouble | Refusal::Unanswered, Lane::Recovery, RequestType::History) => {
            Decision { holds_sends: true, ..decision(Concern::Conversation, Retry::After(AGAIN)) }
        }
        (Refusal::NotPermitted, Lane::Recovery, RequestType::History) if case.lasted < PERMISSION_LASTS => {
            decision(Concern::Conversation, Retry::After(AGAIN))
        }
        (Refusal::NotPermitted | Refusal::Rejected, Lane::Recovery, RequestType::History) => {
            Decision { goes_on: true, ..decision(Concern::Conversation, Retry::Never) }
        }
        // If this connection cannot accept an offer, the platform offers it to another agent.
        (Refusal::NotPermitted | Refusal::Rejected, Lane::Recovery, RequestType::RingAnswer) => {
            Decision { goes_on: true, ..decision(Concern::Command, Retry::Never) }
        }
        (_, Lane::Recovery, _) => decision(Concern::RequestType, Retry::After(AGAIN)),
    }
}

impl Concern {
    /// Returns whether a request of `lane` waits while this is refused. `same_conversation` says whether the request is
    /// for the conversation of the refused request, `same_type` whether it is of its type.
    #[must_use]
    pub fn holds(self, lane: Lane, same_conversation: bool, same_type: bool) -> bool {
        match (self, lane) {
            (_, Lane::KeepAlive) => false,
            (Self::Login, _) => true,
            (Self::RequestType, _) => same_type,
            (Self::Command | Self::Conversation, Lane::Command) => same_conversation,
            (Self::Conversation, Lane::Recovery) => same_conversation && same_type,
            (Self::Command, Lane::Recovery) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSALS: [Refusal; 6] = [
        Refusal::TooMany,
        Refusal::Trouble,
        Refusal::NotPermitted,
        Refusal::Rejected,
        Refusal::Unanswered,
        Refusal::ConnectionLost,
    ];
    const PARTS: [RequestType; 3] = [RequestType::Subscription, RequestType::RingSubscription, RequestType::AgentState];

    fn case(lane: Lane, request: RequestType, refusal: Refusal) -> Case {
        Case { lane, request, refusal, tries: 1, lasted: Duration::ZERO }
    }

    fn recovery(request: RequestType, refusal: Refusal) -> Decision {
        decide(case(Lane::Recovery, request, refusal))
    }

    #[test]
    fn every_part_of_the_resume_plan_is_tried_again_whatever_was_answered() {
        for request in PARTS {
            for refusal in REFUSALS {
                assert_ne!(recovery(request, refusal).retry, Retry::Never, "{request:?} {refusal:?}");
            }
        }
    }

    #[test]
    fn a_refused_history_concerns_its_conversation_alone() {
        let decision = recovery(RequestType::History, Refusal::Trouble);
        assert_eq!((decision.concerns, decision.holds_sends), (Concern::Conversation, true));
        let holds = |lane, same_conversation| decision.concerns.holds(lane, same_conversation, true);
        assert!(holds(Lane::Command, true) && !holds(Lane::Command, false));
        assert!(holds(Lane::Recovery, true) && !holds(Lane::Recovery, false));
    }

    #[test]
    fn after_three_tries_the_connection_goes_on_and_the_tries_do_too() {
        for request in [RequestType::History, RequestType::Subscription] {
            let tried = |tries| decide(Case { tries, ..case(Lane::Recovery, request, Refusal::Unanswered) });
            assert_eq!([1, 2, 3, 100].map(|tries| tried(tries).goes_on), [false, false, true, true]);
            assert!(matches!(tried(100).retry, Retry::After(_)));
        }
    }

    #[test]
    fn a_refused_permission_to_read_is_final_only_if_it_lasts() {
        let lasted = |seconds| Case {
            lasted: Duration::from_secs(seconds),
            ..case(Lane::Recovery, RequestType::History, Refusal::NotPermitted)
        };
        assert!(matches!(decide(lasted(30)).retry, Retry::After(_)));
        assert_eq!(decide(lasted(60)).retry, Retry::Never);
        assert_eq!(recovery(RequestType::History, Refusal::Rejected).retry, Retry::Never);
    }

    #[test]
    fn a_command_is_looked_up_before_it_is_repeated_whatever_was_answered() {
        let retry = |refusal| decide(case(Lane::Command, RequestType::Other, refusal)).retry;
        for unknown in [Refusal::TooMany, Refusal::Trouble, Refusal::Unanswered, Refusal::ConnectionLost] {
            assert_eq!(retry(unknown), Retry::AfterLookup);
        }
        assert_eq!([Refusal::NotPermitted, Refusal::Rejected].map(retry), [Retry::Never; 2]);
    }

    #[test]
    fn nothing_holds_a_keep_alive() {
        let all = [Concern::Command, Concern::Conversation, Concern::RequestType, Concern::Login];
        assert!(all.iter().all(|concern| !concern.holds(Lane::KeepAlive, true, true)));
        assert!(Concern::Login.holds(Lane::Command, false, false));
    }

    #[test]
    fn a_try_comes_within_half_a_minute_however_often_it_was_refused() {
        let decision = recovery(RequestType::History, Refusal::Trouble);
        for tries in [1, 2, 5, 50, u32::MAX] {
            let longest = (0..64).filter_map(|bit| decision.wait(tries, u64::MAX >> bit)).max();
            assert!(longest.is_some_and(|wait| wait < Duration::from_secs(20)), "{longest:?}");
        }
    }

    #[test]
    fn the_codes_of_the_platform_are_told_apart() {
        let codes = [200, 404, 401, 403, 429, 500, 502].map(Refusal::of_code);
        let (permitted, trouble) = (Some(Refusal::NotPermitted), Some(Refusal::Trouble));
        assert_eq!(
            codes,
            [None, Some(Refusal::Rejected), permitted, permitted, Some(Refusal::TooMany), trouble, trouble]
        );
    }
}
