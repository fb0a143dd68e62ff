//! All pages on one screen: which handler answers which path.

use axum::{Router, extract::Request, middleware};

use super::{
    Site, WebSettings, account, admin, answer, assets,
    form_page::{send, show},
    incident, incidents, live, maintenance, no_page, notifications, submissions,
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
    use notifications::{
        destination_form::DestinationPage,
        destinations,
        filter_form::{self, FilterPage},
        filters,
        profile_form::{self, ProfilePage},
        profiles,
        timeslots::{self, TimeslotPage},
    };
    Routes::of(Action::UseDesk)
        .route("/notifications/", get(notifications::home))
        .route("/notifications/profiles/", get(profiles::list))
        .route("/notifications/profiles/first/", post(profiles::first))
        .route("/notifications/profiles/new/", get(show::<ProfilePage>).post(send::<ProfilePage>))
        .route("/notifications/profiles/preview/", post(profile_form::preview))
        .route("/notifications/profiles/{pk}/", get(show::<ProfilePage>).post(send::<ProfilePage>))
        .route("/notifications/profiles/{pk}/switch/", post(profiles::switch))
        .route("/notifications/profiles/{pk}/delete/", post(profiles::delete))
        .route("/notifications/timeslots/", get(timeslots::list))
        .route("/notifications/timeslots/new/", get(show::<TimeslotPage>).post(send::<TimeslotPage>))
        .route("/notifications/timeslots/{pk}/", get(show::<TimeslotPage>).post(send::<TimeslotPage>))
        .route("/notifications/timeslots/{pk}/delete/", post(timeslots::delete))
        .route("/notifications/destinations/", get(destinations::list))
        .route("/notifications/destinations/new/", get(show::<DestinationPage>).post(send::<DestinationPage>))
        .route("/notifications/destinations/{pk}/", get(show::<DestinationPage>).post(send::<DestinationPage>))
        .route("/notifications/destinations/{pk}/test/", post(destinations::test))
        .route("/notifications/destinations/{pk}/delete/", post(destinations::delete))
        .route("/notifications/filters/", get(filters::list))
        .route("/notifications/filters/new/", get(show::<FilterPage>).post(send::<FilterPage>))
        .route("/notifications/filters/preview/", post(filter_form::preview))
        .route("/notifications/filters/{pk}/", get(show::<FilterPage>).post(send::<FilterPage>))
        .route("/notifications/filters/{pk}/delete/", post(filters::delete))
}

/// When nobody is told. The forms and what they change take another action, which their handlers require.
fn maintenance_pages() -> Routes<Site> {
    use maintenance::{
        form::{TaskPage, preview},
        tasks,
    };
    Routes::of(Action::UseDesk)
        .route("/plannedmaintenance/", get(tasks::home))
        .route("/plannedmaintenance/running/", get(tasks::running))
        .route("/plannedmaintenance/upcoming/", get(tasks::upcoming))
        .route("/plannedmaintenance/past/", get(tasks::past))
        .route("/plannedmaintenance/new/", get(show::<TaskPage>).post(send::<TaskPage>))
        .route("/plannedmaintenance/preview/", post(preview))
        .route("/plannedmaintenance/{pk}/", get(tasks::view))
        .route("/plannedmaintenance/{pk}/edit/", get(show::<TaskPage>).post(send::<TaskPage>))
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
    use admin::{source_pages, sources};
    Routes::of(Action::SeeAdministration)
        .route("/sources/", get(sources::list))
        .route("/sources/new/", get(show::<sources::NewSourcePage>).post(send::<sources::NewSourcePage>))
        .route("/sources/types/", get(sources::types).post(send::<sources::TypesPage>))
        .route("/sources/{id}/", get(show::<source_pages::SourcePage>).post(send::<source_pages::SourcePage>))
        .route("/sources/{id}/tokens/", post(source_pages::create_token))
        .route("/sources/{id}/tokens/{token}/revoke/", post(source_pages::revoke))
}

fn contact_pages() -> Routes<Site> {
    use admin::{
        contacts::{self, ContactPage},
        groups,
    };
    Routes::of(Action::SeeAdministration)
        .route("/admin/contacts/", get(contacts::list))
        .route("/admin/contacts/new/", get(show::<ContactPage>).post(send::<ContactPage>))
        .route("/admin/contacts/{id}/", get(show::<ContactPage>).post(send::<ContactPage>))
        .route("/admin/contacts/{id}/groups/", post(contacts::change_group))
        .route("/admin/contacts/{id}/delete/", post(contacts::delete))
        .route("/admin/groups/", get(groups::list).post(send::<groups::GroupsPage>))
        .route("/admin/groups/{id}/", get(show::<groups::GroupPage>).post(send::<groups::GroupPage>))
        .route("/admin/groups/{id}/members/", post(groups::change_members))
        .route("/admin/groups/{id}/delete/", post(groups::delete))
}

fn rule_pages() -> Routes<Site> {
    use admin::{
        channels::{self, ChannelPage},
        rules::{self, RulePage},
    };
    Routes::of(Action::SeeRules)
        .route("/admin/channels/", get(channels::list))
        .route("/admin/channels/new/", get(show::<ChannelPage>).post(send::<ChannelPage>))
        .route("/admin/channels/{id}/", get(show::<ChannelPage>).post(send::<ChannelPage>))
        .route("/admin/channels/{id}/delete/", post(channels::delete))
        .route("/admin/rules/", get(rules::list))
        .route("/admin/rules/new/", get(show::<RulePage>).post(send::<RulePage>))
        .route("/admin/rules/{id}/", get(show::<RulePage>).post(send::<RulePage>))
        .route("/admin/rules/{id}/delete/", post(rules::delete))
}

fn user_pages() -> Routes<Site> {
    use admin::user_form::{self, NewUserPage, UserPage};
    Routes::of(Action::SeeAdministration)
        .route("/admin/users/", get(admin::users::list))
        .route("/admin/users/new/", get(show::<NewUserPage>).post(send::<NewUserPage>))
        .route("/admin/users/{id}/", get(show::<UserPage>).post(send::<UserPage>))
        .route("/admin/users/{id}/password/", post(user_form::set_password))
        .route("/admin/users/{id}/tokens/", post(user_form::create_token))
        .route("/admin/users/{id}/tokens/{token}/revoke/", post(user_form::revoke))
        .route("/admin/users/{id}/sessions/end/", post(user_form::end_sessions))
}
