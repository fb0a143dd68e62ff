//! The page of one user: details, rights, password, tokens and sessions.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};

use super::{TokenLine, default_life, token_life};
use crate::domain::{
    TokenId, TokenKind, User, UserDraft, UserId,
    directory::Subject,
    limits::{EMAIL, PASSWORD, PASSWORD_MIN, PERSON_NAME},
};
use crate::service::{Action, Model, policy::CONTACT_API};
use crate::web::{
    Ask, FormError, FormFields, FormPage, Frame, PageError, PageResult, Posted, Problem, Section, Site, Visitor,
    answer::page_once,
    done,
    form_input::{Area, Check, Email, FormInput, Line, Word, filled, group},
    missing,
    plain_form::{PlainAsk, PlainForm, PlainPage},
};

#[derive(Template)]
#[template(path = "admin/user.html")]
pub struct UserPage {
    frame: Frame,
    tab: &'static str,
    user: Arc<User>,
    source: Option<(u64, String)>,
    is_self: bool,
    inputs: Vec<FormInput>,
    tokens: Vec<TokenLine>,
    token_life: String,
    sessions: Vec<TokenLine>,
    /// New token, which is shown only once.
    new_token: Option<String>,
    problem: Option<Problem>,
}

/// Form of a new user.
pub enum NewUser {}

impl PlainForm for NewUser {
    const SUBJECT: Subject = Subject::User;
    const LIST: (&'static str, &'static str) = ("/admin/users/", "Users");
    const CHANGE: Action = Action::ManageUsers;
    type Id = u64;
    type Known = ();

    fn page(ask: &PlainAsk<Self>, _: bool) -> Result<PlainPage<Self>, PageError> {
        let help = "At least eight characters. Without one the user cannot log in.";
        let password = FormInput::new(Line, "password", "Password").up_to(PASSWORD).help("password-help", help);
        let mut inputs = vec![
            FormInput::new(Word, "username", "Username").up_to(PERSON_NAME).required(),
            FormInput { secret: true, shortest: PASSWORD_MIN, ..password },
        ];
        inputs.extend(details(None));
        inputs.extend(group("Rights", rights(None)));
        Ok(PlainPage::new(ask, "New user", None, inputs))
    }

    async fn save(ask: &PlainAsk<Self>) -> Result<Response, FormError> {
        let password = ask.fields.raw("password").unwrap_or_default();
        let new = UserDraft {
            username: Some(ask.fields.text("username")),
            password: (!password.is_empty()).then(|| password.into()),
            is_active: None,
            ..draft(&ask.fields)
        };
        let user = ask.site.service.people().create_user(&ask.visitor.caller, new).await?;
        Ok(done(&path(user.id), &format!("User {} created.", user.username)))
    }
}

/// Returns the inputs for the details of a user, without rights.
fn details(user: Option<&User>) -> Vec<FormInput> {
    let of = |field: fn(&User) -> &str| user.map(field).unwrap_or_default();
    let grants = user.map(|user| user.grants.join("\n")).unwrap_or_default();
    let help = "A program that synchronizes contacts and groups needs:";
    let grants = FormInput::new(Area, "grants", "Grants, one per line").holding(grants).help("grants-help", help);
    vec![
        FormInput::new(Line, "first_name", "First name").up_to(PERSON_NAME).holding(of(|it| &it.first_name)),
        FormInput::new(Line, "last_name", "Last name").up_to(PERSON_NAME).holding(of(|it| &it.last_name)),
        FormInput::new(Email, "email", "E-mail").up_to(EMAIL).holding(of(|it| &it.email)),
        FormInput { example: CONTACT_API, ..grants },
    ]
}

/// Returns the inputs for the rights of a user. A new user is always active.
fn rights(user: Option<&User>) -> Vec<FormInput> {
    let mut rights = vec![
        FormInput::new(Check, "is_staff", "Staff: sees these pages, plans maintenance")
            .checked(user.is_some_and(|it| it.is_staff)),
        FormInput::new(Check, "is_superuser", "Superuser: may do everything")
            .checked(user.is_some_and(|it| it.is_superuser)),
    ];
    if let Some(user) = user {
        let active = FormInput::new(Check, "is_active", "Active (can log in; tokens work)");
        rights.insert(0, active.checked(user.is_active));
    }
    rights
}

fn draft(fields: &FormFields) -> UserDraft {
    let mut grants: Vec<String> = Vec::new();
    for grant in fields.text("grants").lines().map(str::trim).filter(|line| !line.is_empty()) {
        if !grants.iter().any(|known| known == grant) {
            grants.push(grant.to_owned());
        }
    }
    UserDraft {
        first_name: Some(fields.text("first_name")),
        last_name: Some(fields.text("last_name")),
        email: Some(fields.text("email")),
        is_staff: Some(fields.ticked("is_staff")),
        is_superuser: Some(fields.ticked("is_superuser")),
        is_active: Some(fields.ticked("is_active")),
        grants: Some(grants),
        ..UserDraft::default()
    }
}

/// Users who edit their own account keep their rights, which the form does not contain.
impl FormPage for UserPage {
    const CHANGE: Action = Action::ManageUsers;
    type Id = u64;
    type Known = Arc<User>;
    type Draft = Option<FormFields>;

    async fn find(site: &Site, _: &Visitor, id: u64) -> Result<Arc<User>, PageError> {
        site.service.directory().user(UserId(id)).cloned().ok_or_else(|| missing(Model::User))
    }

    fn read(ask: &Ask<Self>) -> Option<FormFields> {
        Some(ask.fields.clone())
    }

    async fn view(ask: &Ask<Self>, typed: Option<FormFields>, problem: Option<Problem>) -> Result<Self, PageError> {
        let (service, user) = (&ask.site.service, Arc::clone(ask.known()?));
        let (directory, now) = (service.directory(), service.now());
        let lines = |is_session: bool| {
            let tokens = service.people().tokens(Some(user.id)).into_iter();
            tokens
                .filter(|token| (token.kind == TokenKind::Session) == is_session)
                .map(|token| TokenLine::new(&token, now))
                .collect()
        };
        let is_self = ask.visitor.caller.id() == user.id;
        let mut inputs = details(Some(&user));
        if !is_self {
            inputs.extend(group("Rights", rights(Some(&user))));
        }
        Ok(Self {
            frame: Frame::new(&ask.site, &ask.visitor, Section::Admin, format!("User {}", user.username)),
            tab: "users",
            source: directory.source_of(user.id).map(|source| (source.id.0, source.name.clone())),
            is_self,
            inputs: filled(inputs, typed.as_ref()),
            tokens: lines(false),
            token_life: default_life(&ask.site),
            sessions: lines(true),
            user,
            new_token: None,
            problem,
        })
    }

    async fn save(ask: &Ask<Self>, _: &mut Option<FormFields>) -> Result<Response, FormError> {
        let (id, caller) = (ask.known()?.id, &ask.visitor.caller);
        let is_other = caller.id() != id;
        let mut change = draft(&ask.fields);
        if !is_other {
            (change.is_staff, change.is_superuser, change.is_active) = (None, None, None);
        }
        ask.site.service.people().change_user(caller, id, change).await?;
        Ok(done(&path(id), "Saved."))
    }
}

pub async fn set_password(ask: Ask<UserPage>) -> PageResult {
    let (id, password) = (ask.known()?.id, ask.fields.raw("password").unwrap_or_default());
    match ask.site.service.people().set_password(&ask.visitor.caller, id, password).await {
        Ok(()) => {
            Ok(done(&path(id), "Password set. The user is logged out everywhere. Tokens created by hand still work."))
        }
        Err(error) => ask.refuse(error).await,
    }
}

/// Creates a token. Only this answer ever shows it.
pub async fn create_token(
    State(site): State<Site>,
    Path(id): Path<u64>,
    Posted { visitor, fields }: Posted,
) -> PageResult {
    let made =
        site.service.people().issue_token(&visitor.caller, UserId(id), token_life(&fields), fields.text("note")).await;
    let ask = Ask::<UserPage>::about(site, visitor, id).await?;
    match made {
        Ok(secret) => page_once(&UserPage { new_token: Some(secret), ..ask.page().await? }),
        Err(error) => ask.refuse(error).await,
    }
}

/// Revokes a token or a session.
pub async fn revoke(
    State(site): State<Site>,
    Path((id, token)): Path<(u64, u64)>,
    Posted { visitor, .. }: Posted,
) -> PageResult {
    site.service.people().revoke_token(&visitor.caller, TokenId(token)).await?;
    Ok(done(&path(UserId(id)), "Revoked."))
}

pub async fn end_sessions(State(site): State<Site>, Path(id): Path<u64>, Posted { visitor, .. }: Posted) -> PageResult {
    site.service.people().end_sessions_of(&visitor.caller, UserId(id)).await?;
    Ok(done(&path(UserId(id)), "The user is logged out everywhere. Tokens created by hand still work."))
}

fn path(id: UserId) -> String {
    format!("/admin/users/{id}/")
}
