//! What the account is configured to have, read-only: skills, users, agent groups, connectors, installed applications
//! (protocol [§10.1](crate::protocol#101), [§10.6](crate::protocol#106)).

use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::auth::{Agent, agent};
use super::refused;
use crate::account::{Account, lock};
use crate::dialect::text_of;
use crate::identity::KnownAgent;
use crate::platform::{MAIN_GROUP, MAIN_GROUP_NAME, Refusal, skill_name};

pub(super) fn routes(config: &mut ServiceConfig) {
    let area = "/api/account/{account}/configuration";
    let users = format!("{area}/le-users");
    let applications = format!("{area}/app-install/installations");
    config
        .service(web::resource(format!("{users}/skills")).get(skills))
        .service(web::resource(format!("{users}/skills/{{id}}")).get(one_skill))
        .service(web::resource(format!("{users}/users")).get(all_users))
        .service(web::resource(format!("{users}/users/{{id}}")).get(one_user))
        .service(web::resource(format!("{users}/agentGroups")).get(agent_groups))
        .service(web::resource(format!("{users}/agentGroups/{{id}}")).get(one_agent_group))
        .service(web::resource(format!("{area}/le-connectors/all-connectors")).get(connectors))
        .service(web::resource(format!("{applications}{{slash:/?}}")).get(applications_installed))
        .service(web::resource(format!("{applications}/{{id}}")).get(one_application));
}

/// A list of the account's configuration. The list never changes, so its revision is constant.
fn listed(items: &[Value]) -> HttpResponse {
    HttpResponse::Ok().insert_header(("ac-revision", "1")).insert_header(("ETag", "\"1\"")).json(items)
}

/// The item of a list with this id.
fn one_of(items: Vec<Value>, id: &str, missing: &str) -> HttpResponse {
    match items.into_iter().find(|item| text_of(&item["id"]).as_deref() == Some(id)) {
        Some(item) => HttpResponse::Ok().insert_header(("ac-revision", "1")).json(item),
        None => refused(&Refusal::new(404, missing)),
    }
}

fn skill_items(account: &Account) -> Vec<Value> {
    let skill = |id: &String| {
        json!({"id": number(id), "name": skill_name(id), "description": "", "deleted": false, "skillOrder": 0,
            "maxWaitTime": 0, "canTransfer": true, "skillTransferList": [], "lobIds": []})
    };
    account.config.skills.iter().map(skill).collect()
}

fn number(id: &str) -> i64 {
    id.parse().unwrap_or(0)
}

async fn skills(account: Data<Account>, _: Agent) -> HttpResponse {
    listed(&skill_items(&account))
}

async fn one_skill(account: Data<Account>, _: Agent, path: Path<(String, String)>) -> HttpResponse {
    one_of(skill_items(&account), &path.1, "Skill not found")
}

/// The agents of the account. Each serves the skills that the configuration names, or every skill.
fn user_items(account: &Account) -> Vec<Value> {
    let hub = account.hub();
    hub.agents.agents().iter().enumerate().map(|(place, agent)| user(account, place, agent)).collect()
}

fn user(account: &Account, place: usize, agent: &KnownAgent) -> Value {
    let named = account.config.agent_skills.iter().find(|(login, _)| *login == agent.login);
    let skills = named.map_or(&account.config.skills, |(_, skills)| skills);
    let is_admin = place < account.config.admins;
    json!({
        "id": agent.user_id, "pid": agent.pid, "deleted": false, "loginName": agent.login, "fullName": agent.login,
        "nickname": agent.login, "email": format!("{}@example.com", agent.login), "isEnabled": true,
        "disabledManually": false, "maxChats": 0, "maxAsyncChats": account.config.agent_capacity,
        "skillIds": skills.iter().map(|id| number(id)).collect::<Vec<_>>(),
        "memberOf": {"agentGroupId": MAIN_GROUP.to_string()},
        "managerOf": if is_admin { json!([{"agentGroupId": MAIN_GROUP.to_string()}]) } else { json!([]) },
        "profileIds": [i32::from(!is_admin)], "profiles": [if is_admin { "Administrator" } else { "Agent" }],
        "lobIds": [], "isApiUser": true, "userTypeId": 2, "employeeId": agent.user_id,
    })
}

async fn all_users(account: Data<Account>, _: Agent) -> HttpResponse {
    listed(&user_items(&account))
}

/// A user by its id, for agents; an agent's public profile by its public id, for everybody. The platform serves the two at
/// different hosts.
async fn one_user(account: Data<Account>, request: HttpRequest, path: Path<(String, String)>) -> HttpResponse {
    let (_, id) = path.into_inner();
    if let Some(public) = account.hub().agents.agents().iter().find(|agent| agent.pid == id) {
        return HttpResponse::Ok().json(json!({
            "pictureUrl": null,
            "employeeId": public.user_id,
            "nickname": public.login,
            "fullName": public.login,
        }));
    }
    // Ids of users are numbers. Other ids belong to the public service, which needs no bearer.
    if !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return refused(&Refusal::new(404, "User not found"));
    }
    match agent(&account, &request) {
        Ok(_) => one_of(user_items(&account), &id, "User not found"),
        Err(refusal) => refused(&refusal),
    }
}

/// The one agent group that every agent is a member of, as a login tells it.
fn agent_group_items() -> Vec<Value> {
    vec![json!({"id": MAIN_GROUP, "deleted": false, "name": MAIN_GROUP_NAME, "description": "", "parentGroupId": null,
        "isEnabled": true})]
}

async fn agent_groups(_: Agent) -> HttpResponse {
    listed(&agent_group_items())
}

async fn one_agent_group(_: Agent, path: Path<(String, String)>) -> HttpResponse {
    one_of(agent_group_items(), &path.1, "Agent group not found")
}

async fn connectors() -> HttpResponse {
    HttpResponse::Ok().json(json!([
        {"id": 100, "type": 1, "name": "Anonymous messaging", "deleted": false},
        {"id": 101, "type": 2, "name": "Authenticated messaging", "deleted": false},
    ]))
}

async fn applications_installed(account: Data<Account>, _: Agent) -> HttpResponse {
    listed(&lock(&account.apps).documents())
}

async fn one_application(account: Data<Account>, _: Agent, path: Path<(String, String)>) -> HttpResponse {
    one_of(lock(&account.apps).documents(), &path.1, "Application not found")
}
