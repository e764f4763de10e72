//! Problems for failed commands and failed requests to the platform.

use actix_web::http::{StatusCode, header};
use tertulia_actors::{
    connection::{ConnectionError, RequestError},
    conversation::ConversationError,
    core::{command::Refusal, id::ConnectionId, ums::AnswerError},
    files::FileError,
    platform::HttpError,
};

use super::problem::Problem;

impl Problem {
    /// The caller has no connection with this id.
    pub(super) fn unknown_connection(id: &ConnectionId) -> Self {
        Self::new(StatusCode::NOT_FOUND, "unknown-connection", format!("connection {id} does not exist"))
    }
}

impl From<ConversationError> for Problem {
    fn from(failure: ConversationError) -> Self {
        let status = match &failure {
            ConversationError::Invalid(error) => refused_by_us(&error.refusal),
            ConversationError::Overloaded => StatusCode::TOO_MANY_REQUESTS,
            ConversationError::NotConnected => StatusCode::SERVICE_UNAVAILABLE,
            ConversationError::UnknownConversation => StatusCode::NOT_FOUND,
            ConversationError::TimedOut | ConversationError::OutcomeUnknown { .. } => StatusCode::GATEWAY_TIMEOUT,
            ConversationError::Quarantined => StatusCode::CONFLICT,
            ConversationError::DeadLettered => StatusCode::INTERNAL_SERVER_ERROR,
            ConversationError::Refused(error) => refused_by_platform(error),
            ConversationError::ClosedConnection { .. } | ConversationError::KeyReused { .. } => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            ConversationError::UnknownCommand(_) => StatusCode::NOT_FOUND,
            ConversationError::Cancelled | ConversationError::InFlight(_) => StatusCode::CONFLICT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let problem = Self::new(status, failure.code(), failure.to_string());
        match failure {
            ConversationError::Overloaded => problem.header(header::RETRY_AFTER, "1"),
            ConversationError::OutcomeUnknown { key } => problem.with("key", key.as_str()),
            ConversationError::Refused(error) => problem.in_the_platforms_words(error),
            ConversationError::ClosedConnection { code } => problem.with("platformCode", code),
            _ => problem,
        }
    }
}

impl From<ConnectionError> for Problem {
    fn from(error: ConnectionError) -> Self {
        if let ConnectionError::Request(error) = error {
            return error.into();
        }
        let (status, code) = match &error {
            ConnectionError::UnknownConnection(id) => return Self::unknown_connection(id),
            ConnectionError::NotSupported { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "not-supported"),
            ConnectionError::Http(HttpError::Status { status: 400..=499, .. }) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "platform-rejected")
            }
            ConnectionError::Http(_) => (StatusCode::BAD_GATEWAY, "platform-rejected"),
            ConnectionError::UnknownService(_) => (StatusCode::NOT_FOUND, "unknown-service"),
            ConnectionError::NotForwarded(_) => (StatusCode::UNPROCESSABLE_ENTITY, "not-forwarded"),
            // Not 401, because a 401 would mean that the gateway refuses the caller's own token.
            ConnectionError::TokenRefused(_) | ConnectionError::ServiceFailed { .. } => {
                (StatusCode::BAD_GATEWAY, "platform-rejected")
            }
            ConnectionError::BrokenBody(_) => (StatusCode::BAD_REQUEST, "bad-request"),
            ConnectionError::UnknownRing => (StatusCode::NOT_FOUND, "unknown-ring"),
            ConnectionError::ConversationNotArrived => (StatusCode::GATEWAY_TIMEOUT, "timed-out"),
            ConnectionError::StepUpRunning => (StatusCode::CONFLICT, "step-up-under-way"),
            ConnectionError::MalformedSnapshot(_) => (StatusCode::UNPROCESSABLE_ENTITY, "snapshot-malformed"),
            ConnectionError::Overloaded(_) => (StatusCode::TOO_MANY_REQUESTS, "overloaded"),
            ConnectionError::NotLoaded(_) => (StatusCode::CONFLICT, "not-loaded"),
            ConnectionError::NotQuarantined(_) => (StatusCode::CONFLICT, "not-quarantined"),
            _ => (StatusCode::SERVICE_UNAVAILABLE, "not-connected"),
        };
        let problem = Self::new(status, code, error.to_string());
        match error {
            ConnectionError::Overloaded(_) => problem.header(header::RETRY_AFTER, "1"),
            ConnectionError::TokenRefused(_) => problem.with("platformCode", StatusCode::UNAUTHORIZED.as_u16()),
            _ => problem,
        }
    }
}

impl From<RequestError> for Problem {
    fn from(failure: RequestError) -> Self {
        let (status, code) = match &failure {
            RequestError::NotConnected => (StatusCode::SERVICE_UNAVAILABLE, "not-connected"),
            RequestError::Overloaded | RequestError::Paused { .. } => (StatusCode::TOO_MANY_REQUESTS, "overloaded"),
            RequestError::Unwritable(_) => (StatusCode::UNPROCESSABLE_ENTITY, "unwritable"),
            RequestError::NotSupported(_) => (StatusCode::UNPROCESSABLE_ENTITY, "not-supported"),
            RequestError::ConnectionLost | RequestError::ClosedOverContent { .. } | RequestError::TimedOut => {
                (StatusCode::GATEWAY_TIMEOUT, "outcome-unknown")
            }
            RequestError::Answer(error) => (refused_by_platform(error), "platform-rejected"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        let problem = Self::new(status, code, failure.to_string());
        match failure {
            RequestError::Overloaded => problem.header(header::RETRY_AFTER, "1"),
            RequestError::Paused { wait } => {
                problem.header(header::RETRY_AFTER, wait.as_millis().div_ceil(1_000).to_string())
            }
            RequestError::Answer(error) => problem.in_the_platforms_words(error),
            _ => problem,
        }
    }
}

impl From<FileError> for Problem {
    fn from(error: FileError) -> Self {
        let status = match error {
            FileError::Notice(failure) => return failure.into(),
            FileError::NoAddress(failure) => return failure.into(),
            FileError::UnknownType(_) | FileError::Empty => StatusCode::UNPROCESSABLE_ENTITY,
            FileError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            FileError::OtherSize { .. } | FileError::Unreadable(_) => StatusCode::BAD_REQUEST,
            FileError::Overloaded => StatusCode::TOO_MANY_REQUESTS,
            FileError::UnknownConversation => StatusCode::NOT_FOUND,
            FileError::Storage(HttpError::Status { status: 404, .. }) => StatusCode::NOT_FOUND,
            FileError::Storage(_) => StatusCode::BAD_GATEWAY,
            FileError::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let problem = Self::new(status, error.code(), error.to_string());
        match error {
            FileError::Overloaded => problem.header(header::RETRY_AFTER, "1"),
            _ => problem,
        }
    }
}

impl Problem {
    fn in_the_platforms_words(self, error: AnswerError) -> Self {
        match error {
            AnswerError::Refused { code, text } => self.with("platformCode", code).with("platformText", text),
            _ => self,
        }
    }
}

/// 422 if the platform rejects the request's content, which it may also do under a success code
/// ([ER-3](crate::rules#er-3)); 429 if it wants a pause; 502 if the platform itself fails.
fn refused_by_platform(error: &AnswerError) -> StatusCode {
    match error {
        AnswerError::Refused { code: 429, .. } => StatusCode::TOO_MANY_REQUESTS,
        AnswerError::Refused { code: ..500, .. } => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::BAD_GATEWAY,
    }
}

/// 404 for something that does not exist, 409 if the conversation's state forbids the command, 422 if the content is
/// wrong.
fn refused_by_us(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::UnknownDialog(_) => StatusCode::NOT_FOUND,
        Refusal::NoOpenDialog
        | Refusal::DialogClosed(_)
        | Refusal::Locked
        | Refusal::SameAgent(_)
        | Refusal::NoConsumer
        | Refusal::SameConsumer
        | Refusal::NotAParticipant => StatusCode::CONFLICT,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}
