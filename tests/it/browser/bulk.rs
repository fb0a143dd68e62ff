//! What is done with many incidents from the list: only those that were meant, after a question, and undone while it works.

use std::time::Duration;

use serde_json::json;
use thirtyfour::By;

use super::{
    harness::{with_browser, with_two},
    list::{Elsewhere, inside, is, live, press, rows},
    session::{Browser, Look},
};
use crate::support::PASSWORD;

const SCRIPTLESS: Look = Look { scripts: false, ..Look::DEFAULT };
const LIST: &str = "/incidents/?open=true";

impl Elsewhere {
    fn close(&mut self, pk: u64) {
        let body = json!({"timestamp": chrono::Utc::now().to_rfc3339(), "type": "CLO", "description": ""});
        assert_eq!(self.user.post(&format!("/api/v2/incidents/{pk}/events/"), &body).status, 201);
    }

    fn open_count(&mut self) -> u64 {
        self.user.get("/api/v2/incidents/?open=true&page_size=1&count").json()["count"].as_u64().unwrap_or(0)
    }
}

async fn label(browser: &Browser) -> String {
    browser.texts("#bulk-bar .selected label").await.concat()
}

async fn selected(browser: &Browser) -> String {
    // Where nothing is selected the bar is not shown.
    let text = browser.run("return document.querySelector('[data-selected]').textContent").await;
    text.as_str().unwrap().to_owned()
}

async fn says(browser: &Browser, css: &str, part: &str) {
    browser.eventually(part, async || browser.texts(css).await.concat().contains(part)).await;
}

#[test]
fn changing_all_matching_is_confirmed_once() {
    with_browser("bulk-all", Look::DEFAULT, async |browser| {
        let mut elsewhere = Elsewhere::new(&browser.server);
        let pks = elsewhere.incidents(30);
        inside(browser, LIST).await;
        browser.click(&format!("#i{} input[name=pk]", pks[29])).await;
        browser.click("[data-all]").await;
        assert_eq!(selected(browser).await, "30 selected");
        browser.fill("#bulk-message", "storm").await;
        browser.click("#bulk-bar button[value=acknowledge]").await;
        says(browser, "h1", "Acknowledge 30 open incidents, level 1–5?").await;
        browser.axe().await;
        browser.picture("bulk-confirm").await;
        press(browser, "\u{e007}").await;
        says(browser, ".outcome", "30 incidents acknowledged.").await;
        assert_eq!(browser.path().await, LIST, "the address does not name what was done");
        assert!(!is(browser, "document.querySelector('[data-all]').checked").await, "the box is not ticked any more");
        assert_eq!(selected(browser).await, "0 selected");
        assert_eq!(browser.run("return document.querySelector('#bulk-message').value").await, "");

        // The key closes the row that one is on, and no other.
        live(browser).await;
        press(browser, "jj").await;
        let current = browser.run("return Number(document.querySelector('tr.current').dataset.pk)").await;
        press(browser, "c").await;
        says(browser, ".outcome", "1 incident closed.").await;
        assert_eq!(current, pks[28]);
        browser.eventually("one less", async || rows(browser).await.len() == 29).await;
        assert!(!rows(browser).await.contains(&pks[28]));

        // By key with everything selected one is asked, too, and can still go back.
        browser.click(&format!("#i{} input[name=pk]", pks[0])).await;
        browser.click("[data-all]").await;
        browser.run("document.activeElement.blur()").await;
        press(browser, "c").await;
        says(browser, "h1", "Close 29 open incidents, level 1–5?").await;
        browser.click(".confirm a.button").await;
        browser.eventually("back", async || rows(browser).await.len() == 29).await;
        assert_eq!(elsewhere.open_count(), 29);
    });
}

#[test]
fn changing_many_is_confirmed_without_scripts() {
    with_browser("bulk-scriptless", SCRIPTLESS, async |browser| {
        let mut elsewhere = Elsewhere::new(&browser.server);
        elsewhere.incidents(27);
        browser.log_in("admin", PASSWORD).await;
        browser.goto(LIST).await;
        browser.click("[data-all]").await;
        let late = elsewhere.incident("Nobody saw this one");
        browser.click("#bulk-bar button[value=close]").await;
        says(browser, "h1", "Close 27 open incidents, level 1–5?").await;
        browser.click(".confirm button").await;
        says(browser, ".outcome", "27 incidents closed.").await;
        assert_eq!(browser.path().await, LIST);
        assert_eq!(browser.driver.find_all(By::Css("#rows tr")).await.unwrap().len(), 1);
        browser.find(&format!("#i{late}")).await;
    });
}

#[test]
fn all_matching_means_those_that_matched_when_the_box_was_checked() {
    with_two("bulk-frozen", Look::DEFAULT, async |first, second| {
        let mut elsewhere = Elsewhere::new(&first.server);
        let pks = elsewhere.incidents(4);
        let file = first.server.site.path("password");
        std::fs::write(&file, PASSWORD).unwrap();
        first.server.site.ok(&["user", "create", "anna", "--password-file", file.to_str().unwrap()]);
        inside(first, LIST).await;
        second.log_in("anna", PASSWORD).await;
        second.goto(LIST).await;
        live(second).await;

        // Before it is ticked the label follows.
        first.click(&format!("#i{} input[name=pk]", pks[0])).await;
        assert_eq!(label(first).await, "all 4 matching");
        let fifth = elsewhere.incident("The fifth");
        first.eventually("it follows", async || label(first).await == "all 5 matching").await;

        first.click("[data-all]").await;
        let late = [elsewhere.incident("Late"), elsewhere.incident("Later"), elsewhere.incident("Latest")];
        first.eventually("they came", async || first.texts("[data-matching]").await == ["8"]).await;
        assert_eq!((label(first).await, selected(first).await), ("all 5 matching".into(), "5 selected".into()));
        // Somebody else takes one of them.
        second.click(&format!("#i{} input[name=pk]", pks[1])).await;
        second.click("#bulk-bar button[value=close]").await;
        first.eventually_shows(&format!("#i{}.gone", pks[1])).await;
        first.click("#bulk-bar button[value=close]").await;
        says(first, ".outcome", "4 incidents closed.").await;
        let mut left = late.to_vec();
        left.reverse();
        first.eventually("those that came later are open", async || rows(first).await == left).await;
        assert!(!left.contains(&fifth));
        assert_eq!(elsewhere.open_count(), 3);
    });
}

#[test]
fn one_checkbox_selects_all_rows_of_the_page() {
    with_browser("bulk-page", Look::DEFAULT, async |browser| {
        let mut elsewhere = Elsewhere::new(&browser.server);
        let pks = elsewhere.incidents(5);
        inside(browser, LIST).await;
        browser.click("[data-select-page]").await;
        assert_eq!(selected(browser).await, "5 selected");
        assert!(is(browser, "document.querySelector('[data-select-page]').checked").await);
        browser.click(&format!("#i{} input[name=pk]", pks[2])).await;
        assert_eq!(selected(browser).await, "4 selected");
        assert!(!is(browser, "document.querySelector('[data-select-page]').checked").await);
        browser.click("[data-select-page]").await;
        assert_eq!(selected(browser).await, "5 selected");
        browser.click("[data-select-page]").await;
        assert_eq!(selected(browser).await, "0 selected");
        browser.run("document.activeElement.blur()").await;
        press(browser, "*").await;
        assert_eq!(selected(browser).await, "5 selected");
    });
}

#[test]
fn a_selection_survives_results_and_new_rows() {
    with_browser("bulk-survives", Look::DEFAULT, async |browser| {
        let mut elsewhere = Elsewhere::new(&browser.server);
        let pks = elsewhere.incidents(6);
        inside(browser, "/incidents/?open=true&sort=level").await;
        browser.click(&format!("#i{} input[name=pk]", pks[0])).await;
        browser.click("#bulk-bar button[value=acknowledge]").await;
        says(browser, ".outcome", "1 incident acknowledged.").await;
        live(browser).await;
        for pk in &pks[1..4] {
            browser.click(&format!("#i{pk} input[name=pk]")).await;
        }
        assert_eq!(selected(browser).await, "3 selected");
        let new = elsewhere.incident("One more");
        browser.eventually_shows("[data-news]:not([hidden])").await;
        browser.click("[data-news]").await;
        browser.eventually("it is shown", async || rows(browser).await.contains(&new)).await;
        assert_eq!(selected(browser).await, "3 selected");
        browser.eventually_shows(".outcome").await;
        // Also over a page that is loaded again.
        browser.driver.refresh().await.unwrap();
        live(browser).await;
        assert_eq!(selected(browser).await, "3 selected");
        says(browser, ".outcome", "1 incident acknowledged.").await;
    });
}

#[test]
fn undo_is_offered_as_long_as_it_is_possible() {
    with_browser("bulk-undo", Look::DEFAULT, async |browser| {
        let mut elsewhere = Elsewhere::new(&browser.server);
        let pks = elsewhere.incidents(2);
        inside(browser, LIST).await;
        browser.click(&format!("#i{} input[name=pk]", pks[0])).await;
        browser.click("#bulk-bar button[value=close]").await;
        browser.eventually_shows("[data-undo]").await;
        let left = "return Number(document.querySelector('[data-undo-for] span').textContent.replace(/\\D/g, ''))";
        let seconds = browser.run(left).await.as_u64().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
        browser.eventually("it counts down", async || browser.run(left).await.as_u64() < Some(seconds)).await;
        // As if the minute were nearly over.
        browser.run("document.querySelector('[data-undo-for]').dataset.undoFor = 1200").await;
        browser.eventually("it is over", async || !is(browser, "document.querySelector('[data-undo]')").await).await;
        says(browser, ".outcome", "Too late to undo.").await;
    });
}

#[test]
fn a_selected_row_shows_its_result() {
    with_browser("bulk-struck", Look::DEFAULT, async |browser| {
        let mut elsewhere = Elsewhere::new(&browser.server);
        let pks = elsewhere.incidents(3);
        inside(browser, LIST).await;
        browser.click(&format!("#i{} input[name=pk]", pks[1])).await;
        elsewhere.close(pks[1]);
        browser.eventually_shows(&format!("#i{}.gone .badge.closed", pks[1])).await;
        assert!(is(browser, &format!("document.querySelector('#i{} input[name=pk]').checked", pks[1])).await);
        assert_eq!(browser.texts(&format!("#i{} .c-status .badge", pks[1])).await, ["closed"]);
        assert_eq!(browser.texts("[data-matching]").await, ["2"]);
    });
}

async fn double_click(browser: &Browser, css: &str) {
    let element = browser.find(css).await;
    element.scroll_into_view().await.unwrap();
    browser.driver.action_chain().double_click_element(&element).perform().await.unwrap();
}

/// A second request would have been answered by then.
async fn rest() {
    tokio::time::sleep(Duration::from_millis(500)).await;
}

/// Everything where a second click did it twice.
async fn click_twice(browser: &Browser) {
    let mut elsewhere = Elsewhere::new(&browser.server);
    let pk = elsewhere.incident("Twice");
    let mut events = |kind: &str| {
        let all = elsewhere.user.get(&format!("/api/v2/incidents/{pk}/events/")).json();
        all.as_array().unwrap().iter().filter(|event| event["type"]["value"] == kind).count()
    };
    browser.log_in("admin", PASSWORD).await;
    let path = format!("/incidents/{pk}/");
    for (form, text, kind) in [("comment", "look", "OTH"), ("acknowledge", "mine", "ACK"), ("close", "done", "CLO")] {
        browser.goto(&path).await;
        browser.click(&format!("#action-{form} summary")).await;
        browser.fill(&format!("#form-{form} textarea"), text).await;
        double_click(browser, &format!("#form-{form} button[type=submit]")).await;
        browser.eventually("it is done", async || events(kind) > 0).await;
        browser.eventually("back on its page", async || browser.path().await == path).await;
        rest().await;
        assert_eq!(events(kind), 1, "{form}");
        assert_eq!(browser.texts(".problem").await, [""; 0], "{form}");
    }

    browser.goto("/notifications/filters/new/").await;
    browser.fill("input[name=name]", "Open").await;
    browser.click("input[name=open][value=yes]").await;
    double_click(browser, "#filter-form .actions button.primary").await;
    browser.eventually("saved", async || browser.path().await == "/notifications/filters/").await;
    rest().await;
    assert_eq!(browser.texts(".problem").await, [""; 0], "it is not said that there is one already");

    browser.goto("/plannedmaintenance/new/").await;
    browser.fill("input[name=description]", "Firmware").await;
    browser.click("input[name=filters]").await;
    double_click(browser, "#maintenance-form .actions button.primary").await;
    browser.eventually("saved", async || !browser.path().await.contains("/new/")).await;
    rest().await;
    browser.goto("/plannedmaintenance/running/").await;
    let text = browser.texts("main").await.concat();
    assert_eq!(text.matches("Firmware").count(), 1, "{text}");

    // Two are used here to do things elsewhere.
    let mut tokens = 2;
    for page in ["/user/", "/sources/1/"] {
        browser.goto(page).await;
        browser.fill("form[action$='/tokens/'] input[name=note]", "pump").await;
        double_click(browser, "form[action$='/tokens/'] button").await;
        browser.eventually_shows(".token, #new-token, [data-copy]").await;
        rest().await;
        tokens += 1;
        let listed = browser.server.site.ok(&["token", "list"]);
        assert_eq!(listed.matches("  token  ").count(), tokens, "{listed}");
    }
}

#[test]
fn a_second_click_does_nothing() {
    with_browser("bulk-twice", Look::DEFAULT, click_twice);
}

#[test]
fn a_second_click_does_nothing_without_scripts() {
    with_browser("bulk-twice-scriptless", SCRIPTLESS, click_twice);
}
