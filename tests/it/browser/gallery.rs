//! Every page at every width in both themes, on demo data: photographed if `ARGUSD_SCREENSHOTS` names a directory, and in
//! any case never wider than the window, and nothing in it that axe finds grave.
//!
//! A new page needs a line in the list of its part of the house.

use super::{
    axe::Violation,
    harness::with_browser,
    session::{Browser, DESKTOP, Look, PHONE, Theme, WALL},
};
use crate::support::PASSWORD;

/// The name of the picture, and the path.
type Pages = &'static [(&'static str, &'static str)];

const OUTSIDE: Pages = &[("login", "/accounts/login/"), ("login-with-next", "/accounts/login/?next=/about/")];
const ACCOUNT: Pages = &[("user", "/user/"), ("about", "/about/")];

const NOTIFICATIONS: Pages = &[
    ("profiles", "/notifications/profiles/"),
    ("profile-new", "/notifications/profiles/new/"),
    ("timeslots", "/notifications/timeslots/"),
    ("timeslot", "/notifications/timeslots/1/"),
    ("destinations", "/notifications/destinations/"),
    ("destination-new", "/notifications/destinations/new/?medium=webhook"),
    ("filters", "/notifications/filters/"),
    ("filter-new", "/notifications/filters/new/"),
    ("maintenance", "/plannedmaintenance/"),
    ("maintenance-new", "/plannedmaintenance/new/"),
];

const ADMINISTRATION: Pages = &[
    ("sources", "/sources/"),
    ("source", "/sources/2/"),
    ("source-new", "/sources/new/"),
    ("source-types", "/sources/types/"),
    ("admin", "/admin/"),
    ("users", "/admin/users/"),
    ("person", "/admin/users/3/"),
    ("user-new", "/admin/users/new/"),
    ("deliveries", "/admin/deliveries/"),
    ("health", "/admin/health/"),
    ("settings", "/admin/settings/"),
    ("audit", "/admin/audit/"),
    ("contacts", "/admin/contacts/"),
    ("contact-new", "/admin/contacts/new/"),
    ("groups", "/admin/groups/"),
    ("channels", "/admin/channels/"),
    ("channel-new", "/admin/channels/new/?type=sms"),
    ("rules", "/admin/rules/"),
    ("rule", "/admin/rules/1/"),
];

#[test]
fn gallery_administration() {
    inside("administration", ADMINISTRATION);
}

const LIST: Pages = &[
    ("list", "/incidents/?open=true"),
    ("list-everything", "/incidents/?open=any&sort=level"),
    ("list-nothing", "/incidents/?open=any&q=nothing+like+that"),
    ("list-columns", "/incidents/?open=any&choose=1"),
    ("list-kiosk", "/incidents/kiosk/"),
    ("list-save-filter", "/incidents/filters/?open=true"),
];

#[test]
fn gallery_list() {
    inside("list", LIST);
}

#[test]
fn gallery_outside() {
    with_browser("gallery-outside", Look::DEFAULT, async |browser| look_at(browser, OUTSIDE).await);
}

const INCIDENT: Pages = &[("incident", "/incidents/113/"), ("incident-why", "/incidents/122/?whom=kari.nordmann")];

#[test]
fn gallery_incident() {
    inside("incident", INCIDENT);
}

#[test]
fn gallery_account() {
    inside("account", ACCOUNT);
}

#[test]
fn gallery_notifications() {
    inside("notifications", NOTIFICATIONS);
}

/// As a superuser, who sees everything.
fn inside(part: &str, pages: Pages) {
    with_browser(&format!("gallery-{part}"), Look::DEFAULT, async |browser| {
        browser.server.demo();
        browser.log_in("admin", PASSWORD).await;
        look_at(browser, pages).await;
    });
}

async fn look_at(browser: &Browser, pages: Pages) {
    let mut faults = Vec::new();
    for (name, path) in pages {
        for size in [PHONE, DESKTOP, WALL] {
            let width = size.0;
            browser.set_size(size).await;
            browser.goto(path).await;
            for theme in [Theme::Light, Theme::Dark] {
                browser.set_theme(theme).await;
                browser.settled().await;
                browser.picture(&format!("{name}-{width}-{}", theme.name())).await;
                if size != WALL {
                    let grave = browser.violations().await.into_iter().filter(Violation::is_grave);
                    faults.extend(grave.map(|it| format!("{path} at {width} pixels, {}: {it}", theme.name())));
                }
            }
            let overflow = browser.overflow().await;
            if overflow > 0 {
                let culprits = browser.too_wide().await;
                faults.push(format!("{path} at {width} pixels is {overflow} too wide: {culprits}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
