//! All routes of the APIs, with the rights that they require.

use axum::{Router, middleware};
use tower::{Layer, util::MapRequestLayer};
use tower_http::{
    CompressionLevel,
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer, Predicate,
        predicate::{NotForContentType, SizeAbove},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api, ApiError, HttpSettings, Version, answers,
    argus::{
        service_info,
        shared::{
            acks, events, filters, incidents, previews, profiles, sources, tags, tickets, timeslots, tokens, users,
        },
        v1, v2,
    },
    auth::{self, Needs},
    body, cors, docs, icinga, native, negotiate, probes,
    routes::{Operation, Routes, any, get, post},
    slash, traffic,
};
use crate::service::{Action, Service};

/// Answers below this size in bytes are not compressed.
const COMPRESSED_ABOVE: u64 = 1024;

/// Returns the service that answers all requests. `pages` are the pages for browsers, and answer paths that no API has.
pub fn router(service: Service, settings: HttpSettings, pages: Router) -> Router {
    let origins = cors::Origins::new(&settings.frontends);
    let api = Api::new(service, settings);
    let mut routes = finish(unversioned(), "", &api).merge(undocumented().into_router().with_state(api.clone()));
    for version in Version::ALL {
        routes = routes.merge(guarded(parts(version), version.prefix(), &api.of_version(version)));
    }
    let routes = routes
        .merge(guarded(native::parts(), native::PREFIX, &api))
        .merge(icinga::routes(&api))
        .merge(pages)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(api.clone(), negotiate::frame))
        .layer(middleware::from_fn_with_state(api.clone(), answers::count))
        .layer(middleware::from_fn_with_state(api.clone(), body::admit))
        .layer(
            CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(
                SizeAbove::new(COMPRESSED_ABOVE)
                    .and(NotForContentType::const_new("text/event-stream"))
                    .and(answers::may_compress),
            ),
        );
    let routes =
        if origins.is_empty() { routes } else { routes.layer(middleware::from_fn_with_state(origins, cors::allow)) };
    let routes = routes.layer(middleware::from_fn_with_state(api, traffic::observe));
    Router::new().fallback_service(MapRequestLayer::new(slash::normalize).layer(routes))
}

/// Returns the routes of a version, by the rights that they require.
pub(super) fn parts(version: Version) -> Vec<(Needs, OpenApiRouter<Api>)> {
    let writes = |write| Needs { read: Action::UseDesk, write };
    vec![
        (Needs::all(Action::UseDesk), desk(version)),
        (writes(Action::PlanMaintenance), maintenance(version)),
        (writes(Action::ManageSources), source_paths()),
        (Needs::all(Action::UsePublic), public(version)),
    ]
}

fn desk(version: Version) -> OpenApiRouter<Api> {
    let both = OpenApiRouter::new()
        .routes(routes!(incidents::list, incidents::create))
        .routes(routes!(incidents::mine, incidents::create_mine))
        .routes(routes!(incidents::retrieve, incidents::edit, incidents::delete))
        .routes(routes!(tickets::put))
        .routes(routes!(events::list, events::create))
        .routes(routes!(events::retrieve))
        .routes(routes!(acks::list, acks::create))
        .routes(routes!(acks::retrieve, acks::edit))
        .routes(routes!(tags::list, tags::create))
        .routes(routes!(tags::retrieve, tags::delete))
        .routes(routes!(sources::list_types, sources::create_type))
        .routes(routes!(sources::retrieve_type))
        .routes(routes!(timeslots::list, timeslots::create))
        .routes(routes!(timeslots::retrieve, timeslots::edit, timeslots::delete))
        .routes(routes!(filters::list, filters::create))
        .routes(routes!(filters::retrieve, filters::edit, filters::delete))
        .routes(routes!(profiles::incidents))
        .routes(routes!(previews::preview))
        .routes(routes!(previews::filter_preview))
        .routes(routes!(users::retrieve));
    match version {
        Version::V1 => both
            .routes(routes!(v1::lists::open))
            .routes(routes!(v1::lists::open_unacked))
            .routes(routes!(v1::lists::metadata))
            .routes(routes!(v1::profiles::list, v1::profiles::create))
            .routes(routes!(v1::profiles::retrieve, v1::profiles::edit, profiles::delete))
            .routes(routes!(v1::phone_numbers::list, v1::phone_numbers::create))
            .routes(routes!(v1::phone_numbers::retrieve, v1::phone_numbers::edit, v1::phone_numbers::delete))
            .routes(routes!(v1::user::retrieve)),
        Version::V2 => both
            .routes(routes!(v2::events::list))
            .routes(routes!(v2::tickets::create))
            .routes(routes!(v2::bulk::acknowledge))
            .routes(routes!(v2::bulk::add_events))
            .routes(routes!(v2::bulk::set_ticket_urls))
            .routes(routes!(v2::heartbeat::beat))
            .routes(routes!(v2::profiles::list, v2::profiles::create))
            .routes(routes!(v2::profiles::retrieve, v2::profiles::edit, profiles::delete))
            .routes(routes!(v2::media::list))
            .routes(routes!(v2::media::retrieve))
            .routes(routes!(v2::media::json_schema))
            .routes(routes!(v2::destinations::list, v2::destinations::create))
            .routes(routes!(v2::destinations::retrieve, v2::destinations::edit, v2::destinations::delete))
            .routes(routes!(v2::destinations::duplicate))
            .routes(routes!(v2::user::retrieve))
            .routes(routes!(v2::sessions::refresh))
            .routes(routes!(v2::sessions::logout))
            .routes(routes!(v2::sessions::logout_all)),
    }
}

fn maintenance(version: Version) -> OpenApiRouter<Api> {
    match version {
        Version::V1 => OpenApiRouter::new(),
        Version::V2 => OpenApiRouter::new()
            .routes(routes!(v2::maintenance::list, v2::maintenance::create))
            .routes(routes!(v2::maintenance::retrieve, v2::maintenance::edit, v2::maintenance::delete)),
    }
}

fn source_paths() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(sources::list, sources::create))
        .routes(routes!(sources::retrieve, sources::edit))
}

fn public(version: Version) -> OpenApiRouter<Api> {
    let both = OpenApiRouter::new()
        .routes(routes!(tokens::exchange))
        .routes(routes!(tokens::logout))
        .routes(routes!(docs::schema));
    match version {
        Version::V1 => both,
        Version::V2 => both.routes(routes!(v2::sessions::login)),
    }
}

/// Returns the public routes without a version.
pub(super) fn unversioned() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(service_info::metadata))
        .routes(routes!(service_info::login_methods))
        .routes(routes!(docs::stable_schema))
}

/// Returns the routes that are neither in a document nor part of the contact API.
fn undocumented() -> Routes<Api> {
    Routes::of(Action::UsePublic)
        .route("/oidc/api-token-auth/", post(tokens::exchange))
        .route("/.still-alive/", any(service_info::still_alive))
        .route("/-/healthy/", get(probes::healthy))
        .route("/-/ready/", get(probes::ready))
        .route("/metrics/", get(probes::metrics))
        .route("/json-schema/{slug}/", get(v2::media::schema_page))
        .merge(docs::swagger_pages())
}

/// Lists the operations that are in no document.
#[must_use]
pub fn undocumented_operations() -> Vec<Operation> {
    let mut operations = undocumented().into_operations();
    operations.extend(icinga::operations());
    operations
}

/// Adds a check of its rights to each part that is not public.
fn guarded(parts: Vec<(Needs, OpenApiRouter<Api>)>, prefix: &str, api: &Api) -> Router {
    parts.into_iter().fold(Router::new(), |routes, (needs, part)| {
        let part = finish(part, prefix, api);
        let check = middleware::from_fn_with_state((api.clone(), needs), auth::require);
        routes.merge(if needs.token() && part.has_routes() { part.route_layer(check) } else { part })
    })
}

/// Adds the answers to unsupported methods, inside the layers of each path, so that rights are checked before "method
/// not allowed".
fn finish(routes: OpenApiRouter<Api>, prefix: &str, api: &Api) -> Router {
    let routes = if prefix.is_empty() { routes } else { OpenApiRouter::new().nest(prefix, routes) };
    let (routes, _) = routes.split_for_parts();
    routes.method_not_allowed_fallback(negotiate::other_method).with_state(api.clone())
}

#[expect(clippy::needless_pass_by_value, reason = "the layer passes the cause by value")]
fn panicked(cause: Box<dyn std::any::Any + Send>) -> axum::response::Response {
    let text = cause.downcast_ref::<String>().map(String::as_str).or_else(|| cause.downcast_ref::<&str>().copied());
    let error = format!("panic: {}", text.unwrap_or("of unknown cause"));
    axum::response::IntoResponse::into_response(ApiError::internal(&error))
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn panics_are_answers() {
        async fn fall() {
            panic!("secret")
        }
        let routes: Router =
            Router::new().route("/", axum::routing::get(fall)).layer(CatchPanicLayer::custom(panicked));
        let response = routes.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 500);
        let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
        assert!(!String::from_utf8_lossy(&body).contains("secret"));
    }
}
