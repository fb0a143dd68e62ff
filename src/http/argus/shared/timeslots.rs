//! Timeslots of the caller (contract section 13).

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{Recurrence, TimeOfDay, Timeslot, TimeslotDraft, TimeslotId, limits};
use crate::http::{Api, BodyFields, Call, HandlerResult, Key, Payload, Request, TextRule, reply, request, stream};
use crate::service::Configured;

request! {
    /// Required fields are optional in PATCH.
    pub struct TimeslotRequest fills TimeslotDraft requires ["name", "time_recurrences"] {
        name: String = text[TextRule::filled_up_to(limits::TIMESLOT_NAME)],
        /// Replaces all recurrences. A timeslot without recurrences never applies.
        recurrences "time_recurrences": Vec<Recurrence> as Vec<RecurrenceRequest> =
            objects(limits::RECURRENCES_PER_TIMESLOT, take_recurrence),
    }
}

request! {
    pub struct RecurrenceRequest requires ["days"] {
        /// ISO weekdays, 1 (Monday) to 7.
        days: Vec<u8> = weekdays,
        /// `hh:mm[:ss[.ffffff]]`; required unless `all_day` is true.
        start: TimeOfDay,
        /// Must be after `start`.
        end: TimeOfDay,
        all_day: bool = flag,
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Timeslot)]
pub struct TimeslotBody<'a> {
    pk: u64,
    name: &'a str,
    time_recurrences: Vec<RecurrenceBody<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = TimeRecurrence)]
struct RecurrenceBody<'a> {
    /// ISO weekdays, 1 (Monday) to 7.
    days: &'a [u8],
    start: String,
    end: String,
    /// Present only if true.
    #[serde(skip_serializing_if = "Option::is_none")]
    all_day: Option<bool>,
}

impl<'a> TimeslotBody<'a> {
    #[must_use]
    pub fn new(timeslot: &'a Timeslot) -> Self {
        let recurrence = |it: &'a Recurrence| RecurrenceBody {
            days: &it.days,
            start: it.start.to_string(),
            end: it.end.to_string(),
            all_day: it.is_all_day().then_some(true),
        };
        Self {
            pk: timeslot.id.0,
            name: &timeslot.name,
            time_recurrences: timeslot.recurrences.iter().map(recurrence).collect(),
        }
    }
}

/// List the caller's timeslots
///
/// Sorted by name.
#[utoipa::path(get, path = "/notificationprofiles/timeslots/", tag = "timeslots",
    responses((status = 200, body = Vec<TimeslotBody<'static>>)))]
pub async fn list(Call { api, caller }: Call) -> HandlerResult {
    let user = caller.id();
    let write = move |api: &Api, rows: &mut stream::Rows| {
        rows.extend(api.service.directory().timeslots_of(user).into_iter().map(|it| TimeslotBody::new(it)))
    };
    stream::from_memory(api, user, stream::ARRAY, write).await
}

/// Create a timeslot
#[utoipa::path(post, path = "/notificationprofiles/timeslots/", tag = "timeslots", request_body = TimeslotRequest,
    responses((status = 201, body = TimeslotBody<'static>)))]
pub async fn create(Call { api, caller }: Call, payload: Payload) -> HandlerResult {
    let draft = payload.request::<TimeslotRequest>().await?;
    let timeslot = api.service.put(&caller, None, draft).await?;
    Ok(reply::json(StatusCode::CREATED, &TimeslotBody::new(&timeslot)))
}

/// Read a timeslot
#[utoipa::path(get, path = "/notificationprofiles/timeslots/{pk}/", tag = "timeslots",
    responses((status = 200, body = TimeslotBody<'static>)))]
pub async fn retrieve(Call { api, caller }: Call, Key(pk): Key) -> HandlerResult {
    let directory = api.service.directory();
    let timeslot = Timeslot::find(&directory, caller.id(), TimeslotId(pk))?;
    Ok(reply::json(StatusCode::OK, &TimeslotBody::new(timeslot)))
}

/// Change a timeslot
#[utoipa::path(method(put, patch), path = "/notificationprofiles/timeslots/{pk}/", tag = "timeslots",
    request_body = TimeslotRequest, responses((status = 200, body = TimeslotBody<'static>)))]
pub async fn edit(Call { api, caller }: Call, Key(pk): Key, payload: Payload) -> HandlerResult {
    let id = TimeslotId(pk);
    Timeslot::find(&api.service.directory(), caller.id(), id)?;
    let edit = payload.request::<TimeslotRequest>().await?;
    let timeslot = api.service.put(&caller, Some(id), edit).await?;
    Ok(reply::json(StatusCode::OK, &TimeslotBody::new(&timeslot)))
}

/// Delete a timeslot
#[utoipa::path(delete, path = "/notificationprofiles/timeslots/{pk}/", tag = "timeslots",
    responses((status = 204)))]
pub async fn delete(Call { api, caller }: Call, Key(pk): Key) -> HandlerResult {
    api.service.notifications().delete_timeslot(&caller, TimeslotId(pk)).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

fn take_recurrence(fields: &mut BodyFields) -> Option<Recurrence> {
    let RecurrenceRequest { days, all_day } = RecurrenceRequest::take(fields);
    let (start, end) = if all_day.unwrap_or(false) {
        (Some(TimeOfDay::MIDNIGHT), Some(TimeOfDay::LAST))
    } else {
        fields.require("start");
        fields.require("end");
        (fields.time_of_day("start"), fields.time_of_day("end"))
    };
    let recurrence = Recurrence { days: days?, start: start?, end: end? };
    if recurrence.start >= recurrence.end {
        fields.error("non_field_errors", "'start' must be before 'end'.");
    }
    Some(recurrence)
}
