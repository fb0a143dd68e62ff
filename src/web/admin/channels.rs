//! Channels: list and form.

use std::{fmt::Display, sync::Arc};

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};

use super::{
    Staff,
    channel_form::{config, settings},
    uuid,
};
use crate::domain::{Channel, ChannelDraft, Managed, directory::Subject, filter::fold};
use crate::service::{Action, Model};
use crate::web::{
    FormError, Frame, PageError, PageResult, Posted, Site, Visitor, done,
    form_input::{Check, FormInput, Hidden, Line},
    missing, page,
    plain_form::{PlainAsk, PlainForm, PlainPage},
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

pub async fn list(State(site): State<Site>, staff: Staff) -> PageResult {
    let (directory, q) = (site.service.directory(), staff.query.text("q"));
    let folded = fold(&q);
    let mut rows: Vec<Arc<Channel>> =
        directory.channels.values().filter(|channel| fold(&channel.name).contains(&folded)).cloned().collect();
    rows.sort_by_key(|channel| fold(&channel.name));
    let types = site.service.contacts().channel_types().into_iter().map(|known| known.kind).collect();
    page(&ChannelsPage { frame: staff.frame(&site, "Channels"), tab: "channels", rows, types, q })
}

/// Form of a channel. The type cannot be changed, because the settings depend on it.
pub enum ChannelForm {}

impl PlainForm for ChannelForm {
    const SUBJECT: Subject = Subject::Channel;
    const LIST: (&'static str, &'static str) = ("/admin/channels/", "Channels");
    const CHANGE: Action = Action::ManageChannels;
    type Id = String;
    type Known = Arc<Channel>;

    async fn find(site: &Site, _: &Visitor, id: String) -> Result<Arc<Channel>, PageError> {
        let found = site.service.directory().channels.get(&uuid(&id, Model::Channel)?).cloned();
        found.ok_or_else(|| missing(Model::Channel))
    }

    fn page(ask: &PlainAsk<Self>, is_sent: bool) -> Result<PlainPage<Self>, PageError> {
        let (site, channel, kind) = (&ask.site, ask.known.as_deref(), kind(ask));
        let is_known = || site.service.contacts().channel_types().iter().any(|known| known.kind == kind);
        if channel.is_none() && !is_sent && !is_known() {
            return Err(PageError::NotFound("This channel type does not exist.".to_owned()));
        }
        let settings = settings(site, &kind, channel);
        let shown = |it: &FormInput| if it.secret && it.is_set { "(set)".to_owned() } else { it.value.clone() };
        let facts = settings.iter().map(|it| (it.title.to_string(), shown(it))).filter(|(_, value)| !value.is_empty());
        let facts = Some(facts.collect());
        let name = channel.map(|it| it.name.clone()).unwrap_or_default();
        let offered = FormInput::new(Check, "offered", "Users may have destinations of this type too");
        let mut inputs = vec![
            FormInput::new(Hidden, "type", "").holding(&*kind),
            FormInput::new(Line, "name", "Name").up_to(Channel::LONGEST_NAME).required().holding(&*name),
        ];
        inputs.extend(settings);
        inputs.push(offered.checked(channel.is_some_and(|it| it.offered)));
        let title = if channel.is_some() { name } else { format!("New channel: {kind}") };
        let key = channel.map(|it| &it.uuid as &dyn Display);
        let consequence = " It is removed from all rules.";
        Ok(PlainPage { tag: kind, facts, consequence, ..PlainPage::new(ask, title, key, inputs) })
    }

    async fn save(ask: &PlainAsk<Self>) -> Result<Response, FormError> {
        let (service, caller, fields, kind) = (&ask.site.service, &ask.visitor.caller, &ask.fields, kind(ask));
        let config = config(fields, &settings(&ask.site, &kind, ask.known.as_deref()))?;
        let draft = ChannelDraft {
            name: Some(fields.text("name")),
            offered: Some(fields.ticked("offered")),
            config: Some(config),
            kind: ask.known.is_none().then_some(kind),
            ..ChannelDraft::default()
        };
        let key = ask.known.as_ref().map(|channel| channel.uuid);
        let channel = service.contacts().put_channel(caller, key, draft).await?;
        let notice = if key.is_some() { "Saved." } else { "Channel created." };
        Ok(done(&format!("/admin/channels/{}/", channel.uuid), notice))
    }
}

fn kind(ask: &PlainAsk<ChannelForm>) -> String {
    ask.known.as_ref().map_or_else(|| ask.fields.text("type"), |channel| channel.kind.clone())
}

pub async fn delete(State(site): State<Site>, Path(id): Path<String>, Posted { visitor, .. }: Posted) -> PageResult {
    site.service.contacts().delete_channel(&visitor.caller, uuid(&id, Model::Channel)?).await?;
    Ok(done("/admin/channels/", "Channel deleted."))
}
