//! The page of one incident: its forms with and without scripts, the question why, and two who look at it at once.

use serde_json::json;

use super::{
    harness::{Server, with_browser, with_two},
    session::{Browser, DESKTOP, Look, PHONE, Theme},
};
use crate::support::PASSWORD;

const SCRIPTLESS: Look = Look { scripts: false, ..Look::DEFAULT };

/// The path of a new incident that is open.
fn incident(server: &Server) -> String {
    let token = server.site.ok(&["token", "create", "argus"]);
    let mut source = server.daemon.client().with_token(token.trim());
    let incident = source.incident().starts("2026-01-15T12:00:00+01:00").description("Uplink lost\nsince noon");
    let incident = incident.tag("host=gw1").tag("url=https://nav.example.org/gw1");
    format!("/incidents/{}/", incident.with(json!({"metadata": {"port": "xe-0/0/3"}})).post())
}

async fn inside(browser: &Browser) -> String {
    let path = incident(&browser.server);
    browser.log_in("admin", PASSWORD).await;
    browser.goto(&path).await;
    path
}

#[test]
fn an_incident_is_acknowledged_with_scripts() {
    with_browser("incident-acknowledge", Look::DEFAULT, async |browser| {
        let path = inside(browser).await;
        browser.run("window.stayed = true").await;
        acknowledge(browser, &path).await;
        assert_eq!(browser.run("return window.stayed").await, true, "the page was loaded anew");
        let field = "return document.querySelector('#form-acknowledge textarea').value";
        assert_eq!(browser.run(field).await, "", "the form begins anew");
        assert_eq!(browser.run("return document.querySelector('.action[open]')").await, json!(null));
    });
}

#[test]
fn an_incident_is_acknowledged_without_scripts() {
    with_browser("incident-acknowledge-scriptless", SCRIPTLESS, async |browser| {
        let path = inside(browser).await;
        acknowledge(browser, &path).await;
    });
}

async fn acknowledge(browser: &Browser, path: &str) {
    browser.click("#action-acknowledge summary").await;
    browser.fill("#form-acknowledge textarea", "I'm on it").await;
    browser.click("#form-acknowledge input[value='4h']").await;
    browser.click("#form-acknowledge button").await;
    browser.eventually_shows(".states .acked").await;
    assert_eq!(browser.path().await, path);
    assert!(browser.texts(".entry-ack").await.concat().contains("I'm on it"));
}

#[test]
fn a_refusal_is_shown_at_the_form_with_scripts() {
    with_browser("incident-refused", Look::DEFAULT, refused);
}

#[test]
fn a_refusal_is_shown_at_the_form_without_scripts() {
    with_browser("incident-refused-scriptless", SCRIPTLESS, refused);
}

async fn refused(browser: &Browser) {
    browser.expect_in_console("422");
    let path = inside(browser).await;
    browser.click("#action-acknowledge summary").await;
    browser.click("#form-acknowledge input[value=custom]").await;
    browser.click("#form-acknowledge button.primary").await;
    browser.eventually_shows("#form-acknowledge .problem").await;
    let focused = async || browser.driver.active_element().await.unwrap().attr("name").await.unwrap();
    browser.eventually("the wrong field has the focus", async || focused().await.as_deref() == Some("until_at")).await;
    browser.click("#action-ticket summary").await;
    browser.fill("#form-ticket input[name=url]", "javascript:alert(1)").await;
    browser.click("#form-ticket button").await;
    browser.eventually_shows("#form-ticket .problem").await;
    browser.fill("#form-ticket input[name=url]", "https://tickets.example.org/1").await;
    browser.click("#form-ticket button").await;
    browser.eventually("set", async || browser.path().await == path).await;
    browser.eventually_shows("a[href='https://tickets.example.org/1']").await;
    assert!(browser.texts(".problem").await.is_empty());
}

#[test]
fn the_page_explains_notifications_with_scripts() {
    with_browser("incident-why", Look::DEFAULT, was_i_told);
}

#[test]
fn the_page_explains_notifications_without_scripts() {
    with_browser("incident-why-scriptless", SCRIPTLESS, was_i_told);
}

async fn was_i_told(browser: &Browser) {
    inside(browser).await;
    browser.click("#form-why button[name=me]").await;
    browser.eventually_shows(".answered").await;
    let answer = browser.texts(".answered").await.concat();
    assert!(answer.contains("admin had no notification profile, so nothing was sent."), "{answer}");
    browser.fill("#form-why input[name=whom]", "nobody").await;
    browser.click("#form-why button:not([name])").await;
    browser.eventually_shows("#why .problem").await;
}

#[test]
fn two_users_see_each_others_changes_and_keep_what_they_type() {
    with_two("incident-two", Look::DEFAULT, async |first, second| {
        let path = inside(first).await;
        second.log_in("admin", PASSWORD).await;
        second.goto(&path).await;
        second.click("#metadata summary").await;
        second.click("#action-comment summary").await;
        second.fill("#form-comment textarea", "half a sen").await;
        second.settled().await;

        first.click("#action-acknowledge summary").await;
        first.fill("#form-acknowledge textarea", "Mine").await;
        first.click("#form-acknowledge button").await;
        second.eventually_shows(".states .acked").await;
        assert_eq!(second.run("return document.activeElement.value").await, "half a sen");
        assert_eq!(second.run("return document.querySelectorAll('details[open][id]').length").await, 2);

        second.find("#form-comment textarea").await.send_keys("tence").await.unwrap();
        second.click("#form-comment button").await;
        first
            .eventually("the comment is seen", async || {
                first.texts("#timeline").await.concat().contains("half a sentence")
            })
            .await;
    });
}

#[test]
fn the_incident_page_is_accessible_and_fits_the_window() {
    with_browser("incident-looks", Look::DEFAULT, async |browser| {
        let path = inside(browser).await;
        acknowledge(browser, &path).await;
        browser.goto(&format!("{path}?me=1#why")).await;
        for theme in [Theme::Light, Theme::Dark] {
            browser.set_theme(theme).await;
            for size in [PHONE, DESKTOP] {
                browser.set_size(size).await;
                for action in ["acknowledge", "tags", "level"] {
                    browser.click(&format!("#action-{action} summary")).await;
                    browser.settled().await;
                    browser.picture(&format!("incident-{action}-{}-{}", size.0, theme.name())).await;
                    assert!(browser.overflow().await <= 0, "{}", browser.too_wide().await);
                    browser.axe().await;
                }
            }
        }
    });
}
