//! How many requests may be out at the same time after refusals.

/// Requests that may be out together while it is not known how many the platform grants. All of them may be refused
/// where the first one is; fewer would let some that are never answered hold up the others.
pub(super) const AFTER_A_REFUSAL: f64 = 8.0;
/// By how much the number grows with each grant. When the platform begins to refuse, it refuses all commands that are
/// out, and each of them must be looked up in the history. With an eighth, 35 commands were refused at a time.
const WIDEN: f64 = 1.0 / 32.0;

/// How many commands may be out together: any number until the platform refuses several at a time, and few after that.
/// While grants follow, the number grows by a thirty-second in each round trip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window(f64);

impl Default for Window {
    fn default() -> Self {
        Self(f64::INFINITY)
    }
}

impl Window {
    pub(super) fn refused(&mut self) {
        self.0 = AFTER_A_REFUSAL;
    }

    pub(super) fn granted(&mut self) {
        self.0 += WIDEN;
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and saturating")]
    pub(super) fn most(self) -> usize {
        self.0 as usize
    }
}
