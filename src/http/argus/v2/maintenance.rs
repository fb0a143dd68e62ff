//! Planned maintenance (contract section 18).

use axum::{extract::State, http::StatusCode};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::{
    domain::{
        datetime::Zoned,
        directory::Directory,
        ids::{FilterId, MaintenanceId},
        incident::EndTime,
        limits,
        maintenance::{Maintenance, MaintenanceDraft},
        time::Timestamp,
    },
    http::{
        Api, HandlerResult, Version,
        argus::{
            keys::Key,
            shared::{
                filters::FilterBody,
                render::{ActorBody, At},
            },
        },
        auth::Authenticated,
        body::Payload,
        fields::{BodyFields, TextRule},
        reply,
        request::{Request, request},
        stream,
    },
    service::Configured,
};

/// 9999-12-31T00:00:00Z, whose offset the last moment is written with.
const LAST_DAY: Timestamp = Timestamp::saturating_from_micros(Timestamp::MAX.micros() - 86_400_000_000 + 1);

request! {
    /// PATCH may leave fields out.
    pub struct PlannedMaintenanceTaskRequest fills MaintenanceDraft requires ["filters"] {
        /// By default now.
        start "start_time": Timestamp = datetime,
        /// After `start_time`; null: no end.
        end "end_time": Option<Timestamp> as EndTime = last_time,
        description: String = text[TextRule::up_to(limits::MAINTENANCE_DESCRIPTION)],
        /// Anybody's; at least one. All have to match.
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
    /// Without an end the last moment of the year 9999.
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
pub async fn list(State(api): State<Api>, Authenticated(caller): Authenticated) -> HandlerResult {
    let write = |api: &Api, rows: &mut stream::Rows| {
        let directory = api.service.directory();
        let tasks = directory.maintenances_sorted().into_iter();
        rows.extend(tasks.map(|it| MaintenanceBody::new(it, &directory, api.zoned())))
    };
    stream::from_memory(api, caller.id(), stream::ARRAY, write).await
}

/// Plan maintenance
///
/// While it lasts, nobody is told of incidents that match all of its filters. For staff.
#[utoipa::path(post, path = "/plannedmaintenance/", tag = "planned maintenance", request_body = PlannedMaintenanceTaskRequest,
    responses((status = 201, body = MaintenanceBody<'static>)))]
pub async fn create(State(api): State<Api>, Authenticated(caller): Authenticated, payload: Payload) -> HandlerResult {
    let new = payload.parse(|fields| Some(take(fields, &api.service.directory()))).await?;
    let maintenance = api.service.put(&caller, None, new).await?;
    Ok(answer(&api, StatusCode::CREATED, &maintenance))
}

/// Read planned maintenance
#[utoipa::path(get, path = "/plannedmaintenance/{pk}/", tag = "planned maintenance",
    responses((status = 200, body = MaintenanceBody<'static>)))]
pub async fn retrieve(State(api): State<Api>, Authenticated(caller): Authenticated, Key(pk): Key) -> HandlerResult {
    let directory = api.service.directory();
    let maintenance = Maintenance::find(&directory, caller.id(), MaintenanceId(pk))?;
    Ok(answer(&api, StatusCode::OK, maintenance))
}

/// Change planned maintenance
///
/// Not its start once it has started, and nothing once it has been over for 12 hours. For staff.
#[utoipa::path(method(put, patch), path = "/plannedmaintenance/{pk}/", tag = "planned maintenance",
    request_body = PlannedMaintenanceTaskRequest, responses((status = 200, body = MaintenanceBody<'static>)))]
pub async fn edit(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Key(pk): Key,
    payload: Payload,
) -> HandlerResult {
    let id = MaintenanceId(pk);
    Maintenance::find(&api.service.directory(), caller.id(), id)?;
    let edit = payload.parse(|fields| Some(take(fields, &api.service.directory()))).await?;
    let maintenance = api.service.put(&caller, Some(id), edit).await?;
    Ok(answer(&api, StatusCode::OK, &maintenance))
}

/// Delete planned maintenance
///
/// Only what lies ahead; what has started is ended by its `end_time`. For staff.
#[utoipa::path(delete, path = "/plannedmaintenance/{pk}/", tag = "planned maintenance", responses((status = 204)))]
pub async fn delete(State(api): State<Api>, Authenticated(caller): Authenticated, Key(pk): Key) -> HandlerResult {
    api.service.delete::<Maintenance>(&caller, MaintenanceId(pk)).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

fn answer(api: &Api, status: StatusCode, maintenance: &Maintenance) -> axum::response::Response {
    reply::json(status, &MaintenanceBody::new(maintenance, &api.service.directory(), api.zoned()))
}

/// Filters are looked up already here, so that one answer names all fields.
fn take(fields: &mut BodyFields, directory: &Directory) -> MaintenanceDraft {
    fields.require_all(&["filters"]);
    let filters: Option<Vec<FilterId>> = fields.references("filters", limits::FILTERS_PER_MAINTENANCE, false);
    let named = filters.iter().flatten().map(|id| id.0);
    fields.expect_known("filters", named, |id| directory.filters.contains_key(&FilterId(id)));
    MaintenanceDraft { filters, ..PlannedMaintenanceTaskRequest::take(fields) }
}

impl BodyFields {
    /// However it is said that there is no end.
    pub fn last_time(&mut self, name: &str) -> Option<Option<Timestamp>> {
        Some(self.end_time(name)?.time())
    }
}

/// The last moment that can be written, as local time of the zone.
fn no_end(zoned: &Zoned) -> String {
    let shown = zoned.format(LAST_DAY);
    let offset = shown.as_str().get("9999-12-31T00:00:00".len()..).unwrap_or_default();
    format!("9999-12-31T23:59:59.999999{offset}")
}
