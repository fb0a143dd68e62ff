//! Medium `slack`: an incoming webhook of Slack, or of a program that takes the same, such as Mattermost or Rocket.Chat.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use reqwest::{Method, header};
use serde_json::json;

use super::{
    Channel, Outcome, Transcript,
    http::{Http, Request},
};
use crate::notify::{
    outgoing::Outgoing,
    template::{Part, Templates},
    text::Room,
    view::View,
};

/// Slack cuts longer texts.
const LONGEST: usize = 12_000;

pub(super) struct Slack {
    pub http: Arc<Http>,
    pub templates: Arc<Templates>,
    pub time_zone: chrono_tz::Tz,
}

impl Channel for Slack {
    fn send<'a>(&'a self, message: &'a Outgoing, transcript: &'a mut Transcript) -> BoxFuture<'a, Outcome> {
        let view = View::local(&message.content, self.time_zone);
        let text = self.templates.render_within(Part::Slack, &view, Room::SlackMarkup(LONGEST));
        let request = Request {
            method: Method::POST,
            url: message.setting("destination_url").to_owned(),
            headers: vec![(header::CONTENT_TYPE, "application/json".to_owned())],
            body: json!({"text": text.trim_end()}).to_string().into_bytes(),
        };
        Box::pin(self.http.send(request, transcript))
    }
}
