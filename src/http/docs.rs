//! The OpenAPI documents, generated from the handlers, and a page that shows them (contract section 20).

use std::sync::{Arc, LazyLock};

use axum::{
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Components, Content, InfoBuilder, OpenApi, RefOr, ResponseBuilder, Schema,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem},
        schema::{ObjectBuilder, SchemaType, Type},
        security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use super::{
    Api, ApiError, Version,
    auth::Needs,
    native, params, router,
    routes::{Routes, get},
};
use crate::service::Action;

const YAML: HeaderValue = HeaderValue::from_static("application/vnd.oai.openapi");
const JSON: HeaderValue = HeaderValue::from_static("application/vnd.oai.openapi+json");
/// The page has its own styles and pictures.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
);

/// Body of an error that concerns the whole request.
#[derive(ToSchema)]
pub struct Detail {
    pub detail: String,
}

/// Returns the OpenAPI document of one version of the Argus API.
#[must_use]
pub fn openapi(version: Version) -> OpenApi {
    let title = format!("The Argus incident API {}.", version.name());
    let mut document = assemble(title, version.prefix(), router::parts(version));
    if version == Version::V2 {
        let mut part = router::unversioned().into_openapi();
        describe(&mut part, false);
        document.merge(part);
    }
    let components = document.components.get_or_insert_with(Components::new);
    for (schema, property) in version.absent_properties() {
        if let Some(RefOr::T(Schema::Object(object))) = components.schemas.get_mut(schema) {
            object.properties.remove(property);
            object.required.retain(|name| name != property);
        }
    }
    document
}

/// Returns the OpenAPI document of argusd's own API.
#[must_use]
pub fn native_openapi() -> OpenApi {
    let title = "Additions to the Argus API: messages about events, their state, and why somebody was not notified.";
    assemble(title.to_owned(), native::PREFIX, native::parts())
}

fn assemble(title: String, prefix: &str, parts: Vec<(Needs, OpenApiRouter<Api>)>) -> OpenApi {
    let mut document = OpenApi::default();
    document.info =
        InfoBuilder::new().title("argusd").version(env!("CARGO_PKG_VERSION")).description(Some(title)).build();
    for (needs, part) in parts {
        let mut part = OpenApiRouter::new().nest(prefix, part).into_openapi();
        describe(&mut part, needs.token());
        document.merge(part);
    }
    let components = document.components.get_or_insert_with(Components::new);
    components.schemas.insert(Detail::name().into_owned(), Detail::schema());
    components.add_security_scheme("tokenAuth", token_scheme());
    document
}

/// Returns the operations of a path, with their methods.
#[must_use]
pub fn operations(item: &PathItem) -> Vec<(&'static str, &Operation)> {
    let all = [
        ("GET", &item.get),
        ("POST", &item.post),
        ("PUT", &item.put),
        ("PATCH", &item.patch),
        ("DELETE", &item.delete),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?))).collect()
}

/// Adds to each operation of `part` its id, path parameters, security, and the errors that follow from its path and
/// token.
fn describe(part: &mut OpenApi, needs_token: bool) {
    for (path, item) in &mut part.paths.paths {
        let names: Vec<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
        let methods = [
            ("get", &mut item.get),
            ("post", &mut item.post),
            ("put", &mut item.put),
            ("patch", &mut item.patch),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in methods {
            let Some(operation) = operation else { continue };
            operation.operation_id = Some(operation_id(method, path));
            for (status, response) in &mut operation.responses.responses {
                if let RefOr::T(response) = response
                    && response.description.is_empty()
                {
                    reason(status).clone_into(&mut response.description);
                }
            }
            let parameters = operation.parameters.get_or_insert_default();
            parameters.extend(names.iter().map(|name| RefOr::T(path_parameter(name))));
            if parameters.is_empty() {
                operation.parameters = None;
            }
            let token = || SecurityRequirement::new::<_, [&str; 0], &str>("tokenAuth", []);
            operation.security = Some(if needs_token { vec![token()] } else { Vec::new() });
            if needs_token {
                refuse(operation, "401", "The token is missing or not valid.");
            }
            if !names.is_empty() {
                refuse(operation, "404", "Not found.");
            }
            if has_query_parameter(operation, |name| name == "cursor") {
                refuse(operation, "404", "Page not found.");
            }
            if operation.request_body.is_some() || !names.is_empty() || has_query_parameter(operation, |_| true) {
                let texts = "Errors by field, or a list of texts, or one text.";
                let described = ResponseBuilder::new().description(texts);
                let body = Content::new(Some(ObjectBuilder::new().schema_type(SchemaType::AnyValue).build()));
                let response = described.content("application/json", body).build();
                operation.responses.responses.entry("400".to_owned()).or_insert(RefOr::T(response));
            }
        }
    }
}

/// Returns the id of an operation: `get_incidents_pk_events` for GET `/api/v2/incidents/{pk}/events/`.
fn operation_id(method: &str, path: &str) -> String {
    let prefixes = Version::ALL.map(Version::prefix).into_iter().chain([native::PREFIX]);
    let named = prefixes.into_iter().find_map(|prefix| path.strip_prefix(prefix)).unwrap_or(path);
    let words = named.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
}

fn reason(status: &str) -> &'static str {
    let status: Option<StatusCode> = status.parse().ok();
    status.and_then(|status| status.canonical_reason()).unwrap_or("Done")
}

fn refuse(operation: &mut Operation, status: &str, text: &str) {
    operation.responses.responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(refusal(text)));
}

fn has_query_parameter(operation: &Operation, named: impl Fn(&str) -> bool) -> bool {
    let fits = |parameter: &RefOr<Parameter>| matches!(parameter, RefOr::T(Parameter { parameter_in: ParameterIn::Query, name, .. }) if named(name));
    operation.parameters.iter().flatten().any(fits)
}

fn path_parameter(name: &str) -> Parameter {
    let kind = if name.ends_with("pk") { Type::Integer } else { Type::String };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .schema(Some(ObjectBuilder::new().schema_type(kind).build()))
        .build()
}

fn refusal(text: &str) -> utoipa::openapi::Response {
    let body = Content::new(Some(utoipa::openapi::Ref::from_schema_name(Detail::name())));
    ResponseBuilder::new().description(text).content("application/json", body).build()
}

fn token_scheme() -> SecurityScheme {
    let value = ApiKeyValue::with_description("Authorization", "`Token <token>`");
    SecurityScheme::ApiKey(ApiKey::Header(value))
}

/// Read this document
///
/// YAML, or JSON with `?format=json`.
#[utoipa::path(get, path = "/schema/", tag = "server", responses((status = 200)))]
pub async fn schema(State(api): State<Api>, uri: Uri, headers: HeaderMap) -> Response {
    match api.version {
        Version::V1 => serve(&V1, &uri, &headers),
        Version::V2 => serve(&V2, &uri, &headers),
    }
}

/// Read this document
///
/// YAML, or JSON with `?format=json`.
#[utoipa::path(get, path = "/schema/", tag = "server", responses((status = 200)))]
pub async fn native_schema(uri: Uri, headers: HeaderMap) -> Response {
    serve(&NATIVE, &uri, &headers)
}

/// Read the document of the stable version
///
/// YAML, or JSON with `?format=json`.
#[utoipa::path(get, path = "/api/schema/", tag = "server", responses((status = 200)))]
pub async fn stable_schema(uri: Uri, headers: HeaderMap) -> Response {
    serve(&V2, &uri, &headers)
}

struct Texts {
    yaml: String,
    json: String,
}

impl Texts {
    fn new(document: &OpenApi) -> Self {
        Self { yaml: document.to_yaml().unwrap_or_default(), json: document.to_json().unwrap_or_default() }
    }
}

static V1: LazyLock<Texts> = LazyLock::new(|| Texts::new(&openapi(Version::V1)));
static V2: LazyLock<Texts> = LazyLock::new(|| Texts::new(&openapi(Version::V2)));
static NATIVE: LazyLock<Texts> = LazyLock::new(|| Texts::new(&native_openapi()));

fn serve(texts: &'static Texts, uri: &Uri, headers: &HeaderMap) -> Response {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_json = match params::last(uri.query(), "format").as_deref() {
        None | Some("") => accepted.contains("json") && !accepted.contains("yaml"),
        Some(format) => format.ends_with("json"),
    };
    let (kind, text) = if is_json { (JSON, &texts.json) } else { (YAML, &texts.yaml) };
    ([(header::CONTENT_TYPE, kind)], text.as_str()).into_response()
}

/// Returns the routes of a Swagger page for each document. The pages are public, as the documents are.
pub(super) fn swagger_pages() -> Routes<Api> {
    let mut pages = Routes::of(Action::UsePublic);
    for schema in ["/api/schema/", "/api/v1/schema/", "/api/v2/schema/", "/argusd/v1/schema/"] {
        let config = Arc::new(utoipa_swagger_ui::Config::from(schema_as_json(schema)));
        let page = format!("{schema}swagger-ui/");
        let index = Arc::clone(&config);
        pages = pages.route(&page, get(move || async move { swagger_file("", index) })).route(
            &format!("{page}{{*file}}"),
            get(move |Path(file): Path<String>| async move { swagger_file(&file, config) }),
        );
    }
    pages
}

fn schema_as_json(schema: &str) -> &'static str {
    match schema {
        "/api/v1/schema/" => "/api/v1/schema/?format=json",
        "/api/v2/schema/" => "/api/v2/schema/?format=json",
        "/argusd/v1/schema/" => "/argusd/v1/schema/?format=json",
        _ => "/api/schema/?format=json",
    }
}

fn swagger_file(path: &str, config: Arc<utoipa_swagger_ui::Config<'static>>) -> Response {
    match utoipa_swagger_ui::serve(path, config) {
        Ok(Some(file)) => {
            let mut response = file.bytes.into_owned().into_response();
            let headers = response.headers_mut();
            if let Ok(kind) = HeaderValue::from_str(&file.content_type) {
                headers.insert(header::CONTENT_TYPE, kind);
            }
            if file.gzpipped {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            headers.insert(header::CONTENT_SECURITY_POLICY, PAGE_POLICY);
            response
        }
        Ok(None) => ApiError::not_found().into_response(),
        Err(error) => ApiError::internal(&error).into_response(),
    }
}
