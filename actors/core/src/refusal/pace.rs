//! Decides when the next request of a login may be sent (429, protocol [§9.3](crate::protocol#93)).

use std::collections::BTreeMap;

use super::{Lane, Pause, RequestType, THROTTLED_OFTEN, rate::Rate, window::Window};
use crate::session::Millis;

/// A request that nobody waits for may be in flight with a quarter of the number allowed for urgent requests. The
/// platform counts it too, and if the socket is lost soon, its response is wasted.
const NOT_URGENT: usize = 4;

/// The pauses and rates of one login, over all its sockets.
///
/// The platform counts by login, and some of its limits by request type. So a refused recovery request pauses only its
/// own type; sends continue. A refused command, or refusals of two types at once, pause the whole login, and after
/// several refused commands only a few are in flight together. Keep-alives never wait.
#[derive(Debug, Clone, Default)]
pub struct LoginPace {
    login: Pause,
    commands: Window,
    types: BTreeMap<RequestType, Rate>,
}

impl LoginPace {
    /// The platform refused a request because of too many requests (429), as it did `before` times already. Others may
    /// be granted meanwhile, so a repeated refusal says nothing about a limit. If the request waits on its own, it
    /// pauses nothing.
    pub fn refused(&mut self, lane: Lane, request: RequestType, before: u32, now: Millis, entropy: u64) {
        if lane != Lane::Recovery {
            if self.login.refused(now, entropy) {
                self.unlearn(now);
            } else {
                // A single refusal may affect only a single command.
                self.commands.refused();
            }
            return;
        }
        if before >= THROTTLED_OFTEN && request.is_asked_by_many() {
            return;
        }
        let is_other_paused = self.types.iter().any(|(other, rate)| *other != request && rate.pause.is_on(now));
        let is_login_paused = self.login.is_on(now);
        let begins = self.types.entry(request).or_default().refused(now, entropy);
        if begins && is_other_paused {
            self.login.refused(now, entropy);
        }
        if begins && (is_other_paused || is_login_paused || before > 0) {
            self.unlearn(now);
        }
    }

    /// Refusals that affect the whole login say nothing about the limit of one type.
    fn unlearn(&mut self, now: Millis) {
        self.types.values_mut().filter(|rate| rate.pause.is_on(now)).for_each(Rate::unlearn);
    }

    /// The platform granted a request.
    pub fn granted(&mut self, lane: Lane, request: RequestType, now: Millis) {
        match lane {
            // The platform may respond to keep-alives even while it refuses everything else.
            Lane::KeepAlive => {}
            Lane::Command => {
                self.login.granted(now);
                self.commands.granted();
            }
            Lane::Recovery => {
                self.login.granted(now);
                self.types.entry(request).or_default().granted(now);
            }
        }
    }

    /// A request is sent while `out` others of its type are in flight.
    pub fn sent(&mut self, lane: Lane, request: RequestType, out: usize, now: Millis) {
        if lane == Lane::Recovery {
            self.types.entry(request).or_default().sent(out, now);
        }
    }

    /// Returns when the next request of this kind may be sent, `now` at the earliest.
    #[must_use]
    pub fn next(&self, lane: Lane, request: RequestType, now: Millis) -> Millis {
        let login = self.login.until(now).unwrap_or(now);
        match lane {
            Lane::KeepAlive => now,
            Lane::Command => login,
            Lane::Recovery => self.types.get(&request).map_or(now, |rate| rate.next(now)).max(login),
        }
    }

    /// Returns how many commands may be in flight together. There is no bound until the platform refuses several at a
    /// time; after that only a few, and each grant allows more.
    #[must_use]
    pub fn commands_together(&self) -> usize {
        self.commands.most()
    }

    /// Returns whether no other request of the recovery lane may be sent while `out` of its type are in flight. The
    /// bound grows with each grant, and is lower for a request that is not `urgent`.
    #[must_use]
    pub fn is_full(&self, request: RequestType, urgent: bool, out: usize) -> bool {
        let counted = if urgent { out } else { out.saturating_mul(NOT_URGENT) };
        self.types.get(&request).map_or_else(|| Rate::default().is_full(counted), |rate| rate.is_full(counted))
    }

    /// Returns whether a request of this kind must wait.
    #[must_use]
    pub fn is_held(&self, lane: Lane, request: RequestType, now: Millis) -> bool {
        self.next(lane, request, now) > now
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HISTORY: RequestType = RequestType::History;

    /// A platform's limit per second.
    enum Limit {
        /// Tokens that accumulate up to one second's worth.
        Bucket { per_second: f64, tokens: f64, at: u64 },
        /// At most this many in each whole second.
        Window { per_second: u32, second: u64, used: u32 },
        /// At most this many in any period of a second.
        Sliding { per_second: usize, granted: std::collections::VecDeque<u64> },
        /// No limit, but one in this many is refused at random.
        Chance { every: u64, random: u64 },
        /// No limit.
        Unlimited,
    }

    impl Limit {
        fn bucket(per_second: f64) -> Self {
            Self::Bucket { per_second, tokens: per_second, at: 0 }
        }

        fn window(per_second: u32) -> Self {
            Self::Window { per_second, second: 0, used: 0 }
        }

        fn sliding(per_second: usize) -> Self {
            Self::Sliding { per_second, granted: std::collections::VecDeque::new() }
        }

        fn grants(&mut self, now: u64) -> bool {
            match self {
                Self::Unlimited => true,
                Self::Chance { every, random } => {
                    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    !(*random >> 33).is_multiple_of(*every)
                }
                Self::Sliding { per_second, granted } => {
                    while granted.front().is_some_and(|first| now >= *first + 1_000) {
                        granted.pop_front();
                    }
                    let grants = granted.len() < *per_second;
                    granted.extend(grants.then_some(now));
                    grants
                }
                Self::Bucket { per_second, tokens, at } => {
                    *tokens = (*tokens + (now - *at) as f64 / 1_000.0 * *per_second).min(*per_second);
                    *at = now;
                    let grants = *tokens >= 1.0;
                    *tokens -= f64::from(u8::from(grants));
                    grants
                }
                Self::Window { per_second, second, used } => {
                    if *second != now / 1_000 {
                        (*second, *used) = (now / 1_000, 0);
                    }
                    let grants = *used < *per_second;
                    *used += u32::from(grants);
                    grants
                }
            }
        }
    }

    /// Requests `count` histories on a link of `round_trip` milliseconds; returns how long that took in milliseconds
    /// and how many requests were refused.
    fn recover(limit: &mut Limit, count: usize, round_trip: u64) -> (u64, usize) {
        recover_in_turns(limit, count, round_trip, 1)
    }

    /// The same on a thread that runs once in this many milliseconds.
    fn recover_in_turns(limit: &mut Limit, count: usize, round_trip: u64, turn: u64) -> (u64, usize) {
        let (mut pace, mut now, mut wanted, mut done, mut refused) = (LoginPace::default(), 0, count, 0, 0);
        let mut out: Vec<(u64, bool)> = Vec::new();
        while done < count {
            out.retain(|(at, is_granted)| {
                if *at > now {
                    return true;
                }
                if *is_granted {
                    pace.granted(Lane::Recovery, HISTORY, Millis(now));
                    done += 1;
                } else {
                    pace.refused(Lane::Recovery, HISTORY, 0, Millis(now), now.wrapping_mul(0x9E37_79B9_7F4A_7C15));
                    refused += 1;
                    wanted += 1;
                }
                false
            });
            while wanted > 0
                && !pace.is_full(HISTORY, true, out.len())
                && !pace.is_held(Lane::Recovery, HISTORY, Millis(now))
            {
                pace.sent(Lane::Recovery, HISTORY, out.len(), Millis(now));
                out.push((now + round_trip, limit.grants(now)));
                wanted -= 1;
            }
            now += turn;
        }
        (now, refused)
    }

    #[test]
    fn five_hundred_histories_at_four_a_second_take_little_longer_than_they_must_with_few_refusals() {
        for round_trip in [1, 30, 200] {
            for mut limit in [Limit::bucket(4.0), Limit::window(4), Limit::sliding(4)] {
                let (took, refused) = recover(&mut limit, 500, round_trip);
                assert!(took < 1_200 * 500 / 4 && refused < 50, "{round_trip} ms: {took} ms, {refused} refused");
            }
        }
    }

    #[test]
    fn a_short_recovery_is_refused_seldom_too() {
        for round_trip in [1, 30] {
            for mut limit in [Limit::bucket(20.0), Limit::window(20), Limit::sliding(20)] {
                let (took, refused) = recover(&mut limit, 60, round_trip);
                assert!(refused < 6, "{round_trip} ms: {took} ms, {refused} refused");
            }
        }
    }

    /// The refused history is first in the queue until it waits on its own, and is requested once per second from then
    /// on.
    #[test]
    fn one_history_that_is_always_refused_holds_sixty_others_up_for_less_than_ten_seconds() {
        let (mut pace, mut now, mut done, mut before, mut due) = (LoginPace::default(), 0, 0, 0, 0);
        while done < 60 && now < 10_000 {
            while !pace.is_held(Lane::Recovery, HISTORY, Millis(now)) {
                pace.sent(Lane::Recovery, HISTORY, 0, Millis(now));
                if due > now {
                    pace.granted(Lane::Recovery, HISTORY, Millis(now));
                    done += 1;
                    continue;
                }
                pace.refused(Lane::Recovery, HISTORY, before, Millis(now), u64::MAX);
                before += 1;
                due = now + if before < THROTTLED_OFTEN { 0 } else { 1_000 };
            }
            now += 1;
        }
        assert!(done >= 60, "only {done}");
    }

    #[test]
    fn without_a_limit_a_recovery_takes_no_time_to_speak_of() {
        let (took, refused) = recover(&mut Limit::Unlimited, 500, 5);
        assert!(took < 2_000 && refused == 0, "{took} ms");
    }

    #[test]
    fn a_busy_thread_recovers_many_in_each_of_its_turns() {
        let (took, refused) = recover_in_turns(&mut Limit::Unlimited, 500, 5, 20);
        assert!(took < 2_000 && refused == 0, "{took} ms");
    }

    #[test]
    fn any_number_of_commands_may_be_out_until_several_are_refused_and_then_few_until_many_were_granted() {
        let mut pace = LoginPace::default();
        pace.granted(Lane::Command, RequestType::Other, Millis(0));
        assert_eq!(pace.commands_together(), usize::MAX);
        pace.refused(Lane::Recovery, HISTORY, 0, Millis(0), 0);
        assert_eq!(pace.commands_together(), usize::MAX);
        pace.refused(Lane::Command, RequestType::Other, 0, Millis(0), 0);
        assert_eq!(pace.commands_together(), usize::MAX);
        pace.refused(Lane::Command, RequestType::Other, 0, Millis(1), 0);
        assert_eq!(pace.commands_together(), 8);
        for _ in 0..32 {
            pace.granted(Lane::Command, RequestType::Other, Millis(2_000));
        }
        assert_eq!(pace.commands_together(), 9);
    }

    #[test]
    fn a_quarter_of_the_requests_that_may_be_out_may_be_out_without_being_urgent() {
        let pace = LoginPace::default();
        let room = |urgent| (0..).find(|out| pace.is_full(HISTORY, urgent, *out));
        assert_eq!((room(true), room(false)), (Some(8), Some(2)));
    }

    /// At most a tenth of the granted number is refused; the theoretical best is 25 s.
    #[test]
    fn bursts_after_pauses_do_not_make_the_pace_ever_faster() {
        for turn in [1, 5, 20] {
            for mut limit in [Limit::bucket(20.0), Limit::window(20), Limit::sliding(20)] {
                let (took, refused) = recover_in_turns(&mut limit, 500, 5, turn);
                assert!(took < 38_000 && refused < 50, "turns of {turn} ms: {took} ms, {refused} refused");
            }
        }
    }

    #[test]
    fn refusals_that_are_not_for_the_number_of_requests_cost_their_pauses_and_little_more() {
        let mut limit = Limit::Chance { every: 250, random: 1 };
        let (took, refused) = recover(&mut limit, 5_000, 10);
        assert!(took < 2_000 * refused as u64, "{took} ms, {refused} refused");
    }

    #[test]
    fn refused_histories_hold_neither_sends_nor_keep_alives() {
        let mut pace = LoginPace::default();
        pace.refused(Lane::Recovery, HISTORY, 0, Millis(0), 0);
        assert!(pace.is_held(Lane::Recovery, HISTORY, Millis(999)));
        assert!(!pace.is_held(Lane::Recovery, RequestType::RingAnswer, Millis(0)));
        assert!(!pace.is_held(Lane::Command, RequestType::Other, Millis(0)));
        assert!(!pace.is_held(Lane::KeepAlive, RequestType::Other, Millis(0)));
    }

    /// After a throttled login has passed its pause, histories go out as fast as before it.
    #[test]
    fn a_refusal_of_the_whole_login_does_not_slow_down_one_type() {
        for is_command_first in [true, false] {
            let mut pace = LoginPace::default();
            for _ in 0..500 {
                pace.sent(Lane::Recovery, HISTORY, 0, Millis(0));
                pace.granted(Lane::Recovery, HISTORY, Millis(0));
            }
            let command = |pace: &mut LoginPace| pace.refused(Lane::Command, RequestType::Other, 0, Millis(10), 0);
            if is_command_first {
                command(&mut pace);
            }
            pace.refused(Lane::Recovery, HISTORY, 0, Millis(11), 0);
            if !is_command_first {
                command(&mut pace);
            }
            assert!(pace.is_held(Lane::Recovery, HISTORY, Millis(12)));
            for _ in 0..100 {
                pace.sent(Lane::Recovery, HISTORY, 0, Millis(10_000));
            }
            assert!(!pace.is_held(Lane::Recovery, HISTORY, Millis(10_020)));
        }
    }

    #[test]
    fn a_refused_command_or_two_refused_types_pause_the_whole_login_but_the_keep_alives() {
        let mut of_a_command = LoginPace::default();
        of_a_command.refused(Lane::Command, RequestType::Other, 0, Millis(0), 0);
        let mut of_two_types = LoginPace::default();
        of_two_types.refused(Lane::Recovery, HISTORY, 0, Millis(0), 0);
        of_two_types.refused(Lane::Recovery, RequestType::RingAnswer, 0, Millis(1), 0);
        for pace in [of_a_command, of_two_types] {
            let is_held = |lane, request| pace.is_held(lane, request, Millis(900));
            assert!(is_held(Lane::Command, RequestType::Other) && is_held(Lane::Recovery, RequestType::Subscription));
            assert!(!is_held(Lane::KeepAlive, RequestType::Other));
            assert_eq!(pace.next(Lane::Command, RequestType::Other, Millis(5_000)), Millis(5_000));
        }
    }

    #[test]
    fn the_pause_of_a_login_grows_until_a_request_is_granted() {
        let (mut pace, other) = (LoginPace::default(), RequestType::Other);
        let mut pauses = Vec::new();
        let mut now = Millis(0);
        for _ in 0..4 {
            pace.refused(Lane::Command, other, 0, now, 0x7FFF_FFFF);
            let end = pace.next(Lane::Command, other, now);
            pauses.push(end.since(now));
            now = end;
        }
        assert!(pauses.iter().all(|pause| *pause >= Duration::from_secs(1)));
        pace.granted(Lane::Command, other, now);
        assert!(!pace.is_held(Lane::Command, other, now));
    }
}
