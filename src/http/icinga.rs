//! The contact API: contacts, contact groups and channels of Icinga Notifications Web, in two dialects (contact API
//! contract). Each mount has one handler, because the order of checks spans endpoints and methods.

mod channels;
mod contacts;
mod dialect;
mod fields;
mod filter;
mod gate;
mod groups;
mod list;
mod problem;
mod request_path;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value};
use uuid::Uuid;

pub use self::dialect::Dialect;
use self::{
    problem::Problem,
    request_path::{Endpoint, PathTarget, RequestPath},
};
use super::{
    Api, ApiError, Payload,
    answers::Recipient,
    body,
    routes::{Operation, Routes, any},
    stream,
};
use crate::service::{Action, Caller, Service, WriteMode};

const BELOW: &str = "/notifications/api/";
/// Paths before [`BELOW`], and the dialect that each selects. `None`: the dialect of the settings.
const MOUNTS: [(&str, Option<Dialect>); 4] = [
    ("", None),
    ("/icingaweb2", None),
    ("/icinga-issue", Some(Dialect::Issue)),
    ("/icinga-current", Some(Dialect::Current)),
];

#[derive(Clone)]
struct Mount {
    api: Api,
    prefix: String,
    dialect: Dialect,
}

pub(super) fn routes(api: &Api) -> Router {
    MOUNTS.into_iter().fold(Router::new(), |routes, (before, dialect)| {
        let dialect = dialect.unwrap_or(api.settings().icinga_dialect);
        let mount = Mount { api: api.clone(), prefix: format!("{before}{BELOW}"), dialect };
        routes.merge(below(before).into_router().with_state(mount))
    })
}

fn below(before: &str) -> Routes<Mount> {
    let prefix = format!("{before}{BELOW}");
    Routes::of(Action::ManageContacts).route(&format!("{prefix}{{*rest}}"), any(answer)).route(&prefix, any(answer))
}

pub(super) fn operations() -> impl Iterator<Item = Operation> {
    MOUNTS.into_iter().flat_map(|(before, _)| below(before).into_operations())
}

/// Returns a 400 in the form of the contact API, or `None` if the path is not one of this API.
pub(super) fn bad_request(path: &str, text: &'static str) -> Option<Response> {
    let is_ours = |before| path.strip_prefix(before).is_some_and(|rest| rest.starts_with(BELOW));
    let mut mounts = MOUNTS.iter().map(|(before, _)| *before);
    mounts.any(is_ours).then(|| Dialect::Issue.error(StatusCode::BAD_REQUEST, text))
}

async fn answer(State(mount): State<Mount>, request: Request) -> Response {
    let path = request.uri().path();
    let place = RequestPath::read(path.strip_prefix(mount.prefix.as_str()).unwrap_or_default(), mount.dialect);
    let dialect = place.dialect;
    let (parts, body) = request.into_parts();
    match respond(&mount.api, place, parts, body).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(dialect),
    }
}

/// Answers a request. The checks have the order of contact API contract section 4.
async fn respond(api: &Api, place: RequestPath, mut parts: Parts, body: Body) -> Result<Response, Problem> {
    let caller = gate::caller(api, &mut parts).await?;
    let mut response = respond_to(api, &caller, place, parts, body).await?;
    response.extensions_mut().insert(Recipient(caller.id()));
    Ok(response)
}

async fn respond_to(
    api: &Api,
    caller: &Caller,
    place: RequestPath,
    parts: Parts,
    body: Body,
) -> Result<Response, Problem> {
    if place.target == PathTarget::Nothing {
        return Err(Problem::no_page());
    }
    let sent = SentBody::receive(parts.clone(), body, caller).await?;
    let method = &parts.method;
    if matches!(*method, Method::GET | Method::DELETE) && sent.json.as_ref().is_some_and(|json| !fields::is_empty(json))
    {
        return Err(Problem::unexpected_body());
    }
    let (endpoint, identifier) = match place.target {
        PathTarget::Endpoint { endpoint, identifier } => (endpoint, identifier),
        PathTarget::Unknown(name) => return Err(Problem::no_endpoint(&name)),
        PathTarget::Nothing => return Err(Problem::no_page()),
    };
    check_method(endpoint, method)?;
    let query = parts.uri.query().filter(|query| !query.is_empty());
    if query.is_some() && *method != Method::GET {
        return Err(Problem::filter_only_get());
    }
    if query.is_some() && identifier.is_some() {
        return Err(Problem::identifier_and_filter());
    }
    if identifier.is_none() && matches!(*method, Method::PUT | Method::DELETE) {
        return Err(Problem::identifier_required());
    }
    let identifier = identifier.map(|text| fields::uuid(&text).ok_or_else(Problem::bad_identifier)).transpose()?;
    let call = IcingaCall { api, caller, dialect: place.dialect, endpoint };
    match (method, identifier) {
        (&Method::GET, Some(uuid)) => call.single(uuid).await,
        (&Method::GET, None) => call.list(query.unwrap_or_default()).await,
        (&Method::DELETE, Some(uuid)) => call.delete(uuid).await,
        (_, identifier) => call.store(method == Method::PUT, identifier, sent).await,
    }
}

fn check_method(endpoint: Endpoint, method: &Method) -> Result<(), Problem> {
    match (endpoint, method) {
        (_, &Method::GET) => Ok(()),
        (Endpoint::Channels, &Method::POST | &Method::PUT | &Method::DELETE) => {
            Err(Problem::method(format!("Method {method} is not supported for endpoint channels"), "GET"))
        }
        (Endpoint::Channels, _) => Err(Problem::method(format!("HTTP method {method} is not supported"), "GET")),
        (_, &Method::POST | &Method::PUT | &Method::DELETE) => Ok(()),
        _ => Err(Problem::method(format!("HTTP method {method} is not supported"), "GET, POST, PUT, DELETE")),
    }
}

/// Received body.
struct SentBody {
    is_json: bool,
    /// `None` if the body is empty or its `Content-Type` is not JSON.
    json: Option<Value>,
}

impl SentBody {
    async fn receive(parts: Parts, body: Body, caller: &Caller) -> Result<Self, Problem> {
        let media_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_json = body::essence(media_type.unwrap_or_default()) == "application/json";
        let payload = Payload::new(parts, body, Some(caller));
        let json = if is_json {
            payload.json().await.map_err(ApiError::from)?.transpose().map_err(|_| Problem::not_json())?
        } else {
            payload.receive().await.map_err(ApiError::from)?;
            None
        };
        Ok(Self { is_json, json })
    }

    /// Returns the fields of the body. An array counts as an object without fields.
    fn into_fields(self) -> Result<Map<String, Value>, Problem> {
        if !self.is_json {
            return Err(Problem::content_type());
        }
        match self.json {
            Some(Value::Object(fields)) if !fields.is_empty() => Ok(fields),
            Some(Value::Array(items)) if !items.is_empty() => Ok(Map::new()),
            _ => Err(Problem::empty_body()),
        }
    }
}

/// Request whose endpoint, method, query and identifier were checked.
struct IcingaCall<'a> {
    api: &'a Api,
    caller: &'a Caller,
    dialect: Dialect,
    endpoint: Endpoint,
}

impl IcingaCall<'_> {
    async fn single(&self, uuid: Uuid) -> Result<Response, Problem> {
        let service = &self.api.service;
        let found = match self.endpoint {
            Endpoint::Contacts => service.contacts().contact(uuid).await?.map(|contact| contacts::shown(&contact)),
            Endpoint::Groups => service.contacts().contact_group(uuid).await?.map(|group| groups::shown(&group)),
            Endpoint::Channels => {
                service.directory().channels.get(&uuid).map(|channel| channels::shown(channel, service))
            }
        };
        found.map(|found| self.dialect.single(&found)).ok_or_else(|| Problem::not_found(self.endpoint))
    }

    async fn list(&self, query: &str) -> Result<Response, Problem> {
        let filter = filter::read(query, self.endpoint)?;
        let user = self.caller.id();
        match self.endpoint {
            Endpoint::Contacts => {
                let list = move |service: &Service| service.contacts().all_contacts(filter.clone());
                list::streamed(self.api, user, self.dialect, list, contacts::shown).await
            }
            Endpoint::Groups => {
                let list = move |service: &Service| service.contacts().all_groups(filter.clone());
                list::streamed(self.api, user, self.dialect, list, groups::shown).await
            }
            Endpoint::Channels => {
                let write = move |api: &Api, rows: &mut stream::Rows| {
                    let directory = api.service.directory();
                    let channels = directory.channels.values();
                    let matching = channels.filter(|channel| filter.matches(channel.as_ref()));
                    rows.extend(matching.map(|channel| channels::shown(channel, &api.service)))
                };
                stream::from_store(self.api.clone(), user, self.dialect.list(), write).await.map_err(Problem::from)
            }
        }
    }

    async fn delete(&self, uuid: Uuid) -> Result<Response, Problem> {
        let service = &self.api.service;
        let deleted = match self.endpoint {
            Endpoint::Contacts => service.contacts().delete_contact(self.caller, uuid).await,
            Endpoint::Groups => service.contacts().delete_contact_group(self.caller, uuid).await,
            Endpoint::Channels => return Err(Problem::not_found(self.endpoint)),
        };
        deleted.map_err(|refusal| Problem::refused(refusal, self.endpoint))?;
        Ok(StatusCode::NO_CONTENT.into_response())
    }

    async fn store(&self, put: bool, identifier: Option<Uuid>, sent: SentBody) -> Result<Response, Problem> {
        let fields = sent.into_fields()?;
        let service = &self.api.service;
        let (uuid, stored) = match self.endpoint {
            Endpoint::Contacts => {
                let draft = contacts::draft(self.dialect, &fields, service)?;
                let way = self.way(put, identifier, draft.uuid)?;
                (draft.uuid, service.contacts().store_contact(self.caller, way, draft).await)
            }
            Endpoint::Groups => {
                let draft = groups::draft(self.dialect, &fields)?;
                let way = self.way(put, identifier, draft.uuid)?;
                (draft.uuid, service.contacts().store_contact_group(self.caller, way, draft).await)
            }
            Endpoint::Channels => return Err(Problem::not_found(self.endpoint)),
        };
        match stored.map_err(|refusal| Problem::refused(refusal, self.endpoint))? {
            crate::service::WriteResult::Created => Ok(self.created(uuid)),
            crate::service::WriteResult::Updated => Ok(StatusCode::NO_CONTENT.into_response()),
        }
    }

    fn way(&self, put: bool, identifier: Option<Uuid>, payload: Uuid) -> Result<WriteMode, Problem> {
        match identifier {
            Some(uuid) if put && uuid != payload => Err(Problem::mismatch()),
            _ if put => Ok(WriteMode::Put),
            // The dialect `issue` reports this later, after checking that the object exists.
            Some(uuid) if uuid == payload && self.dialect == Dialect::Current => Err(Problem::same_identifier()),
            Some(uuid) => Ok(WriteMode::Replace(uuid)),
            None => Ok(WriteMode::Create),
        }
    }

    fn created(&self, uuid: Uuid) -> Response {
        let mut response = self.dialect.created(self.endpoint);
        let location = format!("notifications/api/v1/{}/{uuid}", self.endpoint.segment(self.dialect));
        let headers = response.headers_mut();
        if let (Ok(location), Ok(uuid)) = (HeaderValue::try_from(location), HeaderValue::try_from(uuid.to_string())) {
            headers.insert(header::LOCATION, location);
            headers.insert("x-resource-identifier", uuid);
        }
        response
    }
}
