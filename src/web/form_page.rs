//! Pages with a form. A page implements [`FormPage`]: the content of its fields, its appearance, and how it is saved.
//! The rest is the same for all pages: the form is opened and sent, and is saved, or shown again with the entered
//! values and the problem.

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::Method,
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;

use super::{
    FormFields, PageError, PageResult, Posted, Problem, Site, Visitor, notification_settings::needed, page, refused,
    see,
};
use crate::http::routes::{Handlers, get};
use crate::service::{Action, Refusal, ServiceError, StoreError};

/// Page with a form for a new thing and for a stored one. Its template shows both.
pub trait FormPage: askama::Template + Send + Sync + Sized + 'static {
    /// Action that a user must be allowed to do to send the form, and to open it for a new thing.
    const CHANGE: Action;
    /// Action that a user must be allowed to do to open the form for a new thing.
    const OPEN: Action = Self::CHANGE;
    /// Converts a refusal to a problem in the words of this form.
    const WORDS: fn(&Refusal) -> Problem = Problem::refused;
    /// Whether the form has a button for a preview.
    const HAS_PREVIEW: bool = false;
    /// Id of the thing in the path.
    type Id: DeserializeOwned + Send + 'static;
    /// The stored thing.
    type Known: Send + Sync;
    /// Content of the fields.
    type Draft: Default + Send + Sync;

    /// Finds the stored thing. Not called for forms that only create.
    fn find(
        site: &Site,
        visitor: &Visitor,
        id: Self::Id,
    ) -> impl Future<Output = Result<Self::Known, PageError>> + Send {
        let _ = (site, visitor, id);
        async { Err(PageError::NotFound("This page does not exist.".to_owned())) }
    }

    /// Returns the content of the fields when the form is opened.
    fn start(ask: &Ask<Self>) -> Self::Draft {
        let _ = ask;
        Self::Draft::default()
    }

    /// Reads the entered values.
    fn read(ask: &Ask<Self>) -> Self::Draft;

    /// Builds the page with these fields and with the problem, if any.
    fn view(
        ask: &Ask<Self>,
        draft: Self::Draft,
        problem: Option<Problem>,
    ) -> impl Future<Output = Result<Self, PageError>> + Send;

    /// Saves the entered values and returns a redirect. The draft may be changed in case it is shown again.
    fn save(ask: &Ask<Self>, draft: &mut Self::Draft) -> impl Future<Output = Result<Response, FormError>> + Send;

    /// Converts a refusal of the service, for forms whose words depend on the thing.
    fn refusal(ask: &Ask<Self>, refusal: &Refusal) -> Problem {
        let _ = ask;
        (Self::WORDS)(refusal)
    }

    /// Returns the path of the form if a visitor may leave it to create something that it needs, and come back with it.
    #[must_use]
    fn place(known: Option<&Self::Known>) -> Option<String> {
        let _ = known;
        None
    }
}

/// Request for a page with a form.
pub struct Ask<T: FormPage> {
    pub site: Site,
    pub visitor: Visitor,
    /// `None` for a new thing.
    pub known: Option<T::Known>,
    /// Fields of the query, or of the form that was sent.
    pub fields: FormFields,
    preview: Preview,
}

#[derive(Clone, Copy)]
enum Preview {
    Empty,
    Wanted,
    /// The form is shown again because of a problem, with the preview if it can be computed.
    Kept,
}

/// Reason why a form was not saved.
pub enum FormError {
    /// Shown in the form, with the entered values.
    Problem(Problem),
    /// Converted by [`FormPage::refusal`] and shown in the form.
    Refused(Refusal),
    /// Ends the request with an error page.
    Page(PageError),
}

impl From<Problem> for FormError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<PageError> for FormError {
    fn from(error: PageError) -> Self {
        Self::Page(error)
    }
}

impl From<StoreError> for FormError {
    fn from(error: StoreError) -> Self {
        Self::Page(error.into())
    }
}

impl From<ServiceError> for FormError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Refused(refusal) => Self::Refused(refusal),
            error => Self::Page(error.into()),
        }
    }
}

impl FormError {
    /// Returns the problem that the form shows; `words` converts a refusal. An error page is the error.
    pub fn problem(self, words: impl FnOnce(&Refusal) -> Problem) -> Result<Problem, PageError> {
        match self {
            Self::Problem(problem) => Ok(problem),
            Self::Refused(refusal) => Ok(words(&refusal)),
            Self::Page(error) => Err(error),
        }
    }
}

/// Used where the error is not shown in a form.
impl From<FormError> for PageError {
    fn from(failure: FormError) -> Self {
        match failure {
            FormError::Problem(problem) => Self::BadRequest(problem.to_string()),
            FormError::Refused(refusal) => ServiceError::Refused(refusal).into(),
            FormError::Page(error) => error,
        }
    }
}

impl<T: FormPage> Ask<T> {
    /// Creates the request for the page of a stored thing.
    pub async fn about(site: Site, visitor: Visitor, id: T::Id) -> Result<Self, PageError> {
        let known = Some(T::find(&site, &visitor, id).await?);
        Ok(Self { site, visitor, known, fields: FormFields::default(), preview: Preview::Empty })
    }

    /// Returns the stored thing, on pages that always have one.
    pub fn known(&self) -> Result<&T::Known, PageError> {
        self.known.as_ref().ok_or_else(|| PageError::NotFound("This page does not exist.".to_owned()))
    }

    /// Computes the preview, if the page is to have one.
    pub async fn preview<P: Default>(&self, find: impl Future<Output = Result<P, PageError>>) -> Result<P, PageError> {
        match self.preview {
            Preview::Empty => Ok(P::default()),
            Preview::Wanted => find.await,
            Preview::Kept => Ok(find.await.unwrap_or_default()),
        }
    }

    /// Builds the page as it is when it is opened.
    pub async fn page(&self) -> Result<T, PageError> {
        T::view(self, T::start(self), None).await
    }

    /// Builds the page after another action on it was refused.
    pub async fn refuse(self, failure: impl Into<FormError>) -> PageResult {
        let draft = T::start(&self);
        self.again(draft, failure.into()).await
    }

    async fn again(self, draft: T::Draft, failure: FormError) -> PageResult {
        let problem = failure.problem(|refusal| T::refusal(&self, refusal))?;
        refused(&T::view(&self, draft, Some(problem)).await?)
    }
}

impl<T: FormPage> FromRequest<Site> for Ask<T> {
    type Rejection = Response;

    async fn from_request(request: Request, site: &Site) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let path = Option::<Path<T::Id>>::from_request_parts(&mut parts, site).await;
        let path = path.map_err(IntoResponse::into_response)?;
        let is_sent = parts.method == Method::POST;
        let (visitor, fields) = if is_sent {
            let Posted { visitor, fields } = Posted::from_request(Request::from_parts(parts, body), site).await?;
            (visitor, fields)
        } else {
            let visitor = Visitor::from_request_parts(&mut parts, site).await?;
            (visitor, FormFields::of_query(parts.uri.query()))
        };
        if is_sent || path.is_none() {
            let action = if is_sent { T::CHANGE } else { T::OPEN };
            visitor.caller.require(action).map_err(|error| PageError::from(error).into_response())?;
        }
        let known = match path {
            Some(Path(id)) => Some(T::find(site, &visitor, id).await.map_err(IntoResponse::into_response)?),
            None => None,
        };
        Ok(Self { site: site.clone(), visitor, known, fields, preview: Preview::Empty })
    }
}

/// Returns the handlers for the path of a form, which open and send it.
pub(super) fn form<T: FormPage>() -> Handlers<Site> {
    get(show::<T>).post(send::<T>)
}

/// Opens the form.
async fn show<T: FormPage>(ask: Ask<T>) -> PageResult {
    let is_draft = ask.fields.ticked(needed::DRAFT) && T::place(ask.known.as_ref()).is_some();
    let draft = if is_draft { T::read(&ask) } else { T::start(&ask) };
    page(&T::view(&ask, draft, None).await?)
}

/// Saves the entered values.
pub async fn send<T: FormPage>(mut ask: Ask<T>) -> PageResult {
    let leave = T::place(ask.known.as_ref()).and_then(|place| needed::leave(&ask.fields, &place));
    if let Some(place) = leave {
        return Ok(see(&place));
    }
    let mut draft = T::read(&ask);
    if T::HAS_PREVIEW && ask.fields.ticked("preview") {
        ask.preview = Preview::Wanted;
        return page(&T::view(&ask, draft, None).await?);
    }
    match T::save(&ask, &mut draft).await {
        Ok(done) => Ok(done),
        Err(failure) => {
            ask.preview = Preview::Kept;
            ask.again(draft, failure).await
        }
    }
}
