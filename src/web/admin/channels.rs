//! Channels: the ways in which contacts are told.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use uuid::Uuid;

use super::{
    Staff,
    channel_form::{ChannelForm, Input, inputs},
    problem, uuid,
};
use crate::{
    domain::{
        channel::{Channel, ChannelDraft},
        filter::fold,
        limits::CHANNEL_NAME,
    },
    service::{Action, Model},
    web::{
        Site,
        answer::{Answer, PageError, done, missing, page, page_with},
        frame::{Frame, Section},
        problem::Problem,
        visitor::{Posted, Visitor},
    },
};

#[derive(Template)]
#[template(path = "admin/channels.html")]
struct ChannelsPage {
    frame: Frame,
    tab: &'static str,
    rows: Vec<Arc<Channel>>,
    /// That a new one can be of.
    types: Vec<String>,
    q: String,
}

#[derive(Template)]
#[template(path = "admin/channel.html")]
struct ChannelPage {
    frame: Frame,
    tab: &'static str,
    /// `None`: a new one.
    channel: Option<Arc<Channel>>,
    kind: String,
    form: ChannelForm,
    inputs: Vec<Input>,
    problem: Option<Problem>,
}

pub async fn list(State(site): State<Site>, staff: Staff) -> Answer {
    let (directory, q) = (site.service.directory(), staff.query.text("q"));
    let folded = fold(&q);
    let mut rows: Vec<Arc<Channel>> =
        directory.channels.values().filter(|channel| fold(&channel.name).contains(&folded)).cloned().collect();
    rows.sort_by_key(|channel| fold(&channel.name));
    let types = site.service.channel_types().into_iter().map(|known| known.kind).collect();
    page(&ChannelsPage { frame: staff.frame(&site, "Channels"), tab: "channels", rows, types, q })
}

pub async fn new(State(site): State<Site>, staff: Staff) -> Answer {
    staff.visitor.caller.require(Action::ManageChannels)?;
    let kind = staff.query.text("type");
    if !site.service.channel_types().iter().any(|known| known.kind == kind) {
        return Err(PageError::NotFound("There is no such type of channels.".to_owned()));
    }
    page(&channel_page(&site, &staff.visitor, None, kind, ChannelForm::default(), None))
}

pub async fn create(State(site): State<Site>, Posted { visitor, fields }: Posted) -> Answer {
    visitor.caller.require(Action::ManageChannels)?;
    let kind = fields.text("type");
    let form = ChannelForm::read(&fields);
    let problem = match form.config(&inputs(&site, &kind, None)) {
        Err(problem) => problem,
        Ok(config) => {
            let new = ChannelDraft { kind: Some(kind.clone()), ..form.draft(config) };
            match site.service.create_channel(&visitor.caller, new).await {
                Ok(channel) => return Ok(done(&path(channel.uuid), "The channel is made.")),
                Err(error) => problem(error)?,
            }
        }
    };
    let again = channel_page(&site, &visitor, None, kind, form, Some(problem));
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &again)
}

pub async fn show(State(site): State<Site>, Path(id): Path<String>, staff: Staff) -> Answer {
    let channel = find(&site, &id)?;
    let (kind, form) = (channel.kind.clone(), ChannelForm::of(&channel));
    page(&channel_page(&site, &staff.visitor, Some(channel), kind, form, None))
}

/// The type stays: settings belong to it.
pub async fn save(State(site): State<Site>, Path(id): Path<String>, Posted { visitor, fields }: Posted) -> Answer {
    visitor.caller.require(Action::ManageChannels)?;
    let (channel, form) = (find(&site, &id)?, ChannelForm::read(&fields));
    let problem = match form.config(&inputs(&site, &channel.kind, Some(&channel))) {
        Err(problem) => problem,
        Ok(config) => match site.service.change_channel(&visitor.caller, channel.uuid, form.draft(config)).await {
            Ok(_) => return Ok(done(&path(channel.uuid), "Saved.")),
            Err(error) => problem(error)?,
        },
    };
    let kind = channel.kind.clone();
    let again = channel_page(&site, &visitor, Some(channel), kind, form, Some(problem));
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &again)
}

pub async fn delete(State(site): State<Site>, Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Answer {
    site.service.delete_channel(&visitor.caller, uuid(&id, Model::Channel)?).await?;
    Ok(done("/admin/channels/", "The channel is deleted."))
}

fn channel_page(
    site: &Site,
    visitor: &Visitor,
    channel: Option<Arc<Channel>>,
    kind: String,
    form: ChannelForm,
    problem: Option<Problem>,
) -> ChannelPage {
    let mut inputs = inputs(site, &kind, channel.as_deref());
    form.fill(&mut inputs);
    let title = channel.as_ref().map_or_else(|| format!("New channel: {kind}"), |it| it.name.clone());
    let frame = Frame::new(site, visitor, Section::Admin, title);
    ChannelPage { frame, tab: "channels", channel, kind, form, inputs, problem }
}

fn find(site: &Site, id: &str) -> Result<Arc<Channel>, PageError> {
    let found = site.service.directory().channels.get(&uuid(id, Model::Channel)?).cloned();
    found.ok_or_else(|| missing(Model::Channel))
}

fn path(uuid: Uuid) -> String {
    format!("/admin/channels/{uuid}/")
}
