//! The page of one user: details, rights, password, tokens and sessions.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};

use super::{TokenLine, default_life, token_life};
use crate::{
    domain::{
        ids::{TokenId, UserId},
        token::TokenKind,
        user::{User, UserDraft},
    },
    service::{Action, Model, policy::CONTACT_API},
    web::{
        Site,
        answer::{PageError, PageResult, done, missing, page_once},
        form::FormFields,
        form_page::{Ask, FormError, FormPage},
        layout::{Frame, Section},
        problem::Problem,
        visitor::{Posted, Visitor},
    },
};

#[derive(Template)]
#[template(path = "admin/user.html")]
pub struct UserPage {
    frame: Frame,
    tab: &'static str,
    user: Arc<User>,
    source: Option<(u64, String)>,
    is_self: bool,
    form: UserForm,
    tokens: Vec<TokenLine>,
    token_life: String,
    sessions: Vec<TokenLine>,
    /// New token, which is shown only once.
    new_token: Option<String>,
    problem: Option<Problem>,
}

#[derive(Template)]
#[template(path = "admin/user_new.html")]
pub struct NewUserPage {
    frame: Frame,
    tab: &'static str,
    form: UserForm,
    problem: Option<Problem>,
}

/// Values that the user entered.
#[derive(Default)]
pub struct UserForm {
    username: String,
    first_name: String,
    last_name: String,
    email: String,
    is_staff: bool,
    is_superuser: bool,
    is_active: bool,
    /// One grant per line.
    grants: String,
}

impl UserForm {
    fn draft(&self) -> UserDraft {
        UserDraft {
            first_name: Some(self.first_name.clone()),
            last_name: Some(self.last_name.clone()),
            email: Some(self.email.clone()),
            is_staff: Some(self.is_staff),
            is_superuser: Some(self.is_superuser),
            is_active: Some(self.is_active),
            grants: Some(self.grants()),
            ..UserDraft::default()
        }
    }

    fn of(user: &User) -> Self {
        Self {
            username: user.username.clone(),
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            email: user.email.clone(),
            is_staff: user.is_staff,
            is_superuser: user.is_superuser,
            is_active: user.is_active,
            grants: user.grants.join("\n"),
        }
    }

    fn read(fields: &FormFields) -> Self {
        Self {
            username: fields.text("username"),
            first_name: fields.text("first_name"),
            last_name: fields.text("last_name"),
            email: fields.text("email"),
            is_staff: fields.ticked("is_staff"),
            is_superuser: fields.ticked("is_superuser"),
            is_active: fields.ticked("is_active"),
            grants: fields.text("grants"),
        }
    }

    fn grants(&self) -> Vec<String> {
        let mut grants: Vec<String> = Vec::new();
        for grant in self.grants.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if !grants.iter().any(|known| known == grant) {
                grants.push(grant.to_owned());
            }
        }
        grants
    }
}

impl FormPage for NewUserPage {
    const CHANGE: Action = Action::ManageUsers;
    type Id = u64;
    type Known = ();
    type Draft = UserForm;

    fn start(_: &Ask<Self>) -> UserForm {
        UserForm { is_active: true, ..UserForm::default() }
    }

    fn read(ask: &Ask<Self>) -> UserForm {
        UserForm::read(&ask.fields)
    }

    async fn view(ask: &Ask<Self>, form: UserForm, problem: Option<Problem>) -> Result<Self, PageError> {
        let frame = Frame::new(&ask.site, &ask.visitor, Section::Admin, "New user");
        Ok(Self { frame, tab: "users", form, problem })
    }

    async fn save(ask: &Ask<Self>, form: &mut UserForm) -> Result<Response, FormError> {
        let password = ask.fields.raw("password").unwrap_or_default();
        let new = UserDraft {
            username: Some(form.username.clone()),
            password: (!password.is_empty()).then(|| password.into()),
            is_active: None,
            ..form.draft()
        };
        let user = ask.site.service.people().create_user(&ask.visitor.caller, new).await?;
        Ok(done(&path(user.id), &format!("User {} created.", user.username)))
    }
}

/// Users who edit their own account keep their rights, which the form does not contain.
impl FormPage for UserPage {
    const CHANGE: Action = Action::ManageUsers;
    type Id = u64;
    type Known = Arc<User>;
    type Draft = UserForm;

    async fn find(site: &Site, _: &Visitor, id: u64) -> Result<Arc<User>, PageError> {
        site.service.directory().user(UserId(id)).cloned().ok_or_else(|| missing(Model::User))
    }

    fn start(ask: &Ask<Self>) -> UserForm {
        ask.known.as_deref().map(UserForm::of).unwrap_or_default()
    }

    fn read(ask: &Ask<Self>) -> UserForm {
        UserForm::read(&ask.fields)
    }

    async fn view(ask: &Ask<Self>, form: UserForm, problem: Option<Problem>) -> Result<Self, PageError> {
        let (service, user) = (&ask.site.service, Arc::clone(ask.known()?));
        let (directory, now) = (service.directory(), service.now());
        let lines = |is_session: bool| {
            let tokens = service.people().tokens(Some(user.id)).into_iter();
            tokens
                .filter(|token| (token.kind == TokenKind::Session) == is_session)
                .map(|token| TokenLine::new(&token, now))
                .collect()
        };
        Ok(Self {
            frame: Frame::new(&ask.site, &ask.visitor, Section::Admin, format!("User {}", user.username)),
            tab: "users",
            source: directory.source_of(user.id).map(|source| (source.id.0, source.name.clone())),
            is_self: ask.visitor.caller.id() == user.id,
            form,
            tokens: lines(false),
            token_life: default_life(&ask.site),
            sessions: lines(true),
            user,
            new_token: None,
            problem,
        })
    }

    async fn save(ask: &Ask<Self>, form: &mut UserForm) -> Result<Response, FormError> {
        let (id, caller) = (ask.known()?.id, &ask.visitor.caller);
        let is_other = caller.id() != id;
        let mut change = form.draft();
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
