//! A source with its token from the page to the first incident, a new user, and what is asked before something is gone.

use super::{
    harness::with_browser,
    session::{Browser, Look},
};
use crate::support::PASSWORD;

const SCRIPTLESS: Look = Look { scripts: false, ..Look::DEFAULT };

#[test]
fn a_created_source_posts_with_the_shown_command() {
    with_browser("admin-source", Look::DEFAULT, source_to_incident);
}

#[test]
fn a_created_source_posts_with_the_shown_command_without_scripts() {
    with_browser("admin-source-scriptless", SCRIPTLESS, source_to_incident);
}

async fn source_to_incident(browser: &Browser) {
    browser.log_in("admin", PASSWORD).await;
    browser.goto("/admin/").await;
    browser.eventually_shows(".steps").await;
    browser.click(".steps a[href='/sources/new/']").await;
    browser.fill("input[name=name]", "nav").await;
    browser.fill("input[name=new_type]", "nav").await;
    browser.click("form[action='/sources/new/'] button").await;
    browser.eventually("the source's page", async || browser.path().await == "/sources/2/").await;
    browser.fill("input[name=note]", "glue").await;
    browser.click("form[action='/sources/2/tokens/'] button").await;
    browser.eventually_shows("#curl").await;
    let line = browser.texts("#curl").await.remove(0);
    assert_eq!(run_in_shell(line).await, "201");
    browser.goto("/sources/").await;
    browser.eventually("it is counted", async || browser.texts(".tiles").await.join(" ").contains("1, 1 open")).await;
}

/// What `curl` says of the answer.
async fn run_in_shell(line: String) -> String {
    let command = format!("{line} --silent --output /dev/null --write-out '%{{http_code}}'");
    let ended = tokio::task::spawn_blocking(move || std::process::Command::new("sh").args(["-c", &command]).output());
    String::from_utf8(ended.await.unwrap().unwrap().stdout).unwrap()
}

#[test]
fn a_new_user_logs_in_and_is_deactivated() {
    with_browser("admin-user", Look::DEFAULT, async |browser| {
        browser.log_in("admin", PASSWORD).await;
        browser.goto("/admin/users/new/").await;
        browser.fill("input[name=username]", "carol").await;
        browser.fill("input[name=password]", PASSWORD).await;
        browser.click("input[name=is_staff]").await;
        browser.click("form[action='/admin/users/new/'] button").await;
        browser.eventually("made", async || browser.texts("h1").await == ["carol"]).await;
        let page = browser.path().await;
        browser.driver.delete_all_cookies().await.unwrap();
        browser.log_in("carol", PASSWORD).await;
        browser.goto(&page).await;
        browser.eventually("staff see it", async || browser.texts("h1").await == ["carol"]).await;
        assert!(browser.texts("main form").await.is_empty(), "staff change nothing");
        browser.axe().await;
        browser.expect_in_console("403");
        browser.goto("/admin/users/new/").await;
        browser.eventually("forbidden", async || browser.texts("h1").await == ["Not allowed"]).await;
    });
}

#[test]
fn revoking_a_token_needs_a_confirmation() {
    with_browser("admin-revoke", Look::DEFAULT, async |browser| {
        browser.log_in("admin", PASSWORD).await;
        browser.goto("/sources/1/").await;
        browser.fill("input[name=note]", "glue").await;
        browser.click("form[action='/sources/1/tokens/'] button").await;
        browser.eventually_shows("#new-token").await;
        browser.axe().await;
        for (answer, left) in [(false, 1), (true, 0)] {
            browser.run(&format!("window.confirm = () => {answer}")).await;
            browser.click("form[action$='/revoke/'] button").await;
            browser
                .eventually("as was answered", async || browser.texts("form[action$='/revoke/']").await.len() == left)
                .await;
        }
    });
}
