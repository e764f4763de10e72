//! Problems for failed commands and failed requests to the platform.

use actix_web::http::{StatusCode, header};
use tertulia_actors::{
    conversation::CommandFailure,
    core::{command::Refusal, ums::AnswerError},
    files::FileError,
    platform::HttpError,
    request::RequestFailure,
};

use super::problem::Problem;

impl From<CommandFailure> for Problem {
    fn from(failure: CommandFailure) -> Self {
        let status = match &failure {
            CommandFailure::Invalid(error) => refused_by_us(&error.refusal),
            CommandFailure::Overloaded => StatusCode::TOO_MANY_REQUESTS,
            CommandFailure::NotConnected => StatusCode::SERVICE_UNAVAILABLE,
            CommandFailure::UnknownConversation => StatusCode::NOT_FOUND,
            CommandFailure::TimedOut | CommandFailure::OutcomeUnknown { .. } => StatusCode::GATEWAY_TIMEOUT,
            CommandFailure::Quarantined => StatusCode::CONFLICT,
            CommandFailure::DeadLettered => StatusCode::INTERNAL_SERVER_ERROR,
            CommandFailure::Refused(error) => refused_by_platform(error),
            CommandFailure::ClosedConnection { .. } | CommandFailure::KeyReused { .. } => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            CommandFailure::Cancelled => StatusCode::CONFLICT,
        };
        let problem = Self::new(status, failure.code(), failure.to_string());
        match failure {
            CommandFailure::Overloaded => problem.header(header::RETRY_AFTER, "1"),
            CommandFailure::OutcomeUnknown { key } => problem.with("key", key.as_str()),
            CommandFailure::Refused(error) => problem.in_the_platforms_words(error),
            CommandFailure::ClosedConnection { code } => problem.with("platformCode", code),
            _ => problem,
        }
    }
}

impl From<RequestFailure> for Problem {
    fn from(failure: RequestFailure) -> Self {
        let (status, code) = match &failure {
            RequestFailure::NotConnected => (StatusCode::SERVICE_UNAVAILABLE, "not-connected"),
            RequestFailure::Overloaded | RequestFailure::Paused { .. } => (StatusCode::TOO_MANY_REQUESTS, "overloaded"),
            RequestFailure::Unwritable(_) => (StatusCode::UNPROCESSABLE_ENTITY, "unwritable"),
            RequestFailure::NotSupported(_) => (StatusCode::UNPROCESSABLE_ENTITY, "not-supported"),
            RequestFailure::ConnectionLost | RequestFailure::ClosedOverContent { .. } | RequestFailure::TimedOut => {
                (StatusCode::GATEWAY_TIMEOUT, "outcome-unknown")
            }
            RequestFailure::Answer(error) => (refused_by_platform(error), "platform-rejected"),
        };
        let problem = Self::new(status, code, failure.to_string());
        match failure {
            RequestFailure::Overloaded => problem.header(header::RETRY_AFTER, "1"),
            RequestFailure::Paused { wait } => {
                problem.header(header::RETRY_AFTER, wait.as_millis().div_ceil(1_000).to_string())
            }
            RequestFailure::Answer(error) => problem.in_the_platforms_words(error),
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
            AnswerError::Unexpected(_) => self,
        }
    }
}

/// 422 if the platform rejects the request's content, which it may also do under a success code
/// ([ER-3](crate::rules#er-3)); 429 if it wants a pause; 502 if the platform itself fails.
fn refused_by_platform(error: &AnswerError) -> StatusCode {
    match error {
        AnswerError::Refused { code: 429, .. } => StatusCode::TOO_MANY_REQUESTS,
        AnswerError::Refused { code: ..500, .. } => StatusCode::UNPROCESSABLE_ENTITY,
        AnswerError::Refused { .. } | AnswerError::Unexpected(_) => StatusCode::BAD_GATEWAY,
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
