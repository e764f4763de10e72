//! The response to a request, as it is stored and repeated.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The response to a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::gateway) struct Reply {
    pub(super) status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    pub(super) body: Option<Value>,
    /// A member of the body that only the first response has, because it is a secret.
    #[serde(skip)]
    shown_once: Option<&'static str>,
}

impl Reply {
    pub(super) fn new(status: StatusCode, body: Option<Value>) -> Self {
        Self { status: status.as_u16(), location: None, body, shown_once: None }
    }

    pub(in crate::gateway) fn ok(body: impl Into<Value>) -> Self {
        Self::new(StatusCode::OK, Some(body.into()))
    }

    pub(in crate::gateway) fn accepted() -> Self {
        Self::new(StatusCode::ACCEPTED, None)
    }

    pub(in crate::gateway) fn no_content() -> Self {
        Self::new(StatusCode::NO_CONTENT, None)
    }

    /// A response for a resource created at `location`.
    pub(in crate::gateway) fn created(location: String, body: impl Into<Value>) -> Self {
        Self { location: Some(location), ..Self::new(StatusCode::CREATED, Some(body.into())) }
    }

    /// The same response, whose member `name` is not stored and not repeated.
    pub(in crate::gateway) fn showing_once(self, name: &'static str) -> Self {
        Self { shown_once: Some(name), ..self }
    }

    /// The response to a repeated request.
    pub(super) fn repeated(&self) -> Self {
        let mut repeated = self.clone();
        if let (Some(name), Some(Value::Object(members))) = (self.shown_once, &mut repeated.body) {
            members.remove(name);
        }
        repeated
    }
}

impl From<Reply> for HttpResponse {
    fn from(Reply { status, location, body, .. }: Reply) -> Self {
        let mut response = Self::build(StatusCode::from_u16(status).unwrap_or(StatusCode::OK));
        if let Some(location) = location {
            response.insert_header((header::LOCATION, location));
        }
        match body {
            Some(body) => response.json(body),
            None => response.finish(),
        }
    }
}
