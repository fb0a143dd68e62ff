//! Test messages to destinations.

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{AttemptEnd, DestinationId};
use crate::http::{Call, HandlerResult, Key, docs::Detail, reply};
use crate::service::TestOutcome;

#[derive(Serialize, ToSchema)]
#[schema(as = TestOutcome)]
pub struct TestOutcomeBody<'a> {
    /// `sent`, `retry` (a later attempt might succeed) or `fail` (a retry would fail as well).
    outcome: &'static str,
    /// Answer of the provider, or the network error.
    answer: &'a str,
    /// Log of the attempt.
    transcript: &'a [String],
}

/// Send a test message
///
/// Sends it once and immediately, to one of the caller's destinations. Nothing is stored.
#[utoipa::path(post, path = "/destinations/{pk}/test/", tag = "notifications",
    responses((status = 200, body = TestOutcomeBody<'static>),
        (status = 429, body = Detail, description = "Too many in a short time.")))]
pub async fn test(Call { api, caller }: Call, Key(pk): Key) -> HandlerResult {
    let TestOutcome { ended, answer, transcript } =
        api.service.notifications().test_destination(&caller, DestinationId(pk)).await?;
    let outcome = match ended {
        AttemptEnd::Sent => "sent",
        AttemptEnd::Retry | AttemptEnd::RetryAfter(_) => "retry",
        AttemptEnd::Failed => "fail",
    };
    let body = TestOutcomeBody { outcome, answer: &answer, transcript: &transcript };
    Ok(reply::json(StatusCode::OK, &body))
}
