//! The right to do a duty.

use super::{duty_name::DutyName, fencing_token::FencingToken};

/// The right to do a duty, as its holder shows it with everything that it writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acting {
    /// The duty.
    pub duty: DutyName,
    /// The number of its assignment to the holder.
    pub token: FencingToken,
}
