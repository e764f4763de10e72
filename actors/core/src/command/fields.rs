//! Single values of a conversation: response time, deadline, satisfaction ([CV-F10](crate::rules#cv-f10),
//! [CV-F11](crate::rules#cv-f11), [CV-F13](crate::rules#cv-f13)).

use super::{Identity, Plan, Refusal, Repeat, planning::Planner};
use crate::{
    time::Timestamp,
    ums::{CsatStatus, FieldChange, TtrType},
};

/// The highest satisfaction ([CV-F10](crate::rules#cv-f10)).
const CSAT_MAX: u8 = 5;

impl Planner<'_> {
    pub(super) fn set_ttr(&self, ttr_type: &TtrType, value: u64) -> Plan {
        let change = FieldChange::Ttr { ttr_type: ttr_type.clone(), value };
        self.update(vec![change], Repeat::ReadStateThenAct)
    }

    pub(super) fn set_manual_ettr(&self, time: Timestamp) -> Result<Plan, Refusal> {
        self.agent("only an agent can set the deadline")?;
        Ok(self.update(vec![FieldChange::ManualETTR { time }], Repeat::ReadStateThenAct))
    }

    /// A later request replaces an earlier one, so it may be repeated.
    pub(super) fn set_csat(&self, rate: u8, resolved: Option<bool>, status: &CsatStatus) -> Result<Plan, Refusal> {
        if let Identity::Brand { .. } = self.me {
            return Err(Refusal::NotSupported("only a consumer can give a satisfaction".into()));
        }
        if rate > CSAT_MAX {
            return Err(Refusal::BadCsat(rate));
        }
        let change = FieldChange::CSATRate {
            csat_rate: rate.to_string(),
            csat_resolution_confirmation: resolved,
            status: status.clone(),
        };
        Ok(self.update(vec![change], Repeat::Safe))
    }
}
