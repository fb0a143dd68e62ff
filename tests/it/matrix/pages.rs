//! Every page and form × every kind of user: each has an expected status here, and gets it.

use std::collections::{BTreeMap, BTreeSet};

use argusd::{
    domain::{
        contact::{ContactDraft, GroupDraft, OriginEdit},
        ids::UserId,
    },
    http::cookies,
    service::{TokenLife, WriteMode},
    web::router::operations,
};
use axum::{
    body::Body,
    http::{Request, header},
};
use tower::ServiceExt;
use uuid::Uuid;

use super::{Objects, objects, one_each};
use crate::{
    resource::{
        self, LEADS_ON, LOGIN, MISSING, OPEN, OWNER_DOES, OWNER_ERRS, OWNER_SEES, PageRow, REFUSED, SHOWN, STAFF_DO,
        STAFF_SEE, SUPERUSERS_DO, SUPERUSERS_ERR, SUPERUSERS_SEE, fill, get, post,
    },
    support::{App, contact_api, visit::Visit},
};

fn own_pages() -> Vec<PageRow> {
    vec![
        get("/favicon.ico/", OPEN),
        get("/static/tokens.css", OPEN),
        get("/static/{*path}", OPEN),
        get("/accounts/login/", [200, 303, 303, 303, 303]),
        // A form without the proof of the page, and one with a wrong password.
        post("/accounts/login/", [403, 401, 401, 401, 401], &[]),
        post("/accounts/logout/", LEADS_ON, &[]),
        get("/", LEADS_ON),
        get("/about/", SHOWN),
        get("/user/", SHOWN),
        post("/user/preferences/", LEADS_ON, &[]),
        post("/user/details/", LEADS_ON, &[("email", "new@example.org")]),
        post("/user/password/", REFUSED, &[("new", "a")]),
        post("/user/tokens/", SHOWN, &[("note", "n")]),
        post("/user/tokens/{id}/revoke/", OWNER_DOES, &[]),
        post("/user/sessions/end/", LEADS_ON, &[]),
    ]
}

fn incident_pages() -> Vec<PageRow> {
    vec![
        get("/live/", SHOWN),
        // The address says what is shown.
        get("/incidents/", LEADS_ON),
        get("/incidents/kiosk/", SHOWN),
        get("/incidents/facets/", SHOWN),
        get("/incidents/tags/", SHOWN),
        post("/incidents/columns/", LEADS_ON, &[]),
        get("/incidents/filters/", SHOWN),
        post("/incidents/filters/", REFUSED, &[]),
        get("/incidents/bulk/", LEADS_ON),
        post("/incidents/bulk/", LEADS_ON, &[]),
        get("/incidents/bulk/{id}/", MISSING),
        post("/incidents/bulk/{id}/undo/", LEADS_ON, &[]),
        get("/incidents/{pk}/", SHOWN),
        post("/incidents/{pk}/acknowledge/", LEADS_ON, &[("message", "m")]),
        post("/incidents/{pk}/acknowledgements/{ack}/", LEADS_ON, &[]),
        post("/incidents/{pk}/close/", [LOGIN, 303, 422, 303, 303], &[]),
        post("/incidents/{pk}/reopen/", REFUSED, &[]),
        post("/incidents/{pk}/comment/", LEADS_ON, &[("message", "m")]),
        post("/incidents/{pk}/ticket/", LEADS_ON, &[("url", "https://t.example.org/1")]),
        post("/incidents/{pk}/tags/", LEADS_ON, &[("tag", "x=y")]),
        post("/incidents/{pk}/level/", LEADS_ON, &[("level", "2")]),
        post("/incidents/{pk}/delete/", REFUSED, &[]),
    ]
}

fn notification_pages() -> Vec<PageRow> {
    vec![
        get("/notifications/", LEADS_ON),
        get("/notifications/profiles/", SHOWN),
        post("/notifications/profiles/first/", REFUSED, &[]),
        get("/notifications/profiles/new/", SHOWN),
        post("/notifications/profiles/new/", REFUSED, &[]),
        post("/notifications/profiles/preview/", SHOWN, &[]),
        get("/notifications/profiles/{pk}/", OWNER_SEES),
        post("/notifications/profiles/{pk}/", OWNER_ERRS, &[]),
        post("/notifications/profiles/{pk}/switch/", OWNER_DOES, &[]),
        post("/notifications/profiles/{pk}/delete/", OWNER_DOES, &[]),
        get("/notifications/destinations/", SHOWN),
        get("/notifications/destinations/new/", SHOWN),
        post("/notifications/destinations/new/", REFUSED, &[]),
        get("/notifications/destinations/{pk}/", OWNER_SEES),
        post("/notifications/destinations/{pk}/", OWNER_ERRS, &[]),
        post("/notifications/destinations/{pk}/test/", OWNER_SEES, &[]),
        post("/notifications/destinations/{pk}/delete/", OWNER_DOES, &[]),
        get("/notifications/filters/", SHOWN),
        get("/notifications/filters/new/", SHOWN),
        post("/notifications/filters/new/", REFUSED, &[]),
        post("/notifications/filters/preview/", SHOWN, &[]),
        get("/notifications/filters/{pk}/", OWNER_SEES),
        post("/notifications/filters/{pk}/", OWNER_ERRS, &[]),
        post("/notifications/filters/{pk}/delete/", OWNER_DOES, &[]),
    ]
}

fn administration_pages() -> Vec<PageRow> {
    vec![
        get("/admin/", STAFF_SEE),
        get("/admin/audit/", STAFF_SEE),
        // There are incidents already.
        post("/admin/demo/", [LOGIN, 403, 403, 403, 400], &[]),
        get("/admin/deliveries/", STAFF_SEE),
        post("/admin/deliveries/retry/", STAFF_DO, &[]),
        post("/admin/deliveries/{id}/retry/", STAFF_DO, &[]),
        get("/admin/health/", STAFF_SEE),
        get("/admin/settings/", STAFF_SEE),
        get("/sources/", STAFF_SEE),
        get("/sources/new/", SUPERUSERS_SEE),
        post("/sources/new/", SUPERUSERS_ERR, &[]),
        get("/sources/types/", STAFF_SEE),
        post("/sources/types/", SUPERUSERS_ERR, &[]),
        get("/sources/{id}/", STAFF_SEE),
        post("/sources/{id}/", SUPERUSERS_ERR, &[]),
        post("/sources/{id}/tokens/", SUPERUSERS_SEE, &[]),
        post("/sources/{id}/tokens/{token}/revoke/", SUPERUSERS_DO, &[]),
        get("/admin/users/", STAFF_SEE),
        get("/admin/users/new/", SUPERUSERS_SEE),
        post("/admin/users/new/", SUPERUSERS_ERR, &[]),
        get("/admin/users/{id}/", STAFF_SEE),
        post("/admin/users/{id}/", SUPERUSERS_DO, &[("is_active", "on")]),
        post("/admin/users/{id}/password/", SUPERUSERS_ERR, &[]),
        post("/admin/users/{id}/tokens/", SUPERUSERS_SEE, &[]),
        post("/admin/users/{id}/tokens/{token}/revoke/", SUPERUSERS_DO, &[]),
        post("/admin/users/{id}/sessions/end/", SUPERUSERS_DO, &[]),
        get("/admin/contacts/", STAFF_SEE),
        get("/admin/contacts/new/", SUPERUSERS_SEE),
        post("/admin/contacts/new/", SUPERUSERS_ERR, &[]),
        get("/admin/contacts/{id}/", STAFF_SEE),
        post("/admin/contacts/{id}/", SUPERUSERS_ERR, &[]),
        post("/admin/contacts/{id}/groups/", SUPERUSERS_ERR, &[]),
        post("/admin/contacts/{id}/delete/", SUPERUSERS_DO, &[]),
        get("/admin/groups/", STAFF_SEE),
        post("/admin/groups/", SUPERUSERS_ERR, &[]),
        get("/admin/groups/{id}/", STAFF_SEE),
        post("/admin/groups/{id}/", SUPERUSERS_ERR, &[]),
        post("/admin/groups/{id}/members/", SUPERUSERS_ERR, &[]),
        post("/admin/groups/{id}/delete/", SUPERUSERS_DO, &[]),
        get("/admin/channels/", STAFF_SEE),
        get("/admin/channels/new/", [LOGIN, 403, 403, 403, 404]),
        post("/admin/channels/new/", SUPERUSERS_ERR, &[]),
        get("/admin/channels/{id}/", STAFF_SEE),
        post("/admin/channels/{id}/", SUPERUSERS_ERR, &[]),
        // It is the default channel of a contact.
        post("/admin/channels/{id}/delete/", [LOGIN, 403, 403, 403, 400], &[]),
    ]
}

fn table() -> BTreeMap<(&'static str, &'static str), PageRow> {
    let rows = [own_pages(), incident_pages(), notification_pages(), administration_pages()].into_iter().flatten();
    let of_resources = resource::all().flat_map(|resource| resource.pages);
    one_each(rows.chain(of_resources).map(|row| ((row.path, row.method), row)))
}

#[test]
fn every_route_has_its_row() {
    let routes: BTreeSet<(String, &str)> = operations().into_iter().map(|it| (it.path, it.method)).collect();
    let rows: BTreeSet<(String, &str)> = table().into_keys().map(|(path, method)| (path.to_owned(), method)).collect();
    let missing: Vec<_> = routes.difference(&rows).collect();
    let gone: Vec<_> = rows.difference(&routes).collect();
    assert!(missing.is_empty() && gone.is_empty(), "without a row: {missing:?}; no route: {gone:?}");
}

#[test]
fn only_public_routes_take_no_login() {
    let table = table();
    for operation in operations() {
        let row = &table[&(operation.path.as_str(), operation.method)];
        assert_eq!(row.statuses[0] != LOGIN, operation.action.is_public(), "{operation:?}");
    }
}

#[tokio::test]
async fn every_kind_of_user_gets_the_pages_of_the_table() {
    let mut wrong = Vec::new();
    for (column, username) in
        [None, Some("alice"), Some("zabbix-src"), Some("stan"), Some("admin")].into_iter().enumerate()
    {
        let app = App::new().await;
        wrong.extend(walk(&app, username, |row| Some(row.statuses[column])).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Administrators of contacts, who need not be superusers.
#[tokio::test]
async fn the_grant_is_for_contacts_and_groups() {
    let app = App::new().await;
    for (username, staff) in [("alice", false), ("stan", true)] {
        contact_api::grant(&app, username, &[contact_api::PERMISSION]).await;
        let expected = |row: &PageRow| {
            let is_theirs = row.path.starts_with("/admin/contacts/") || row.path.starts_with("/admin/groups/");
            Some(if staff { row.statuses[4] } else { 403 }).filter(|_| is_theirs)
        };
        let wrong = walk(&app, Some(username), expected).await;
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// What came out other than `expected`; rows of which nothing is expected are left out.
async fn walk(app: &App, username: Option<&str>, expected: impl Fn(&PageRow) -> Option<u16>) -> Vec<String> {
    let session = match username {
        Some(username) => Some(Session::of(app, username).await),
        None => None,
    };
    let helper = app.bearing(&app.new_token("zabbix-src").await);
    let admin = app.bearing(&app.new_token("admin").await);
    let mut rows: Vec<PageRow> = table().into_values().collect();
    // What ends the session comes last.
    rows.sort_by_key(|row| row.path == "/accounts/logout/");
    let mut wrong = Vec::new();
    for row in rows {
        let Some(expected) = expected(&row) else { continue };
        let path = match row.object {
            Some(object) => fill(app, row.path, object).await,
            None if row.path.contains('{') => {
                PageObjects::make(app, objects(app, &helper, &admin).await).await.fill(row.path)
            }
            None => row.path.to_owned(),
        };
        let got = ask(app, session.as_ref(), &row, &path).await;
        if got != expected {
            wrong.push(format!("{username:?} {} {path}: {got} instead of {expected}", row.method));
        }
    }
    wrong
}

struct Session {
    secret: String,
    csrf: String,
}

impl Session {
    async fn of(app: &App, username: &str) -> Self {
        let visit = Visit::of(app, username).await;
        let cookie = |name| visit.cookie(name).unwrap().to_owned();
        Self { secret: cookie(cookies::SESSION), csrf: cookie(cookies::CSRF) }
    }
}

/// The status; the body is not waited for, since that of a stream does not end.
async fn ask(app: &App, session: Option<&Session>, row: &PageRow, path: &str) -> u16 {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    let mut request = Request::builder()
        .method(row.method)
        .uri(path)
        .header(header::HOST, "argus.test")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some(Session { secret, csrf }) = session {
        form.append_pair("csrf", csrf);
        request = request.header(header::COOKIE, format!("sessionid={secret}; csrftoken={csrf}"));
    }
    form.extend_pairs(row.fields);
    let body = if row.method == "POST" { form.finish() } else { String::new() };
    let response = app.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let location = response.headers().get(header::LOCATION).map_or("", |value| value.to_str().unwrap());
    let logs_out = response.headers().contains_key(header::SET_COOKIE);
    if location.starts_with("/accounts/login/") && !logs_out { LOGIN } else { response.status().as_u16() }
}

/// A new token of the source's account in place of the last one.
async fn fresh_token(app: &App) -> u64 {
    const NOTE: &str = "for the matrix";
    let source = app.user_id("zabbix-src");
    for former in app.service.people().tokens(Some(source)).iter().filter(|token| token.note == NOTE) {
        app.service.people().revoke_token(&app.local, former.id).await.unwrap();
    }
    app.service.people().issue_token(&app.local, source, TokenLife::Setting, NOTE.to_owned()).await.unwrap();
    app.service.people().tokens(Some(source)).iter().find(|token| token.note == NOTE).unwrap().id.0
}

/// What the parameters of paths stand for.
struct PageObjects {
    shared: Objects,
    contact: Uuid,
    group: Uuid,
    user: UserId,
    /// Of the source's account.
    token: u64,
}

impl PageObjects {
    async fn make(app: &App, shared: Objects) -> Self {
        let (contact, group) = (Uuid::new_v4(), Uuid::new_v4());
        let draft = GroupDraft { uuid: group, name: group.to_string(), users: None, origin: OriginEdit::Keep };
        app.service.contacts().store_contact_group(&app.local, WriteMode::Create, draft).await.unwrap();
        let draft = ContactDraft {
            uuid: contact,
            full_name: "Somebody".to_owned(),
            username: None,
            default_channel: shared.channel.parse().unwrap(),
            groups: None,
            addresses: [("email".to_owned(), "somebody@example.org".to_owned())].into(),
            origin: OriginEdit::Keep,
        };
        app.service.contacts().store_contact(&app.local, WriteMode::Create, draft).await.unwrap();
        Self { shared, contact, group, user: app.user_id("bob"), token: fresh_token(app).await }
    }

    fn fill(&self, path: &str) -> String {
        let id = if path.starts_with("/admin/contacts/") {
            self.contact.to_string()
        } else if path.starts_with("/admin/groups/") {
            self.group.to_string()
        } else if path.starts_with("/admin/users/") {
            self.user.to_string()
        } else if path.starts_with("/user/tokens/") {
            self.token.to_string()
        } else if path.starts_with("/admin/channels/") {
            self.shared.channel.clone()
        } else {
            self.shared.key(path).to_string()
        };
        path.replace("{id}", &id)
            .replace("{pk}", &id)
            .replace("{ack}", &self.shared.ack.to_string())
            .replace("{token}", &self.token.to_string())
            .replace("{*path}", "css/base.css")
    }
}
