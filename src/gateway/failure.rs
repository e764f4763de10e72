//! What the failure of a command becomes for its caller.

use actix_web::http::{StatusCode, header};
use tertulia_actors::{
    conversation::CommandFailure,
    core::{command::Refusal, ums::AnswerError},
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
            CommandFailure::Refused(_) => StatusCode::BAD_GATEWAY,
            CommandFailure::KeyReused { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let problem = Self::new(status, failure.code(), failure.to_string());
        match failure {
            CommandFailure::Overloaded => problem.header(header::RETRY_AFTER, "1"),
            CommandFailure::OutcomeUnknown { key } => problem.with("key", key.as_str()),
            CommandFailure::Refused(AnswerError::Refused { code, text }) => {
                problem.with("platformCode", code).with("platformText", text)
            }
            _ => problem,
        }
    }
}

/// 404 for what is not there, 409 where the conversation's state forbids it, 422 where the content is wrong.
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
