//! History search and agents' states, of the service `msgHist` (protocol [§10.6](crate::protocol#106)).

use actix_web::web::{self, Bytes, Data, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Agent;
use super::refused;
use crate::account::{Account, now};
use crate::platform::{AgentFilter, Found, Millis, Page, Platform, Refusal, Search, Sorting};

/// Conversations on one page, unless told otherwise, and at most.
const USUAL_LIMIT: usize = 50;
const HIGHEST_LIMIT: usize = 100;

pub(super) fn routes(config: &mut ServiceConfig) {
    let area = "/messaging_history/api/account/{account}";
    config
        .service(web::resource(format!("{area}/conversations/search")).post(by_criteria))
        .service(web::resource(format!("{area}/conversations/conversation/search")).post(by_id))
        .service(web::resource(format!("{area}/conversations/consumer/search")).post(by_consumer))
        .service(web::resource(format!("{area}/agent-view/status")).post(agent_status));
}

#[derive(Deserialize)]
struct Paging {
    offset: Option<usize>,
    limit: Option<usize>,
    sort: Option<String>,
}

/// Parses a search from a body.
type Reader = fn(&Value, &Platform, Millis) -> Result<Search, Refusal>;

async fn by_criteria(
    account: Data<Account>,
    _: Agent,
    request: HttpRequest,
    paging: Query<Paging>,
    body: Bytes,
) -> HttpResponse {
    answer(&account, &request, &paging, &body, Search::by_criteria)
}

async fn by_id(
    account: Data<Account>,
    _: Agent,
    request: HttpRequest,
    paging: Query<Paging>,
    body: Bytes,
) -> HttpResponse {
    answer(&account, &request, &paging, &body, Search::by_id)
}

async fn by_consumer(
    account: Data<Account>,
    _: Agent,
    request: HttpRequest,
    paging: Query<Paging>,
    body: Bytes,
) -> HttpResponse {
    answer(&account, &request, &paging, &body, Search::by_consumer)
}

fn object(body: &[u8]) -> Result<Value, Refusal> {
    let body: Value = serde_json::from_slice(body)?;
    if body.is_object() { Ok(body) } else { Err(Refusal::bad("The body is not an object")) }
}

fn answer(account: &Account, request: &HttpRequest, paging: &Paging, body: &[u8], read: Reader) -> HttpResponse {
    let limit = paging.limit.unwrap_or(USUAL_LIMIT).clamp(1, HIGHEST_LIMIT);
    let offset = paging.offset.unwrap_or(0);
    let found = || {
        let body = object(body)?;
        let page = Page { offset, limit, sorting: Sorting::read(paging.sort.as_deref())? };
        let hub = account.hub();
        let search = read(&body, &hub.platform, now())?;
        Ok::<Found, Refusal>(hub.platform.search_history(&search, page, now()))
    };
    match found() {
        Ok(Found { count, records }) => {
            let mut metadata = metadata(account, request, count, offset, limit);
            if offset + records.len() < count {
                metadata["next"] = link(account, request, "next", offset + limit, limit);
            }
            HttpResponse::Ok().json(json!({ "_metadata": metadata, "conversationHistoryRecords": records }))
        }
        Err(refusal) => refused(&refusal),
    }
}

fn metadata(account: &Account, request: &HttpRequest, count: usize, offset: usize, limit: usize) -> Value {
    json!({ "count": count, "self": link(account, request, "self", offset, limit),
        "shardsStatusResult": { "partialResult": false } })
}

fn link(account: &Account, request: &HttpRequest, relation: &str, offset: usize, limit: usize) -> Value {
    let base = account.base(request.connection_info().host());
    json!({ "rel": relation, "href": format!("https://{base}{}?limit={limit}&offset={offset}", request.path()) })
}

async fn agent_status(
    account: Data<Account>,
    _: Agent,
    request: HttpRequest,
    paging: Query<Paging>,
    body: Bytes,
) -> HttpResponse {
    let body = match object(&body) {
        Ok(body) => body,
        Err(refusal) => return refused(&refusal),
    };
    let records = {
        let hub = account.hub();
        let logged_in = |agent| hub.agents.has_session(agent);
        hub.platform.agent_status(&AgentFilter::read(&body), logged_in, now())
    };
    let (offset, limit) = (paging.offset.unwrap_or(0), paging.limit.unwrap_or(USUAL_LIMIT).clamp(1, HIGHEST_LIMIT));
    let metadata = metadata(&account, &request, records.len(), offset, limit);
    let page: Vec<&Value> = records.iter().skip(offset).take(limit).collect();
    HttpResponse::Ok().json(json!({ "_metadata": metadata, "accountID": account.config.account,
        "agentStatusRecords": page }))
}
