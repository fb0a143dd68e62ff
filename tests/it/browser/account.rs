//! Logging in and out, and one's own account.

use super::{
    harness::with_browser,
    session::{Browser, Look, Theme},
};
use crate::support::PASSWORD;

const SCRIPTLESS: Look = Look { scripts: false, ..Look::DEFAULT };

#[test]
fn users_log_in_and_out_with_scripts() {
    with_browser("in-and-out", Look::DEFAULT, in_and_out);
}

#[test]
fn users_log_in_and_out_without_scripts() {
    with_browser("in-and-out-scriptless", SCRIPTLESS, in_and_out);
}

async fn in_and_out(browser: &Browser) {
    browser.goto("/user/").await;
    assert_eq!(browser.path().await, "/accounts/login/?next=%2Fuser%2F");
    browser.fill("input[name=username]", "admin").await;
    browser.fill("input[name=password]", PASSWORD).await;
    browser.click(".login button[type=submit]").await;
    browser.eventually("led to where one wanted", async || browser.path().await == "/user/").await;
    assert_eq!(browser.texts(".user-menu summary").await, ["admin"]);

    browser.click(".user-menu summary").await;
    browser.click("form[action='/accounts/logout/'] button").await;
    browser.eventually("logged out", async || browser.path().await.starts_with("/accounts/login/")).await;
    browser.goto("/user/").await;
    assert!(browser.path().await.starts_with("/accounts/login/"), "the session is over");
}

#[test]
fn a_wrong_password_is_reported_and_the_username_stays() {
    with_browser("wrong-password", Look::DEFAULT, async |browser| {
        browser.expect_in_console("401");
        browser.goto("/accounts/login/").await;
        browser.fill("input[name=username]", "admin").await;
        browser.fill("input[name=password]", "no").await;
        browser.click(".login button[type=submit]").await;
        browser.eventually_shows(".problem").await;
        assert_eq!(browser.texts(".problem").await, ["Wrong username or password."]);
        assert_eq!(browser.run("return document.querySelector('input[name=username]').value").await, "admin");
        assert_eq!(browser.run("return document.activeElement.name").await, "password");
        browser.axe().await;
    });
}

#[test]
fn a_theme_is_chosen_whatever_the_system_says() {
    for (name, look) in [("theme", Look::DEFAULT), ("theme-scriptless", SCRIPTLESS)] {
        with_browser(name, look, async |browser| {
            browser.log_in("admin", PASSWORD).await;
            let light = browser.background().await;
            browser.set_theme(Theme::Dark).await;
            let dark = browser.background().await;
            assert_ne!(light, dark, "until one is chosen, it is that of the system");

            browser.goto("/user/").await;
            browser.click("input[name=theme][value=light]").await;
            browser.click("form[action='/user/preferences/'] button[type=submit]").await;
            browser.eventually("light", async || browser.background().await == light).await;
        });
    }
}
