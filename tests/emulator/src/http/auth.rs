//! Authenticates REST requests: an agent sends a bearer, or signs the request with its API keys.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::error::InternalError;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::Data;
use actix_web::{Error, FromRequest, HttpRequest};

use crate::account::{Account, now};
use crate::identity::{OAuthHeader, SignatureError, SignedRequest};
use crate::platform::{AgentIndex, Refusal};

/// Extracted if an agent sends the request; every other request gets 401.
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

/// Returns the agent whose bearer or signature the request carries. The path names this account, or no account.
pub(super) fn agent(account: &Account, request: &HttpRequest) -> Result<AgentIndex, Refusal> {
    let unauthorized = |text: &str| Refusal::new(401, text);
    if request.match_info().get("account").is_some_and(|asked| asked != account.config.account) {
        return Err(unauthorized("Invalid site"));
    }
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    match header.and_then(|header| header.split_once(' ')) {
        Some((scheme, bearer)) if scheme.eq_ignore_ascii_case("Bearer") => {
            account.hub().agents.of_bearer(bearer).ok_or_else(|| unauthorized("Invalid bearer"))
        }
        Some((scheme, parameters)) if scheme.eq_ignore_ascii_case("OAuth") => {
            signer(account, request, parameters).map_err(|error| unauthorized(&error.to_string()))
        }
        _ => Err(unauthorized("Authorization is missing")),
    }
}

/// Returns the agent whose keys signed the request. A signature needs no session, so it is valid after a logout too.
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
