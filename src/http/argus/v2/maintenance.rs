//! Planned maintenance (contract section 18).

use axum::http::StatusCode;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::domain::{
    Directory, EndTime, FilterId, Maintenance, MaintenanceDraft, MaintenanceId, Timestamp, Zoned, limits,
};
use crate::http::{
    Api, BodyFields, Call, HandlerResult, Key, Payload, Request, TextRule, Version,
    argus::shared::{
        filters::FilterBody,
        render::{ActorBody, At},
    },
    reply, request, stream,
};
use crate::service::Configured;

/// 9999-12-31T00:00:00Z. The offset at this time is used for the end of the year 9999.
const LAST_DAY: Timestamp = Timestamp::saturating_from_micros(Timestamp::MAX.micros() - 86_400_000_000 + 1);

request! {
    /// Required fields are optional in PATCH.
    pub struct PlannedMaintenanceTaskRequest fills MaintenanceDraft requires ["filters"] {
        /// The default is now.
        start "start_time": Timestamp = datetime,
        /// Must be after `start_time`. Null: no end.
        end "end_time": Option<Timestamp> as EndTime = last_time,
        description: String = text[TextRule::up_to(limits::MAINTENANCE_DESCRIPTION)],
        /// Filters of any user, at least one. All must match.
        filters: Vec<FilterId>,
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = PlannedMaintenanceTask)]
pub struct MaintenanceBody<'a> {
    pk: u64,
    created_by: ActorBody<'a>,
    #[schema(value_type = String, format = DateTime)]
    created: At,
    #[schema(value_type = String, format = DateTime)]
    start_time: At,
    /// If there is no end, the last moment of the year 9999.
    #[schema(value_type = String, format = DateTime)]
    end_time: MaintenanceEnd,
    description: &'a str,
    filters: Vec<FilterBody<'a>>,
}

enum MaintenanceEnd {
    At(At),
    Never(String),
}

impl Serialize for MaintenanceEnd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::At(at) => at.serialize(serializer),
            Self::Never(text) => serializer.serialize_str(text),
        }
    }
}

impl<'a> MaintenanceBody<'a> {
    fn new(maintenance: &'a Maintenance, directory: &'a Directory, zoned: &Zoned) -> Self {
        let at = |at| At::new(zoned, at);
        let filters = maintenance.filters.iter().filter_map(|id| directory.filters.get(id));
        Self {
            pk: maintenance.id.0,
            created_by: ActorBody::new(maintenance.created_by, directory),
            created: at(maintenance.created),
            start_time: at(maintenance.start),
            end_time: maintenance
                .end
                .map_or_else(|| MaintenanceEnd::Never(no_end(zoned)), |end| MaintenanceEnd::At(at(end))),
            description: &maintenance.description,
            filters: filters.map(|it| FilterBody::new(it, Version::V2)).collect(),
        }
    }
}

/// List planned maintenance
#[utoipa::path(get, path = "/plannedmaintenance/", tag = "planned maintenance",
    responses((status = 200, body = Vec<MaintenanceBody<'static>>)))]
pub async fn list(Call { api, caller }: Call) -> HandlerResult {
    let write = |api: &Api, rows: &mut stream::Rows| {
        let directory = api.service.directory();
        let tasks = directory.maintenances.values();
        rows.extend(tasks.map(|it| MaintenanceBody::new(it, &directory, api.zoned())))
    };
    stream::from_memory(api, caller.id(), stream::ARRAY, write).await
}

/// Plan maintenance
///
/// During the maintenance, nobody is notified of incidents that match all of its filters. Only for staff.
#[utoipa::path(post, path = "/plannedmaintenance/", tag = "planned maintenance", request_body = PlannedMaintenanceTaskRequest,
    responses((status = 201, body = MaintenanceBody<'static>)))]
pub async fn create(Call { api, caller }: Call, payload: Payload) -> HandlerResult {
    let new = payload.parse(|fields| Some(take(fields, &api.service.directory()))).await?;
    let maintenance = api.service.put(&caller, None, new).await?;
    Ok(answer(&api, StatusCode::CREATED, &maintenance))
}

/// Read planned maintenance
#[utoipa::path(get, path = "/plannedmaintenance/{pk}/", tag = "planned maintenance",
    responses((status = 200, body = MaintenanceBody<'static>)))]
pub async fn retrieve(Call { api, caller }: Call, Key(pk): Key) -> HandlerResult {
    let directory = api.service.directory();
    let maintenance = Maintenance::find(&directory, caller.id(), MaintenanceId(pk))?;
    Ok(answer(&api, StatusCode::OK, maintenance))
}

/// Change planned maintenance
///
/// The start cannot be changed after it has passed, and nothing can be changed 12 hours after the end. Only for staff.
#[utoipa::path(method(put, patch), path = "/plannedmaintenance/{pk}/", tag = "planned maintenance",
    request_body = PlannedMaintenanceTaskRequest, responses((status = 200, body = MaintenanceBody<'static>)))]
pub async fn edit(Call { api, caller }: Call, Key(pk): Key, payload: Payload) -> HandlerResult {
    let id = MaintenanceId(pk);
    Maintenance::find(&api.service.directory(), caller.id(), id)?;
    let edit = payload.parse(|fields| Some(take(fields, &api.service.directory()))).await?;
    let maintenance = api.service.put(&caller, Some(id), edit).await?;
    Ok(answer(&api, StatusCode::OK, &maintenance))
}

/// Delete planned maintenance
///
/// Refused after the start; set `end_time` instead. Only for staff.
#[utoipa::path(delete, path = "/plannedmaintenance/{pk}/", tag = "planned maintenance", responses((status = 204)))]
pub async fn delete(Call { api, caller }: Call, Key(pk): Key) -> HandlerResult {
    api.service.delete::<Maintenance>(&caller, MaintenanceId(pk)).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

fn answer(api: &Api, status: StatusCode, maintenance: &Maintenance) -> axum::response::Response {
    reply::json(status, &MaintenanceBody::new(maintenance, &api.service.directory(), api.zoned()))
}

/// Reads the fields of planned maintenance. Filters are checked here already, so that one answer lists all errors.
fn take(fields: &mut BodyFields, directory: &Directory) -> MaintenanceDraft {
    fields.require_all(&["filters"]);
    let filters: Option<Vec<FilterId>> = fields.references("filters", limits::FILTERS_PER_MAINTENANCE, false);
    let named = filters.iter().flatten().map(|id| id.0);
    fields.expect_known("filters", named, |id| directory.filters.contains_key(&FilterId(id)));
    MaintenanceDraft { filters, ..PlannedMaintenanceTaskRequest::take(fields) }
}

impl BodyFields {
    /// Reads an end time. Each notation for "no end" gives `Some(None)`.
    pub fn last_time(&mut self, name: &str) -> Option<Option<Timestamp>> {
        Some(self.end_time(name)?.time())
    }
}

/// Returns the last moment of the year 9999 as local time of the zone.
fn no_end(zoned: &Zoned) -> String {
    let shown = zoned.format(LAST_DAY);
    let offset = shown.as_str().get("9999-12-31T00:00:00".len()..).unwrap_or_default();
    format!("9999-12-31T23:59:59.999999{offset}")
}
