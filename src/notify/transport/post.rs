//! Posts a text as JSON to the address of the destination, for channel types without a protocol of their own.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use reqwest::{Method, header};

use super::{
    AttemptOutcome, Transcript, Transport,
    http::{Http, HttpRequest},
};
use crate::domain::channel_types::{Markup, Post};
use crate::notify::{Outgoing, template::Templates, text::TextLimit, view::MessageView};

pub(super) struct Poster {
    pub what: &'static Post,
    pub http: Arc<Http>,
    pub templates: Arc<Templates>,
    pub time_zone: chrono_tz::Tz,
}

impl Transport for Poster {
    fn carry<'a>(&'a self, message: &'a Outgoing, transcript: &'a mut Transcript) -> BoxFuture<'a, AttemptOutcome> {
        let view = MessageView::local(&message.content, self.time_zone);
        let room = match self.what.markup {
            Markup::Plain => TextLimit::Characters(self.what.longest),
            Markup::Slack => TextLimit::SlackMarkup(self.what.longest),
        };
        let text = self.templates.render_within(self.what.template, &view, room);
        let request = HttpRequest {
            method: Method::POST,
            url: message.setting("destination_url").to_owned(),
            headers: vec![(header::CONTENT_TYPE, "application/json".to_owned())],
            body: (self.what.body)(text.trim_end()).to_string().into_bytes(),
        };
        Box::pin(self.http.send(request, transcript))
    }
}
