//! Pages whose form consists of declared inputs. They share one template: a page of this kind is a declaration.

use std::{fmt::Display, marker::PhantomData};

use askama::Template;
use axum::response::Response;
use serde::de::DeserializeOwned;

use super::{
    Ask, FormError, FormFields, FormPage, Frame, PageError, Problem, Section, Site, Visitor,
    form_input::{FormInput, filled},
    missing,
};
use crate::domain::directory::Subject;
use crate::service::{Action, Model};

/// Form for a new thing and for a stored one that consists of declared inputs.
pub trait PlainForm: Sized + 'static {
    /// Kind of the things.
    const SUBJECT: Subject;
    /// Path and title of the page with all of them.
    const LIST: (&'static str, &'static str);
    /// Action that a user must be allowed to do to send the form, and to open it for a new thing.
    const CHANGE: Action;
    /// Action that a user must be allowed to do to open the form for a new thing.
    const OPEN: Action = Self::CHANGE;
    /// Id of the thing in the path.
    type Id: DeserializeOwned + Send + 'static;
    /// The stored thing.
    type Known: Send + Sync;

    /// Finds the stored thing. Not called for forms that only create.
    fn find(
        site: &Site,
        visitor: &Visitor,
        id: Self::Id,
    ) -> impl Future<Output = Result<Self::Known, PageError>> + Send {
        let _ = (site, visitor, id);
        async { Err(missing(Self::SUBJECT.into())) }
    }

    /// Returns the page with stored values in its inputs. If the form was sent, they are then replaced by what was typed.
    fn page(ask: &PlainAsk<Self>, is_sent: bool) -> Result<PlainPage<Self>, PageError>;

    /// Stores what was typed, and returns a redirect.
    fn save(ask: &PlainAsk<Self>) -> impl Future<Output = Result<Response, FormError>> + Send;
}

/// Request for the page.
pub type PlainAsk<T> = Ask<PlainPage<T>>;

#[derive(Template)]
#[template(path = "admin/plain.html")]
pub struct PlainPage<T: PlainForm> {
    pub frame: Frame,
    pub tab: &'static str,
    /// Label beside the title; empty: none.
    pub tag: String,
    /// Path, name and details of each thing, on a page that lists them.
    pub lines: Vec<(Option<String>, String, String)>,
    /// Heading of the form; empty: none.
    pub heading: &'static str,
    /// Path that the form is sent to.
    pub action: String,
    pub button: String,
    pub inputs: Vec<FormInput>,
    pub can_change: bool,
    /// Titles and values for users who may not change them.
    pub facts: Option<Vec<(String, String)>>,
    /// Key of the thing in addresses. `None` for a new thing.
    pub key: Option<String>,
    /// Sentence about what else changes if the thing is deleted, after a space.
    pub consequence: &'static str,
    pub problem: Option<Problem>,
    pub form: PhantomData<fn() -> T>,
}

impl<T: PlainForm> PlainPage<T> {
    /// Returns the page of the thing with this key, or of a new one.
    pub fn new(ask: &PlainAsk<T>, title: impl Into<String>, key: Option<&dyn Display>, inputs: Vec<FormInput>) -> Self {
        let (path, key) = (T::LIST.0, key.map(ToString::to_string));
        let section = if path.starts_with("/admin/") { Section::Admin } else { Section::Sources };
        Self {
            frame: Frame::new(&ask.site, &ask.visitor, section, title),
            tab: path.trim_start_matches("/admin/").trim_end_matches('/'),
            tag: String::new(),
            lines: Vec::new(),
            heading: "",
            action: format!("{path}{}/", key.as_deref().unwrap_or("new")),
            button: if key.is_some() { "Save".to_owned() } else { format!("Create {}", Self::name()) },
            inputs,
            can_change: ask.visitor.caller.may(T::CHANGE),
            facts: None,
            key,
            consequence: "",
            problem: None,
            form: PhantomData,
        }
    }

    fn name() -> &'static str {
        Model::from(T::SUBJECT).name()
    }
}

impl<T: PlainForm> FormPage for PlainPage<T> {
    const CHANGE: Action = T::CHANGE;
    const OPEN: Action = T::OPEN;
    type Id = T::Id;
    type Known = T::Known;
    type Draft = Option<FormFields>;

    async fn find(site: &Site, visitor: &Visitor, id: T::Id) -> Result<T::Known, PageError> {
        T::find(site, visitor, id).await
    }

    fn read(ask: &Ask<Self>) -> Option<FormFields> {
        Some(ask.fields.clone())
    }

    async fn view(ask: &Ask<Self>, typed: Option<FormFields>, problem: Option<Problem>) -> Result<Self, PageError> {
        let page = T::page(ask, typed.is_some())?;
        Ok(Self { inputs: filled(page.inputs, typed.as_ref()), problem, ..page })
    }

    async fn save(ask: &Ask<Self>, _: &mut Option<FormFields>) -> Result<Response, FormError> {
        T::save(ask).await
    }
}
