//! Pages in a real Chromium. Each test gets a server of its own and a fresh browser; what a browser writes into its
//! console as an error, which includes whatever the content security policy forbids, fails the test.
//!
//! Where there is no Chromium the tests say so and pass, unless `CI` is set. `CHROME` and `CHROMEDRIVER` name other programs
//! than those in `PATH`; `ARGUSD_SCREENSHOTS` names a directory for pictures, also of the page that a test failed on.

#![allow(clippy::disallowed_methods, clippy::print_stderr, reason = "the tester's wishes, and news for the tester")]

mod account;
mod admin;
mod axe;
mod bulk;
mod counter;
mod driver;
mod gallery;
mod harness;
mod incident;
mod list;
mod live;
mod navigation;
mod notifications;
mod session;

use thirtyfour::By;

use self::{
    harness::{with_browser, with_two},
    session::{Look, PHONE, Theme},
};

#[test]
fn the_api_documentation_comes_up() {
    with_browser("swagger", Look::DEFAULT, async |browser| {
        browser.goto("/api/schema/swagger-ui/").await;
        browser.eventually_shows("#swagger-ui .info .title").await;
        assert!(!browser.texts(".opblock-tag").await.is_empty());
    });
}

#[test]
fn two_browsers_see_one_server_and_do_not_share_cookies() {
    with_two("two", Look::DEFAULT, async |first, second| {
        for browser in [first, second] {
            browser.goto("/api/schema/swagger-ui/").await;
        }
        first.run("document.cookie = 'a=b; path=/'").await;
        assert_eq!(first.run("return document.cookie").await, "a=b");
        assert_eq!(second.run("return document.cookie").await, "");
    });
}

#[test]
fn a_page_gets_the_configured_look() {
    let look = Look { size: PHONE, theme: Theme::Dark, ..Look::DEFAULT };
    with_browser("look", look, async |browser| {
        browser.goto("/api/schema/swagger-ui/").await;
        assert_eq!(browser.run("return innerWidth").await, 390);
        let dark = "return matchMedia('(prefers-color-scheme: dark)').matches";
        assert_eq!(browser.run(dark).await, true);
        browser.set_theme(Theme::Light).await;
        assert_eq!(browser.run(dark).await, false);
    });
}

#[test]
fn no_script_runs_where_scripts_are_off() {
    with_browser("scriptless", Look { scripts: false, ..Look::DEFAULT }, async |browser| {
        browser.goto("/api/schema/swagger-ui/").await;
        assert!(browser.driver.find_all(By::Css("#swagger-ui *")).await.unwrap().is_empty());
    });
}

#[test]
fn an_error_in_the_console_fails_a_test() {
    let failed = std::panic::catch_unwind(|| {
        with_browser("console", Look::DEFAULT, async |browser| {
            browser.goto("/api/schema/swagger-ui/").await;
            browser.run("console.error('planted'); const s = document.createElement('script'); s.text = 'x()'; document.body.append(s)").await;
        });
    });
    if let Some(why) = driver::missing() {
        return eprintln!("{why}");
    }
    let failure = *failed.expect_err("nobody complained").downcast::<String>().unwrap();
    assert!(failure.contains("planted") && failure.contains("script-src"), "{failure}");
}
