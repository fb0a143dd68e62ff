//! All pages on one screen: which handler answers which path.

use axum::{Router, extract::Request, middleware};

use super::{
    Site, WebSettings, account, admin, answer, assets, incident, incidents, live, maintenance, no_page, notifications,
    submissions,
};
use crate::{
    http::{
        self, HttpSettings,
        routes::{Operation, Routes, get, post},
    },
    service::{Action, Service},
};

/// Everything that the server serves: the APIs, and the pages beside them.
pub fn with_pages(service: Service, http: HttpSettings, web: WebSettings) -> Router {
    let pages = router(Site::new(service.clone(), http.clone(), web));
    http::router(service, http, pages)
}

/// The pages.
pub fn router(site: Site) -> Router {
    let pages = pages().into_router();
    let known = pages.clone().with_state(site.clone());
    let pages = pages
        .method_not_allowed_fallback(move |request: Request| no_page::nearest_page(known.clone(), request))
        .fallback(no_page::unknown)
        .layer(middleware::from_fn_with_state(site.clone(), submissions::answer_once))
        .layer(middleware::from_fn_with_state(site.clone(), answer::finish));
    pages.merge(files().into_router()).with_state(site)
}

/// All that [`router`] answers.
#[must_use]
pub fn operations() -> Vec<Operation> {
    pages().merge(files()).into_operations()
}

fn pages() -> Routes<Site> {
    login_page()
        .merge(account_pages())
        .merge(list_pages())
        .merge(incident_pages())
        .merge(notification_pages())
        .merge(maintenance_pages())
        .merge(administration_pages())
        .merge(source_pages())
        .merge(user_pages())
        .merge(contact_pages())
        .merge(rule_pages())
        .merge(delivery_pages())
}

/// Parts of pages.
fn files() -> Routes<Site> {
    Routes::of(Action::UsePublic)
        .route("/favicon.ico/", get(assets::icon))
        .route("/static/tokens.css", get(assets::tokens))
        .route("/static/{*path}", get(assets::serve))
}

fn login_page() -> Routes<Site> {
    Routes::of(Action::UsePublic).route("/accounts/login/", get(account::login::form).post(account::login::log_in))
}

fn account_pages() -> Routes<Site> {
    Routes::of(Action::UseDesk)
        .route("/", get(account::own::home))
        .route("/accounts/logout/", post(account::login::log_out))
        .route("/user/", get(account::own::show))
        .route("/user/preferences/", post(account::own::save_preferences))
        .route("/user/details/", post(account::own::save_details))
        .route("/user/password/", post(account::own::change_password))
        .route("/user/tokens/", post(account::own::create_token))
        .route("/user/tokens/{id}/revoke/", post(account::own::revoke))
        .route("/user/sessions/end/", post(account::own::end_sessions))
        .route("/about/", get(account::own::about))
}

/// All incidents.
fn list_pages() -> Routes<Site> {
    Routes::of(Action::UseDesk)
        .route("/incidents/", get(incidents::list::show))
        .route("/incidents/kiosk/", get(incidents::list::kiosk))
        .route("/incidents/facets/", get(incidents::choices::facets))
        .route("/incidents/tags/", get(incidents::choices::tags))
        .route("/incidents/columns/", post(incidents::choices::columns))
        .route("/incidents/filters/", get(incidents::filters::form).post(incidents::filters::save))
        .route("/incidents/bulk/", get(incidents::bulk::back_to_list).post(incidents::bulk::act))
        .route("/incidents/bulk/{id}/", get(incidents::bulk::progress))
        .route("/incidents/bulk/{id}/undo/", post(incidents::bulk::undo))
        .route("/live/", get(live::stream))
}

/// One incident, and what is done with it.
fn incident_pages() -> Routes<Site> {
    use incident::{act, show};
    Routes::of(Action::UseDesk)
        .route("/incidents/{pk}/", get(show::show))
        .route("/incidents/{pk}/acknowledge/", post(act::acknowledge))
        .route("/incidents/{pk}/acknowledgements/{ack}/", post(act::expire))
        .route("/incidents/{pk}/close/", post(act::close))
        .route("/incidents/{pk}/reopen/", post(act::reopen))
        .route("/incidents/{pk}/comment/", post(act::comment))
        .route("/incidents/{pk}/ticket/", post(act::ticket))
        .route("/incidents/{pk}/tags/", post(act::tags))
        .route("/incidents/{pk}/level/", post(act::level))
        .route("/incidents/{pk}/delete/", post(act::delete))
}

/// Who is told: profiles, timeslots, destinations, filters.
fn notification_pages() -> Routes<Site> {
    use notifications::{destination_form, destinations, filter_form, filters, profile_form, profiles, timeslots};
    Routes::of(Action::UseDesk)
        .route("/notifications/", get(notifications::home))
        .route("/notifications/profiles/", get(profiles::list))
        .route("/notifications/profiles/first/", post(profiles::first))
        .route("/notifications/profiles/new/", get(profile_form::new).post(profile_form::create))
        .route("/notifications/profiles/preview/", post(profile_form::preview))
        .route("/notifications/profiles/{pk}/", get(profile_form::show).post(profile_form::edit))
        .route("/notifications/profiles/{pk}/switch/", post(profiles::switch))
        .route("/notifications/profiles/{pk}/delete/", post(profiles::delete))
        .route("/notifications/timeslots/", get(timeslots::list))
        .route("/notifications/timeslots/new/", get(timeslots::new).post(timeslots::create))
        .route("/notifications/timeslots/{pk}/", get(timeslots::show).post(timeslots::edit))
        .route("/notifications/timeslots/{pk}/delete/", post(timeslots::delete))
        .route("/notifications/destinations/", get(destinations::list))
        .route("/notifications/destinations/new/", get(destination_form::new).post(destination_form::create))
        .route("/notifications/destinations/{pk}/", get(destination_form::show).post(destination_form::edit))
        .route("/notifications/destinations/{pk}/test/", post(destinations::test))
        .route("/notifications/destinations/{pk}/delete/", post(destinations::delete))
        .route("/notifications/filters/", get(filters::list))
        .route("/notifications/filters/new/", get(filter_form::new).post(filter_form::create))
        .route("/notifications/filters/preview/", post(filter_form::preview))
        .route("/notifications/filters/{pk}/", get(filter_form::show).post(filter_form::edit))
        .route("/notifications/filters/{pk}/delete/", post(filters::delete))
}

/// When nobody is told. The forms and what they change take another action, which their handlers require.
fn maintenance_pages() -> Routes<Site> {
    use maintenance::{form, tasks};
    Routes::of(Action::UseDesk)
        .route("/plannedmaintenance/", get(tasks::home))
        .route("/plannedmaintenance/running/", get(tasks::running))
        .route("/plannedmaintenance/upcoming/", get(tasks::upcoming))
        .route("/plannedmaintenance/past/", get(tasks::past))
        .route("/plannedmaintenance/new/", get(form::new).post(form::create))
        .route("/plannedmaintenance/preview/", post(form::preview))
        .route("/plannedmaintenance/{pk}/", get(tasks::view))
        .route("/plannedmaintenance/{pk}/edit/", get(form::show).post(form::edit))
        .route("/plannedmaintenance/{pk}/cancel/", post(tasks::cancel))
        .route("/plannedmaintenance/{pk}/delete/", post(tasks::delete))
}

fn administration_pages() -> Routes<Site> {
    Routes::of(Action::SeeAdministration)
        .route("/admin/audit/", get(admin::audit::list))
        .route("/admin/", get(admin::overview::show))
        .route("/admin/demo/", post(admin::overview::make_demo_data))
        .route("/admin/health/", get(admin::health::show))
        .route("/admin/settings/", get(admin::settings::show))
}

fn delivery_pages() -> Routes<Site> {
    Routes::of(Action::ManageDeliveries)
        .route("/admin/deliveries/", get(admin::deliveries::list))
        .route("/admin/deliveries/retry/", post(admin::deliveries::retry_all))
        .route("/admin/deliveries/{id}/retry/", post(admin::deliveries::retry))
}

fn source_pages() -> Routes<Site> {
    Routes::of(Action::SeeAdministration)
        .route("/sources/", get(admin::sources::list))
        .route("/sources/new/", get(admin::sources::new).post(admin::sources::create))
        .route("/sources/types/", get(admin::sources::types).post(admin::sources::create_type))
        .route("/sources/{id}/", get(admin::source_pages::show).post(admin::source_pages::save))
        .route("/sources/{id}/tokens/", post(admin::source_pages::create_token))
        .route("/sources/{id}/tokens/{token}/revoke/", post(admin::source_pages::revoke))
}

fn contact_pages() -> Routes<Site> {
    Routes::of(Action::SeeAdministration)
        .route("/admin/contacts/", get(admin::contacts::list))
        .route("/admin/contacts/new/", get(admin::contacts::new).post(admin::contacts::create))
        .route("/admin/contacts/{id}/", get(admin::contacts::show).post(admin::contacts::save))
        .route("/admin/contacts/{id}/groups/", post(admin::contacts::change_group))
        .route("/admin/contacts/{id}/delete/", post(admin::contacts::delete))
        .route("/admin/groups/", get(admin::groups::list).post(admin::groups::create))
        .route("/admin/groups/{id}/", get(admin::groups::show).post(admin::groups::save))
        .route("/admin/groups/{id}/members/", post(admin::groups::change_members))
        .route("/admin/groups/{id}/delete/", post(admin::groups::delete))
}

fn rule_pages() -> Routes<Site> {
    Routes::of(Action::SeeRules)
        .route("/admin/channels/", get(admin::channels::list))
        .route("/admin/channels/new/", get(admin::channels::new).post(admin::channels::create))
        .route("/admin/channels/{id}/", get(admin::channels::show).post(admin::channels::save))
        .route("/admin/channels/{id}/delete/", post(admin::channels::delete))
        .route("/admin/rules/", get(admin::rules::list))
        .route("/admin/rules/new/", get(admin::rules::new).post(admin::rules::create))
        .route("/admin/rules/{id}/", get(admin::rules::show).post(admin::rules::save))
        .route("/admin/rules/{id}/delete/", post(admin::rules::delete))
}

fn user_pages() -> Routes<Site> {
    Routes::of(Action::SeeAdministration)
        .route("/admin/users/", get(admin::users::list))
        .route("/admin/users/new/", get(admin::user_form::new).post(admin::user_form::create))
        .route("/admin/users/{id}/", get(admin::user_form::show).post(admin::user_form::save))
        .route("/admin/users/{id}/password/", post(admin::user_form::set_password))
        .route("/admin/users/{id}/tokens/", post(admin::user_form::create_token))
        .route("/admin/users/{id}/tokens/{token}/revoke/", post(admin::user_form::revoke))
        .route("/admin/users/{id}/sessions/end/", post(admin::user_form::end_sessions))
}
