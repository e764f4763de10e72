//! `UpdateConversationField`: all changes of one request take effect together, or none does (protocol
//! [§5.7](crate::protocol#57)).

use serde::Deserialize;
use serde_json::Value;

use super::Platform;
use super::answer::{Answer, Refusal};
use super::closing::Ending;
use super::conversation::{Conversation, Dialog, Participant};
use super::field_parse::{Change, Step, changes};
use super::names::{AgentIndex, ConversationId, DialogId, DialogType, Millis, Party, Role, State};
use super::sessions::Caller;
use crate::config::StateCloseSurvey;
use crate::dialect::{Request, one_or_many, text_of};
use crate::ledger::ChangeRequest;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FieldBody {
    conversation_id: String,
    #[serde(default)]
    conversation_field: Value,
}

/// The members of each dialog as they will be.
type Plan = Vec<(DialogId, Vec<Participant>)>;

fn field_names(changes: &Value) -> Vec<String> {
    one_or_many(changes.clone()).iter().filter_map(|change| text_of(&change["field"])).collect()
}

impl Platform {
    pub(super) fn update_conversation_field(
        &mut self,
        caller: &Caller,
        request: &Request,
        now: Millis,
    ) -> Result<Answer, Refusal> {
        let body: FieldBody = request.body()?;
        let (conversation, fields) = (body.conversation_id.clone(), field_names(&body.conversation_field));
        let answer = self.change_fields(caller, body, now);
        let by = self.user_name(&caller.party);
        self.changes.push(ChangeRequest { conversation, by, fields, accepted: answer.is_ok(), time: now });
        answer
    }

    fn change_fields(&mut self, caller: &Caller, body: FieldBody, now: Millis) -> Result<Answer, Refusal> {
        let changes = changes(body.conversation_field, &caller.party, &self.directory, self.settings.limits)?;
        let conversation = self.conversation(&body.conversation_id)?;
        self.check(caller, conversation, &changes)?;
        let plan = plan(conversation, &changes)?;
        let id = conversation.id.clone();
        let answer = answer_text(&changes);
        if !changes.is_empty() {
            let at = self.conversation_mut(id.as_str())?.touch(now);
            self.commit_participants(&id, plan, at);
            for change in changes {
                self.apply(&id, &caller.party, change, at);
            }
            self.changed(&id, now);
            self.reroute(&id, now);
        }
        Ok(Answer::text(answer))
    }

    /// Whether the caller may make these changes to the conversation as it is.
    fn check(&self, caller: &Caller, conversation: &Conversation, changes: &[Change]) -> Result<(), Refusal> {
        let takes_part = match &caller.party {
            Party::Consumer(id) => conversation.consumer().is_some_and(|owner| self.directory.acts_for(id, owner)),
            Party::Agent(_) => conversation.has(&caller.party),
        };
        if caller.party.is_consumer() && !takes_part {
            return Err(Refusal::bad("Consumer does not exist in conversation"));
        }
        for change in changes {
            let after_close = matches!(change, Change::Note(_) | Change::Csat(_) | Change::Topic(_));
            if conversation.stage == State::Close && !after_close {
                return Err(Refusal::bad("Conversation is closed"));
            }
            match change {
                Change::Skill(_) if !takes_part => return Err(Refusal::bad("Agent does not exist in conversation")),
                Change::CloseDialog { dialog, .. } => {
                    let dialog = conversation.dialog(dialog).ok_or_else(|| Refusal::new(404, "Dialog not found"))?;
                    if !dialog.is_open() {
                        return Err(Refusal::bad("Dialog is closed"));
                    }
                }
                Change::TouchDialog { dialog, .. } => {
                    conversation.dialog(dialog).ok_or_else(|| Refusal::new(404, "Dialog not found"))?;
                }
                Change::Note(_) | Change::ManualEttr(_) if caller.party.is_consumer() => {
                    return Err(Refusal::new(403, "Not permitted"));
                }
                Change::Csat(_) if !caller.party.is_consumer() => return Err(Refusal::new(403, "Not permitted")),
                _ => {}
            }
        }
        Ok(())
    }

    fn commit_participants(&mut self, id: &ConversationId, plan: Plan, at: Millis) {
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        let assignee = conversation.assigned_agent();
        let mut agents: Vec<AgentIndex> = conversation.agents().collect();
        let consumer = conversation.consumer().cloned();
        for (dialog, participants) in plan {
            if let Some(dialog) = conversation.dialog_mut(dialog.as_str())
                && dialog.participants != participants
            {
                dialog.participants = participants;
                dialog.updated = at;
            }
        }
        let open = conversation.main().is_some_and(Dialog::is_open);
        let new_assignee = conversation.assigned_agent();
        let new_consumer = conversation.consumer().cloned();
        agents.extend(conversation.agents());
        let present: Vec<AgentIndex> = conversation.agents().collect();
        for index in agents {
            let Some(agent) = self.directory.agent_mut(index) else { continue };
            if present.contains(&index) {
                agent.conversations.insert(id.clone());
            } else {
                agent.conversations.remove(id);
            }
        }
        if open && assignee != new_assignee {
            if let Some(agent) = assignee.and_then(|agent| self.directory.agent_mut(agent)) {
                agent.assigned = agent.assigned.saturating_sub(1);
            }
            if let Some(agent) = new_assignee.and_then(|agent| self.directory.agent_mut(agent)) {
                agent.assigned += 1;
            }
        }
        if let (Some(old), Some(new)) = (consumer, new_consumer)
            && old != new
        {
            self.directory.consumer_mut(&old).conversations.remove(id);
            self.directory.consumer_mut(&new).conversations.insert(id.clone());
        }
    }

    /// An agent takes no part any more.
    pub(super) fn forget_participation(&mut self, id: &ConversationId, agent: AgentIndex) {
        let stays = self.conversations.get(id).is_some_and(|known| known.agents().any(|one| one == agent));
        if let Some(known) = self.directory.agent_mut(agent).filter(|_| !stays) {
            known.conversations.remove(id);
        }
    }

    fn apply(&mut self, id: &ConversationId, caller: &Party, change: Change, at: Millis) {
        let by = if caller.is_consumer() { "CONSUMER" } else { "AGENT" };
        let survey = self.settings.survey;
        let defaults = self.settings.ttr;
        match change {
            Change::CloseStage => return self.close_all(id, by, at),
            Change::CloseState => {
                let wanted = match self.settings.switches.state_close_survey {
                    StateCloseSurvey::Always => survey,
                    StateCloseSurvey::ByConsumer => survey && caller.is_consumer(),
                    StateCloseSurvey::Never => false,
                };
                if !wanted {
                    return self.close_all(id, by, at);
                }
                let ending = Ending { by: by.to_owned(), cause: None, survey: true };
                return self.close_dialog(id, &id.main_dialog(), &ending, at);
            }
            Change::CloseDialog { dialog, meta_data, by: given, cause } => {
                if let (Some(meta_data), Some(conversation)) = (meta_data, self.conversations.get_mut(id))
                    && let Some(dialog) = conversation.dialog_mut(&dialog)
                {
                    dialog.meta_data = meta_data;
                }
                let ending = Ending { by: given.unwrap_or_else(|| by.to_owned()), cause, survey };
                return self.close_dialog(id, &DialogId::new(dialog), &ending, at);
            }
            Change::CreateDialog { dialog } => return self.create_dialog(id, &dialog, at),
            Change::Skill(skill) => {
                self.withdraw_offer(id);
                if let Some(conversation) = self.conversations.get_mut(id) {
                    conversation.skill = skill;
                }
                return;
            }
            _ => {}
        }
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        match change {
            Change::Ttr { kind, value } => conversation.ttr.change(&kind, value, defaults),
            Change::ManualEttr(time) => conversation.ttr.manual = Some(time),
            Change::Delay(delay) => conversation.ttr.delay = Some(delay),
            Change::Note(note) => conversation.note = note,
            Change::Csat(csat) => conversation.csat = Some(csat),
            Change::Topic(topic) => conversation.topic = Some(topic),
            Change::Handler { account, skill } => conversation.handler = Some((account, skill)),
            Change::TouchDialog { dialog, meta_data } => {
                if let Some(dialog) = conversation.dialog_mut(&dialog) {
                    dialog.updated = at;
                    if let Some(meta_data) = meta_data {
                        dialog.meta_data = meta_data;
                    }
                }
            }
            _ => {}
        }
    }

    /// A side dialog of a caller's making, such as co-browsing: it carries no messages.
    fn create_dialog(&mut self, id: &ConversationId, body: &Value, at: Millis) {
        let dialog_id = DialogId::new(text_of(&body["dialogId"]).unwrap_or_else(|| self.uuid()));
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        let participants = conversation.main().map_or_else(Vec::new, |main| main.participants.clone());
        conversation.dialogs.push(Dialog {
            id: dialog_id.clone(),
            dialog_type: DialogType::parse(body["dialogType"].as_str().unwrap_or("OTHER")),
            channel: body["channelType"].as_str().unwrap_or("COBROWSE").to_owned(),
            state: State::Open,
            participants,
            created: at,
            updated: at,
            ended: None,
            closed_by: None,
            closed_cause: None,
            meta_data: body.get("metaData").cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new())),
            records: Vec::new(),
            read_marks: Vec::new(),
        });
        self.side_dialogs.insert(dialog_id, id.clone());
    }

    /// After a change: somebody took the conversation, or it needs an agent again.
    fn reroute(&mut self, id: &ConversationId, now: Millis) {
        let Some(conversation) = self.conversations.get(id) else { return };
        let ring = conversation.routing.as_ref().and_then(|task| task.ring.as_ref()).map(|ring| ring.agent);
        let suggested = conversation.suggested_agent();
        if (conversation.assigned_agent().is_some() && suggested.is_none())
            || (suggested.is_some() && ring != suggested)
        {
            self.withdraw_offer(id);
        }
        self.offer(id, now);
        self.offer_waiting(now);
    }
}

/// The text of success; some clients compare it exactly (protocol [§5.7](crate::protocol#57)).
fn answer_text(changes: &[Change]) -> &'static str {
    let any = |wanted: fn(&Change) -> bool| changes.iter().any(wanted);
    if any(|change| matches!(change, Change::Participant { step: Step::Remove, role, .. } if *role != Role::Consumer)) {
        return "OK Agent removed successfully";
    }
    if any(|change| matches!(change, Change::Skill(_))) {
        return "Skill changed successfully";
    }
    match changes.first() {
        Some(Change::CloseState | Change::CloseStage | Change::CloseDialog { .. }) => {
            "OK Conversation resolved successfully"
        }
        Some(Change::Note(_)) => "OK Update note success",
        Some(Change::Ttr { .. }) => "Update TTR ended successfully",
        Some(Change::ManualEttr(_)) => "Update manual Ettr ended successfully",
        Some(Change::Csat(_)) => "OK CSAT processed successfully",
        Some(Change::Participant { step: Step::Suggest, .. }) => "OK Agent suggested successfully",
        Some(Change::Participant { role: Role::Consumer, .. }) => "OK Consumer changed successfully",
        Some(Change::Participant { .. }) => "OK Agent added successfully",
        _ => "OK Conversation updated successfully",
    }
}

/// Who will take part in each dialog; the order inside the request does not matter.
fn plan(conversation: &Conversation, changes: &[Change]) -> Result<Plan, Refusal> {
    let mut plan: Plan =
        conversation.dialogs.iter().map(|dialog| (dialog.id.clone(), dialog.participants.clone())).collect();
    let open: Vec<&Dialog> = conversation.dialogs.iter().filter(|dialog| dialog.is_open()).collect();
    let main = open.iter().find(|dialog| dialog.dialog_type == DialogType::Main).or(open.first());
    for removing in [true, false] {
        for change in changes {
            let Change::Participant { step, party, role, dialog } = change else { continue };
            if (*step == Step::Remove) != removing {
                continue;
            }
            let targets: Vec<&DialogId> = match dialog {
                Some(id) => {
                    let dialog = conversation.dialog(id).ok_or_else(|| Refusal::new(404, "Dialog not found"))?;
                    vec![&dialog.id]
                }
                None if *role == Role::Consumer => open.iter().map(|dialog| &dialog.id).collect(),
                None => main.iter().map(|dialog| &dialog.id).collect(),
            };
            if targets.is_empty() {
                return Err(Refusal::bad("No dialog is open"));
            }
            for (id, members) in &mut plan {
                if targets.contains(&&*id) {
                    step_one(members, *step, party, role)?;
                }
            }
        }
    }
    Ok(plan)
}

fn step_one(members: &mut Vec<Participant>, step: Step, party: &Party, role: &Role) -> Result<(), Refusal> {
    let place = members.iter().position(|member| member.party == *party);
    let missing = || Refusal::bad("Agent does not exist in conversation");
    let taken = members.iter().any(|m| m.role == Role::AssignedAgent && !m.suggested && m.party != *party);
    let member = |suggested| Participant { party: party.clone(), role: role.clone(), suggested };
    match step {
        Step::Remove => {
            let place = members.iter().position(|member| member.party == *party && member.role == *role);
            members.remove(place.ok_or_else(missing)?);
        }
        Step::Update => {
            let place = place.ok_or_else(missing)?;
            members[place] = member(false);
        }
        Step::Add | Step::Suggest if place.is_some_and(|place| !members[place].suggested) => {
            return Err(Refusal::bad("Agent already exists in conversation"));
        }
        Step::Add => {
            if *role == Role::AssignedAgent && taken {
                return Err(Refusal::bad("Conversation already has an assigned agent"));
            }
            members.retain(|member| !(member.suggested && (member.party == *party || *role == Role::AssignedAgent)));
            members.push(member(false));
        }
        Step::Suggest => {
            members.retain(|member| !member.suggested);
            members.push(member(true));
        }
    }
    Ok(())
}
