//! Who asks by REST: an agent by a bearer, or by a signature with the agent's API keys.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::error::InternalError;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::Data;
use actix_web::{Error, FromRequest, HttpRequest};

use crate::account::{Account, now};
use crate::identity::{OAuthHeader, SignatureError, SignedRequest};
use crate::platform::{AgentIndex, Refusal};

/// An agent asks. A request of anybody else is answered with 401.
#[derive(Debug, Clone, Copy)]
pub(super) struct Agent;

impl FromRequest for Agent {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let agent = match request.app_data::<Data<Account>>() {
            Some(account) => agent(account, request),
            None => Err(Refusal::new(500, "No account")),
        };
        ready(agent.map(|_| Self).map_err(|refusal| {
            let response = super::refused(&refusal);
            InternalError::from_response(refusal.text, response).into()
        }))
    }
}

/// The agent whose bearer or signature a request carries, if its path names this account or none.
pub(super) fn agent(account: &Account, request: &HttpRequest) -> Result<AgentIndex, Refusal> {
    let unauthorized = |text: &str| Refusal::new(401, text);
    if request.match_info().get("account").is_some_and(|asked| asked != account.config.account) {
        return Err(unauthorized("Invalid site"));
    }
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    match header.and_then(|header| header.split_once(' ')) {
        Some(("Bearer", bearer)) => {
            account.hub().agents.of_bearer(bearer).ok_or_else(|| unauthorized("Invalid bearer"))
        }
        Some((scheme, parameters)) if scheme.eq_ignore_ascii_case("OAuth") => {
            signer(account, request, parameters).map_err(|error| unauthorized(&error.to_string()))
        }
        _ => Err(unauthorized("Authorization is missing")),
    }
}

/// The agent whose keys signed a request. A signature needs no session and ends with none.
fn signer(account: &Account, request: &HttpRequest, parameters: &str) -> Result<AgentIndex, SignatureError> {
    let header = OAuthHeader::read(parameters)?;
    let keys = account.hub().agents.of_keys(header.consumer_key(), header.token());
    let (agent, secrets) = keys.ok_or(SignatureError::UnknownKey)?;
    let host = request.connection_info().host().to_ascii_lowercase();
    let url = format!("https://{}{}", host.trim_end_matches(":443"), request.path());
    let signed = SignedRequest { method: request.method().as_str(), url: &url, query: request.query_string() };
    header.verify(signed, &secrets, now() / 1_000)?;
    Ok(agent)
}
