//! Channels: list and form.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use uuid::Uuid;

use super::{
    Staff,
    channel_form::{ChannelForm, SettingInput, inputs},
    uuid,
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
        answer::{PageError, PageResult, done, missing, page},
        form_page::{Ask, FormError, FormPage},
        layout::{Frame, Section},
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
    /// Types that a new channel can have.
    types: Vec<String>,
    q: String,
}

#[derive(Template)]
#[template(path = "admin/channel.html")]
pub struct ChannelPage {
    frame: Frame,
    tab: &'static str,
    /// `None` for a new channel.
    channel: Option<Arc<Channel>>,
    kind: String,
    form: ChannelForm,
    inputs: Vec<SettingInput>,
    problem: Option<Problem>,
}

pub async fn list(State(site): State<Site>, staff: Staff) -> PageResult {
    let (directory, q) = (site.service.directory(), staff.query.text("q"));
    let folded = fold(&q);
    let mut rows: Vec<Arc<Channel>> =
        directory.channels.values().filter(|channel| fold(&channel.name).contains(&folded)).cloned().collect();
    rows.sort_by_key(|channel| fold(&channel.name));
    let types = site.service.contacts().channel_types().into_iter().map(|known| known.kind).collect();
    page(&ChannelsPage { frame: staff.frame(&site, "Channels"), tab: "channels", rows, types, q })
}

/// The type cannot be changed, because the settings depend on it.
impl FormPage for ChannelPage {
    const CHANGE: Action = Action::ManageChannels;
    type Id = String;
    type Known = Arc<Channel>;
    type Draft = ChannelForm;

    async fn find(site: &Site, _: &Visitor, id: String) -> Result<Arc<Channel>, PageError> {
        let found = site.service.directory().channels.get(&uuid(&id, Model::Channel)?).cloned();
        found.ok_or_else(|| missing(Model::Channel))
    }

    fn start(ask: &Ask<Self>) -> ChannelForm {
        ask.known.as_deref().map(ChannelForm::of).unwrap_or_default()
    }

    fn read(ask: &Ask<Self>) -> ChannelForm {
        ChannelForm::read(&ask.fields)
    }

    async fn view(ask: &Ask<Self>, form: ChannelForm, problem: Option<Problem>) -> Result<Self, PageError> {
        let (site, channel, kind) = (&ask.site, ask.known.clone(), kind(ask));
        let is_known = || site.service.contacts().channel_types().iter().any(|known| known.kind == kind);
        if channel.is_none() && problem.is_none() && !is_known() {
            return Err(PageError::NotFound("This channel type does not exist.".to_owned()));
        }
        let mut inputs = inputs(site, &kind, channel.as_deref());
        form.fill(&mut inputs);
        let title = channel.as_ref().map_or_else(|| format!("New channel: {kind}"), |it| it.name.clone());
        let frame = Frame::new(site, &ask.visitor, Section::Admin, title);
        Ok(Self { frame, tab: "channels", channel, kind, form, inputs, problem })
    }

    async fn save(ask: &Ask<Self>, form: &mut ChannelForm) -> Result<Response, FormError> {
        let (service, caller, kind) = (&ask.site.service, &ask.visitor.caller, kind(ask));
        let draft = form.draft(form.config(&inputs(&ask.site, &kind, ask.known.as_deref()))?);
        if let Some(channel) = &ask.known {
            service.contacts().put_channel(caller, Some(channel.uuid), draft).await?;
            return Ok(done(&path(channel.uuid), "Saved."));
        }
        let channel = service.contacts().put_channel(caller, None, ChannelDraft { kind: Some(kind), ..draft }).await?;
        Ok(done(&path(channel.uuid), "Channel created."))
    }
}

fn kind(ask: &Ask<ChannelPage>) -> String {
    ask.known.as_ref().map_or_else(|| ask.fields.text("type"), |channel| channel.kind.clone())
}

pub async fn delete(State(site): State<Site>, Path(id): Path<String>, Posted { visitor, .. }: Posted) -> PageResult {
    site.service.contacts().delete_channel(&visitor.caller, uuid(&id, Model::Channel)?).await?;
    Ok(done("/admin/channels/", "Channel deleted."))
}

fn path(uuid: Uuid) -> String {
    format!("/admin/channels/{uuid}/")
}
