//! User profiles: an agent's own id, a consumer's particulars (protocol [§5.9](crate::protocol#59)).

use serde_json::{Value, json};

use super::Platform;
use super::answer::{Answer, Refusal};
use super::names::{ConsumerId, Party};
use super::sessions::Caller;
use crate::dialect::{Request, text_of};

impl Platform {
    /// `{}`, a bare id, or `{"userId"}`; always an object with `userId` (protocol [§5.9](crate::protocol#59)).
    pub(super) fn get_user_profile(&mut self, caller: &Caller, request: &Request) -> Result<Answer, Refusal> {
        let body = request.tree();
        let asked = text_of(&body).or_else(|| text_of(&body["userId"])).filter(|id| !id.is_empty());
        let party = match asked {
            None => caller.party.clone(),
            Some(id) => match self.directory.agent_by_id(&id) {
                Some(agent) => Party::Agent(agent),
                None => Party::Consumer(ConsumerId::new(id)),
            },
        };
        let profile = match &party {
            Party::Agent(index) => {
                let agent = self.directory.agent(*index).ok_or_else(|| Refusal::new(404, "User not found"))?;
                json!({"userId": agent.old_id, "nickName": agent.login, "role": "AGENT"})
            }
            Party::Consumer(id) => {
                if caller.party.is_consumer() && caller.party != party {
                    return Err(Refusal::new(403, "Not permitted"));
                }
                let known = self.directory.consumer(id.as_str()).and_then(|consumer| consumer.profile.clone());
                let mut profile = known.unwrap_or_else(|| json!({}));
                profile["userId"] = Value::from(id.as_str());
                profile
            }
        };
        Ok(Answer::body(&profile))
    }

    pub(super) fn set_user_profile(&mut self, caller: &Caller, request: &Request) -> Result<Answer, Refusal> {
        let body = request.tree();
        let Party::Consumer(id) = &caller.party else {
            return Err(Refusal::new(403, "Only a consumer has a profile"));
        };
        if !body.is_object() {
            return Err(Refusal::bad("Malformed profile"));
        }
        self.give_profile(id, body);
        Ok(Answer::text("OK User Profile set successfully"))
    }

    /// Sets a consumer's profile, which agents receive from now on.
    pub(crate) fn give_profile(&mut self, consumer: &ConsumerId, profile: Value) {
        self.directory.consumer_mut(consumer).profile = Some(profile);
    }
}
