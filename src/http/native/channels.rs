//! Channels and channel types.

use axum::{extract::State, http::StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::channel_schema;
use crate::{
    domain::{
        channel::{Channel, ChannelDraft},
        limits,
    },
    http::{
        Api, HandlerResult,
        argus::keys::Name,
        auth::Authenticated,
        body::Payload,
        error::ApiError,
        fields::{BodyFields, TextRule},
        reply,
        request::{Request, Settings, request},
        stream,
    },
    service::{AboutType, ChannelType, Model},
};

request! {
    pub struct ChannelRequest fills ChannelDraft requires ["name", "type"] {
        /// Of a new channel; by default one is made up.
        uuid: Uuid,
        /// Unique.
        name: String = text[TextRule::filled_up_to(limits::CHANNEL_NAME)],
        /// One of those that `types/` lists, or that of a plug-in that is still to be installed.
        kind "type": String = text(TextRule::filled_up_to(limits::CHANNEL_NAME)),
        /// Settings, as the type's JSON schema has them.
        config: String as Settings = json,
        /// Everybody may have destinations of this type. Of plug-ins only: the other types are offered anyway.
        offered: bool = flag,
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Channel)]
pub struct ChannelBody<'a> {
    #[schema(value_type = String, format = "uuid")]
    uuid: Uuid,
    name: &'a str,
    r#type: &'a str,
    /// Settings; secrets are blank.
    #[schema(value_type = Option<Object>)]
    config: Option<Map<String, Value>>,
    /// Everybody may have destinations of this type.
    offered: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ChannelType)]
struct TypeBody<'a> {
    r#type: &'a str,
    /// Of a plug-in what it calls itself.
    name: &'a str,
    /// False: of a plug-in.
    built_in: bool,
    version: Option<&'a str>,
    author: Option<&'a str>,
    /// JSON schema of the settings. Null if the plug-in does not say.
    #[schema(value_type = Option<Object>)]
    json_schema: Option<Value>,
    /// Why the plug-in does not say.
    problem: Option<&'a str>,
}

impl<'a> ChannelBody<'a> {
    fn new(channel: &'a Channel, api: &Api) -> Self {
        let config = api.service.contacts().shown_config(channel);
        Self { uuid: channel.uuid, name: &channel.name, r#type: &channel.kind, config, offered: channel.offered }
    }
}

impl<'a> TypeBody<'a> {
    fn new(of: &'a ChannelType) -> Self {
        let bare = Self {
            r#type: &of.kind,
            name: &of.kind,
            built_in: false,
            version: None,
            author: None,
            json_schema: None,
            problem: None,
        };
        match &of.about {
            AboutType::BuiltIn(settings) => {
                let json_schema = Some(channel_schema::of_built_in(&of.kind, settings));
                Self { built_in: true, json_schema, ..bare }
            }
            AboutType::Plugin(info) => Self {
                name: &info.name,
                version: Some(&info.version),
                author: Some(&info.author),
                json_schema: Some(channel_schema::of_plugin(info)),
                ..bare
            },
            AboutType::Silent(problem) => Self { problem: Some(problem), ..bare },
        }
    }
}

/// List channels
///
/// For staff.
#[utoipa::path(get, path = "/channels/", tag = "channels",
    responses((status = 200, body = Vec<ChannelBody<'static>>), (status = 403)))]
pub async fn list(State(api): State<Api>, Authenticated(caller): Authenticated) -> HandlerResult {
    let write = |api: &Api, rows: &mut stream::Rows| {
        let directory = api.service.directory();
        rows.extend(directory.channels_sorted().into_iter().map(|channel| ChannelBody::new(channel, api)))
    };
    stream::from_memory(api, caller.id(), stream::ARRAY, write).await
}

/// Create a channel
///
/// What the settings have to look like says its type. For superusers.
#[utoipa::path(post, path = "/channels/", tag = "channels", request_body = ChannelRequest,
    responses((status = 201, body = ChannelBody<'static>), (status = 403)))]
pub async fn create(State(api): State<Api>, Authenticated(caller): Authenticated, payload: Payload) -> HandlerResult {
    let new = payload.parse(|fields| Some(take_new(fields))).await?;
    let channel = api.service.contacts().put_channel(&caller, None, new).await?;
    Ok(reply::json(StatusCode::CREATED, &ChannelBody::new(&channel, &api)))
}

/// Read a channel
///
/// For staff.
#[utoipa::path(get, path = "/channels/{uuid}/", tag = "channels",
    responses((status = 200, body = ChannelBody<'static>), (status = 403)))]
pub async fn retrieve(State(api): State<Api>, Name(uuid): Name) -> HandlerResult {
    let directory = api.service.directory();
    let channel = directory.channels.get(&key(&uuid)?).ok_or_else(unknown)?;
    Ok(reply::json(StatusCode::OK, &ChannelBody::new(channel, &api)))
}

/// Change a channel
///
/// Settings are replaced as a whole, but a secret that is blank stays while the others lead to the same place. Left out,
/// they stay; a channel that changes its type loses them. For superusers.
#[utoipa::path(method(put, patch), path = "/channels/{uuid}/", tag = "channels", request_body = ChannelRequest,
    responses((status = 200, body = ChannelBody<'static>), (status = 403)))]
pub async fn edit(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Name(uuid): Name,
    payload: Payload,
) -> HandlerResult {
    let uuid = key(&uuid)?;
    if !api.service.directory().channels.contains_key(&uuid) {
        return Err(unknown());
    }
    let change = payload.request::<ChannelRequest>().await?;
    let channel = api.service.contacts().put_channel(&caller, Some(uuid), change).await?;
    Ok(reply::json(StatusCode::OK, &ChannelBody::new(&channel, &api)))
}

/// Delete a channel
///
/// Not while it is a contact's default. It leaves the rules that name it. For superusers.
#[utoipa::path(delete, path = "/channels/{uuid}/", tag = "channels", responses((status = 204), (status = 403)))]
pub async fn delete(State(api): State<Api>, Authenticated(caller): Authenticated, Name(uuid): Name) -> HandlerResult {
    api.service.contacts().delete_channel(&caller, key(&uuid)?).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

/// List the types of channels
///
/// With what their settings look like. For staff.
#[utoipa::path(get, path = "/channels/types/", tag = "channels", operation_id = "channels_types",
    responses((status = 200, body = Vec<TypeBody<'static>>), (status = 403)))]
pub async fn types(State(api): State<Api>) -> HandlerResult {
    let types = api.service.contacts().channel_types();
    let bodies: Vec<TypeBody<'_>> = types.iter().map(TypeBody::new).collect();
    Ok(reply::json(StatusCode::OK, &bodies))
}

fn key(text: &str) -> Result<Uuid, ApiError> {
    text.parse().map_err(|_| unknown())
}

fn unknown() -> ApiError {
    ApiError::no_match(Model::Channel)
}

fn take_new(fields: &mut BodyFields) -> ChannelDraft {
    let uuid = fields.uuid("uuid");
    ChannelDraft { uuid, ..ChannelRequest::take(fields) }
}
