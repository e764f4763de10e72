//! The conversations that wait for an agent, as the Messaging Operations API counts them.

use serde_json::{Map, Value, json};

use super::Platform;
use super::conversation::Conversation;
use super::names::Millis;

/// The value of a figure without data.
const NO_DATA: i64 = -1;

impl Platform {
    /// Figures of each skill, and of all of these skills together.
    pub(crate) fn queue_health(&self, skills: &Vec<String>, now: Millis) -> Value {
        let mut waiting: Vec<(&Conversation, Waiting)> = Vec::new();
        for conversation in self.conversations.values() {
            if let Some(one) = Waiting::of(conversation, now) {
                waiting.push((conversation, one));
            }
        }
        let mut by_skill = Map::new();
        let mut total = Vec::new();
        for skill in skills {
            let of_skill = waiting.iter().filter(|(conversation, _)| conversation.skill.as_str() == skill);
            let of_skill: Vec<Waiting> = of_skill.map(|(_, one)| *one).collect();
            let mut metrics = metrics(&of_skill);
            metrics["time"] = now.into();
            by_skill.insert(skill.clone(), metrics);
            total.extend(of_skill);
        }
        json!({ "skillsMetrics": by_skill, "metricsTotals": metrics(&total) })
    }
}

/// One open conversation without an agent.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    /// The consumer waits for an answer.
    actionable: bool,
    after_transfer: bool,
    manual_deadline: bool,
    consumer_spoke_last: bool,
    first: bool,
    /// Milliseconds in the queue.
    wait: i64,
}

impl Waiting {
    fn of(conversation: &Conversation, now: Millis) -> Option<Self> {
        let main = conversation.main()?;
        if !main.is_open() || conversation.assigned_agent().is_some() {
            return None;
        }
        let queued = conversation.routing.as_ref().map_or(conversation.started, |task| task.since);
        let spoke_last = conversation.last_content.as_ref().is_some_and(|last| last.originator.is_consumer());
        Some(Self {
            actionable: conversation.effective_ttr() != -1,
            after_transfer: conversation.had_agent(),
            manual_deadline: conversation.ttr.manual.is_some(),
            consumer_spoke_last: spoke_last,
            first: conversation.first,
            wait: now.saturating_sub(queued) as i64,
        })
    }
}

fn metrics(waiting: &[Waiting]) -> Value {
    let count = |fits: &dyn Fn(&Waiting) -> bool| waiting.iter().filter(|one| fits(one)).count();
    let average = |after_transfer: bool| {
        let waits: Vec<i64> =
            waiting.iter().filter(|one| one.after_transfer == after_transfer).map(|one| one.wait).collect();
        let sum: i64 = waits.iter().sum();
        sum.checked_div(waits.len() as i64).unwrap_or(NO_DATA)
    };
    let mut waits: Vec<i64> = waiting.iter().map(|one| one.wait).collect();
    waits.sort_unstable();
    // The nearest rank.
    let percentile = |percent: usize| {
        let rank = (waits.len() * percent).div_ceil(100);
        rank.checked_sub(1).and_then(|place| waits.get(place)).copied().unwrap_or(NO_DATA)
    };
    json!({
        "unassignedConversations": waiting.len(),
        "actionableConversations": count(&|one| one.actionable),
        "notActionableConversations": count(&|one| !one.actionable),
        "actionableAndManualSla": count(&|one| one.actionable && one.manual_deadline),
        "actionableAndDuringTransfer": count(&|one| one.actionable && one.after_transfer),
        "actionableAndConsumerLastMessage": count(&|one| one.actionable && one.consumer_spoke_last),
        "notActionableDuringTransfer": count(&|one| !one.actionable && one.after_transfer),
        "notActionableAndManualSla": count(&|one| !one.actionable && one.manual_deadline),
        "unassignedConversationsAndFirstTimeConsumer": count(&|one| one.first),
        "avgWaitTimeForAgentAssignment_NewConversation": average(false),
        "avgWaitTimeForAgentAssignment_AfterTransfer": average(true),
        "maxWaitTimeForAgentAssignment": waits.last().copied().unwrap_or(NO_DATA),
        "waitTimeForAgentAssignment_50thPercentile": percentile(50),
        "waitTimeForAgentAssignment_90thPercentile": percentile(90),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_measured_and_no_wait_is_told_as_minus_one() {
        let one = Waiting {
            actionable: true,
            after_transfer: false,
            manual_deadline: false,
            consumer_spoke_last: true,
            first: true,
            wait: 0,
        };
        let waiting: Vec<Waiting> = (1..=10).map(|tenth| Waiting { wait: tenth * 10, ..one }).collect();
        let told = metrics(&waiting);
        assert_eq!(told["unassignedConversations"], 10);
        assert_eq!(told["waitTimeForAgentAssignment_50thPercentile"], 50);
        assert_eq!(told["waitTimeForAgentAssignment_90thPercentile"], 90);
        assert_eq!(told["maxWaitTimeForAgentAssignment"], 100);
        assert_eq!(told["avgWaitTimeForAgentAssignment_NewConversation"], 55);
        assert_eq!(told["avgWaitTimeForAgentAssignment_AfterTransfer"], NO_DATA);
        assert_eq!(metrics(&[])["waitTimeForAgentAssignment_50thPercentile"], NO_DATA);
    }
}
