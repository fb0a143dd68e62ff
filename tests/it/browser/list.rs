//! The list of incidents with scripts on: live rows under somebody's hands, keys, tabs, walls, phones.

use serde_json::json;
use thirtyfour::By;

use super::{
    counter::Counter,
    harness::{Server, with_browser, with_two},
    session::{Browser, DESKTOP, Look, PHONE, Theme},
};
use crate::support::{PASSWORD, daemon::Client};

const SCRIPTLESS: Look = Look { scripts: false, ..Look::DEFAULT };
pub(super) const LIST: &str = "/incidents/?open=true";

/// A source, and somebody who does things elsewhere.
pub(super) struct Elsewhere {
    pub(super) source: Client,
    pub(super) user: Client,
}

impl Elsewhere {
    pub(super) fn new(server: &Server) -> Self {
        let token = |user| server.site.ok(&["token", "create", user]).trim().to_owned();
        let client = |user| server.daemon.client().with_token(&token(user));
        Self { source: client("argus"), user: client("admin") }
    }

    pub(super) fn incident(&mut self, description: &str) -> u64 {
        let now = chrono::Utc::now().to_rfc3339();
        self.source.incident().starts(now).description(description).tag("host=gw1").post()
    }

    pub(super) fn incidents(&mut self, count: usize) -> Vec<u64> {
        (0..count).map(|number| self.incident(&format!("Story {number}"))).collect()
    }

    pub fn acknowledge(&mut self, pk: u64) {
        let ack = json!({"event": {"timestamp": chrono::Utc::now().to_rfc3339(), "description": "mine"}});
        assert_eq!(self.user.post(&format!("/api/v2/incidents/{pk}/acks/"), &ack).status, 201);
    }
}

pub(super) async fn inside(browser: &Browser, path: &str) {
    browser.log_in("admin", PASSWORD).await;
    browser.goto(path).await;
    live(browser).await;
}

pub(super) async fn live(browser: &Browser) {
    browser.eventually_shows("[data-live-state].on").await;
}

pub(super) async fn rows(browser: &Browser) -> Vec<u64> {
    let script = "return [...document.querySelectorAll('#rows > tr:not(.gone)')].map((it) => Number(it.dataset.pk))";
    serde_json::from_value(browser.run(script).await).unwrap()
}

pub(super) async fn press(browser: &Browser, keys: &str) {
    browser.driver.action_chain().send_keys(keys).perform().await.unwrap();
}

pub(super) async fn is(browser: &Browser, script: &str) -> bool {
    browser.run(&format!("return Boolean({script})")).await == true
}

fn ticked(pk: u64) -> String {
    format!("document.querySelector('#i{pk} input[name=pk]').checked")
}

#[test]
fn rows_do_not_move_while_the_user_works() {
    with_browser("list-hands", Look::DEFAULT, async |browser| {
        let mut elsewhere = Elsewhere::new(&browser.server);
        let pks = elsewhere.incidents(40);
        inside(browser, LIST).await;
        let (box_of, patched) = (pks[35], pks[37]);
        browser.click(&format!("#i{box_of} input[name=pk]")).await;
        browser.click("#view-menu summary").await;
        browser.run("scrollTo(0, 150)").await;
        browser
            .run(&format!(
                "window.box = document.querySelector('#i{box_of} input'); window.top0 = box.getBoundingClientRect().top"
            ))
            .await;

        let new = elsewhere.incident("One more");
        browser.eventually_shows("[data-news]:not([hidden])").await;
        elsewhere.acknowledge(patched);
        browser.eventually_shows(&format!("#i{patched} .badge.acked")).await;
        elsewhere.acknowledge(box_of);
        browser.eventually_shows(&format!("#i{box_of} .badge.acked")).await;

        assert!(is(browser, "box.isConnected && box.checked").await, "the box is the same, and ticked");
        assert!(is(browser, "document.querySelector('#view-menu').open").await, "the menu is open");
        assert!(is(browser, "document.activeElement.matches('#view-menu summary')").await, "the focus is where it was");
        assert_eq!(browser.run("return scrollY").await, 150);
        assert!(is(browser, "Math.abs(box.getBoundingClientRect().top - top0) < 1").await, "nothing moved");
        assert!(!rows(browser).await.contains(&new), "what is new waits while something is selected");

        // Also when the whole list is looked at anew.
        let pks = elsewhere.incidents(260);
        let counted = "document.querySelector('[data-total]').textContent === '301'";
        browser.eventually("all are counted", async || is(browser, counted).await).await;
        let acks = json!({"ids": pks, "ack": {"timestamp": chrono::Utc::now().to_rfc3339()}});
        assert_eq!(elsewhere.user.post("/api/v2/incidents/acks/bulk/", &acks).status, 201);
        browser.eventually_shows(&format!("#i{} .badge.acked", pks[259])).await;
        browser.settled().await;
        assert!(is(browser, &ticked_anywhere(box_of)).await, "still selected");
        assert!(is(browser, "document.querySelector('#view-menu').open").await, "the menu is still open");
        browser.picture("list-selected-menu").await;
    });
}

fn ticked_anywhere(pk: u64) -> String {
    format!("JSON.parse(sessionStorage.getItem('chosen'))[1].includes('{pk}')")
}

#[test]
fn a_focused_link_keeps_the_focus_and_new_rows_wait_for_n() {
    with_browser("list-focus", Look::DEFAULT, async |browser| {
        let mut elsewhere = Elsewhere::new(&browser.server);
        let pks = elsewhere.incidents(5);
        inside(browser, LIST).await;
        let quiet = elsewhere.incident("Nobody does anything");
        browser.eventually("it is on top", async || rows(browser).await.first() == Some(&quiet)).await;

        let link = format!("#i{} .c-description a", pks[2]);
        browser.run(&format!("document.querySelector('{link}').focus()")).await;
        elsewhere.acknowledge(pks[2]);
        browser.eventually_shows(&format!("#i{} .badge.acked", pks[2])).await;
        assert!(is(browser, &format!("document.activeElement.matches('{link}')")).await);
        let new = elsewhere.incident("It waits");
        browser.eventually_shows("[data-news]:not([hidden])").await;
        assert_eq!(browser.texts("[data-news]").await, ["Show 1 new"]);
        press(browser, "n").await;
        browser.eventually("it is shown", async || rows(browser).await.first() == Some(&new)).await;
    });
}

#[test]
fn new_incidents_are_shown_only_on_the_first_page_of_the_newest() {
    with_browser("list-news", Look::DEFAULT, async |browser| {
        let mut elsewhere = Elsewhere::new(&browser.server);
        let pks = elsewhere.incidents(130);
        browser.log_in("admin", PASSWORD).await;
        // A page has 100 rows.
        for (start, end) in [(LIST, "a[rel=next]"), ("/incidents/?open=true&level=2&sort=level", "")] {
            browser.goto(start).await;
            live(browser).await;
            let path = start.replace("&sort=level", "");
            if !end.is_empty() {
                browser.find(end).await.scroll_into_view().await.unwrap();
                browser.click(end).await;
                browser.eventually("page 2", async || browser.path().await.contains("cursor=")).await;
                browser.eventually_shows("[rel=prev]").await;
            }
            live(browser).await;
            let chosen = *rows(browser).await.last().unwrap();
            assert!(pks.contains(&chosen));
            browser.click(&format!("#i{chosen} input[name=pk]")).await;
            assert_eq!(browser.texts("[data-selected]").await, ["1 selected"]);
            assert!(is(browser, "scrollY > 100").await, "there is somewhere to come back from");
            let new = elsewhere.incident("One more");
            browser.eventually_shows("[data-news]:not([hidden])").await;
            assert_eq!(browser.texts("[data-news]").await, ["Show 1 new"]);
            assert!(!rows(browser).await.contains(&new));
            // Keys that are pressed in a field are its own.
            browser.run("document.activeElement.blur()").await;
            press(browser, "n").await;
            browser.eventually("it is on top", async || rows(browser).await.first() == Some(&new)).await;
            assert_eq!(browser.path().await, path);
            let top = format!("document.querySelector('#i{new}').getBoundingClientRect().top");
            let visible = format!("{top} >= 0 && {top} < innerHeight");
            browser.eventually("it can be seen", async || is(browser, &visible).await).await;
            assert_eq!(browser.texts("[data-selected]").await, ["1 selected"]);
            live(browser).await;
            // Nothing new: the key leads nowhere.
            assert!(is(browser, "document.querySelector('[data-news]').hidden").await);
            browser.run("window.same = true").await;
            press(browser, "n").await;
            assert_eq!(browser.path().await, path);
            assert!(is(browser, "window.same").await);
        }
    });
}

#[test]
fn the_list_is_used_by_keyboard() {
    with_browser("list-keys", Look::DEFAULT, async |browser| {
        let mut elsewhere = Elsewhere::new(&browser.server);
        let mut pks = elsewhere.incidents(4);
        pks.reverse();
        inside(browser, LIST).await;
        browser.run("window.stayed = true").await;
        let current = "return Number(document.querySelector('tr.current').dataset.pk)";
        for (key, pk) in [("j", pks[0]), ("j", pks[1]), ("j", pks[2]), ("k", pks[1])] {
            press(browser, key).await;
            assert_eq!(browser.run(current).await, pk);
        }
        press(browser, "x").await;
        assert!(is(browser, &ticked(pks[1])).await);
        press(browser, "x").await;
        assert!(!is(browser, &ticked(pks[1])).await);
        press(browser, "x").await;
        press(browser, "j").await;
        press(browser, "x").await;
        assert_eq!(browser.texts("[data-selected]").await, ["2 selected"]);
        press(browser, "a").await;
        assert!(is(browser, "document.activeElement.id === 'bulk-message'").await);
        press(browser, "on it\u{e007}").await;
        browser.eventually_shows(".outcome").await;
        assert!(browser.texts(".outcome").await.concat().contains("2 incidents acknowledged."));
        browser.eventually_shows(&format!("#i{} .badge.acked", pks[2])).await;
        press(browser, "u").await;
        browser.eventually("taken back", async || browser.texts(".badge.acked").await.is_empty()).await;
        assert!(is(browser, "document.querySelectorAll('#rows .chosen').length === 0").await);

        press(browser, "j").await;
        press(browser, "c").await;
        browser.eventually("closed", async || rows(browser).await.len() == 3).await;
        browser.eventually_shows(".outcome").await;
        press(browser, "?").await;
        browser.eventually_shows("#keys").await;
        browser.axe().await;
        press(browser, "\u{e00c}").await;
        browser.eventually("closed again", async || !is(browser, "document.querySelector('#keys').open").await).await;
        press(browser, "/").await;
        assert!(is(browser, "document.activeElement.id === 'q'").await);
        press(browser, "jx?Story 1\u{e007}").await;
        browser.eventually("typing is typing", async || browser.path().await.contains("q=jx%3FStory+1")).await;
        assert!(is(browser, "window.stayed").await, "the page was never loaded anew");
    });
}

#[test]
fn choices_in_the_panel_filter_at_once() {
    with_browser("list-panel", Look::DEFAULT, async |browser| {
        let mut elsewhere = Elsewhere::new(&browser.server);
        let pks = elsewhere.incidents(2);
        elsewhere.acknowledge(pks[0]);
        inside(browser, LIST).await;
        let count = "document.querySelector('[data-facet=unacked]').textContent === '1'";
        browser.eventually("counts are there", async || is(browser, count).await).await;
        browser.click("#filters input[name=acked][value=false]").await;
        browser.eventually("filtered", async || rows(browser).await == [pks[1]]).await;
        assert_eq!(browser.path().await, "/incidents/?open=true&acked=false");
        browser.fill("#filters input[name=tags]:not([type=checkbox])", "host=gw").await;
        browser
            .eventually("suggested", async || {
                is(browser, "document.querySelector('#tag-list option[value=\"host=gw1\"]')").await
            })
            .await;
        live(browser).await;
        let new = elsewhere.incident("Matches, too");
        elsewhere.acknowledge(pks[1]);
        browser.eventually("gone", async || rows(browser).await == [new] || rows(browser).await == [new, pks[1]]).await;
        browser.driver.back().await.unwrap();
        browser.eventually("the history holds views", async || browser.path().await == LIST).await;
        browser.eventually("all again", async || rows(browser).await.len() == 3).await;
    });
}

#[test]
fn tabs_share_one_stream() {
    with_browser("list-tabs", Look::DEFAULT, async |browser| {
        let mut elsewhere = Elsewhere::new(&browser.server);
        elsewhere.incidents(2);
        let counter = Counter::before(&browser.server.daemon.address);
        let page = format!("http://{}/accounts/login/?next=/incidents/%3Fopen=true", counter.address);
        browser.driver.goto(&page).await.unwrap();
        browser.fill("input[name=username]", "admin").await;
        browser.fill("input[name=password]", PASSWORD).await;
        browser.click(".login button[type=submit]").await;
        live(browser).await;
        let first = browser.driver.window().await.unwrap();
        let second = browser.driver.new_tab().await.unwrap();
        browser.driver.switch_to_window(second.clone()).await.unwrap();
        browser.driver.goto(format!("http://{}/incidents/?acked=false", counter.address)).await.unwrap();
        live(browser).await;
        browser.eventually("one stream for both", async || counter.streams() == 1).await;
        let new = elsewhere.incident("For both");
        for tab in [second.clone(), first.clone()] {
            browser.driver.switch_to_window(tab).await.unwrap();
            browser.eventually("it is here, too", async || rows(browser).await.contains(&new)).await;
        }
        assert_eq!(browser.texts("[data-matching]").await, ["3"]);
        assert_eq!(counter.streams(), 1);
        browser.driver.switch_to_window(second).await.unwrap();
        browser.driver.close_window().await.unwrap();
        browser.driver.switch_to_window(first).await.unwrap();
        let new = elsewhere.incident("For the one that is left");
        browser.eventually("it goes on", async || rows(browser).await.contains(&new)).await;
        assert_eq!(counter.streams(), 1);
    });
}

#[test]
fn rows_are_cards_on_a_phone() {
    let look = Look { size: PHONE, ..Look::DEFAULT };
    with_browser("list-phone", look, async |browser| {
        let mut elsewhere = Elsewhere::new(&browser.server);
        let pks = elsewhere.incidents(3);
        inside(browser, LIST).await;
        let shown = |css: &str| format!("document.querySelector('{css}').checkVisibility()");
        assert_eq!(browser.run("return getComputedStyle(document.querySelector('#rows tr')).display").await, "flex");
        assert!(browser.overflow().await <= 0, "{}", browser.too_wide().await);
        assert!(!is(browser, &shown("#filters")).await);
        browser.click(".to-filters").await;
        browser.eventually_shows("#filters").await;
        browser.axe().await;
        browser.click("#filters input[name=acked][value=false]").await;
        browser.eventually("filtered", async || browser.path().await.contains("acked=false")).await;
        browser.settled().await;
        browser.eventually_shows(".close-filters").await;
        browser.click(".close-filters").await;
        browser.eventually("closed", async || !is(browser, &shown("#filters")).await).await;
        browser.click(&format!("#i{} input[name=pk]", pks[1])).await;
        browser.eventually_shows("#bulk-bar").await;
        assert!(browser.overflow().await <= 0, "{}", browser.too_wide().await);
        browser.picture("list-phone-selected").await;
        browser.axe().await;
        browser.click("#bulk-bar button[value=close]").await;
        browser.eventually("closed", async || !rows(browser).await.contains(&pks[1])).await;
    });
}

#[test]
fn a_wall_display_follows_changes() {
    with_browser("list-wall", Look::DEFAULT, async |browser| {
        let mut elsewhere = Elsewhere::new(&browser.server);
        let pks = elsewhere.incidents(2);
        inside(browser, "/incidents/kiosk/").await;
        browser.run("scrollTo(0, 500)").await;
        let new = elsewhere.incident("On the wall");
        browser.eventually("it is on top", async || rows(browser).await.first() == Some(&new)).await;
        let body = json!({"timestamp": chrono::Utc::now().to_rfc3339(), "type": "CLO", "description": ""});
        elsewhere.user.post(&format!("/api/v2/incidents/{}/events/", pks[0]), &body);
        browser.eventually("it goes", async || rows(browser).await == [new, pks[1]]).await;
        assert_eq!(browser.texts("[data-matching]").await, ["2"]);
        browser.axe().await;
    });
}

#[test]
fn the_list_works_without_scripts() {
    with_browser("list-scriptless", SCRIPTLESS, async |browser| {
        let mut elsewhere = Elsewhere::new(&browser.server);
        let pks = elsewhere.incidents(3);
        elsewhere.acknowledge(pks[0]);
        browser.log_in("admin", PASSWORD).await;
        browser.goto(LIST).await;
        browser.click("#filters input[name=acked][value=false]").await;
        browser.click("#filters button[type=submit]").await;
        browser.eventually("filtered", async || browser.path().await == "/incidents/?open=true&acked=false").await;
        assert_eq!(browser.driver.find_all(By::Css("#rows tr")).await.unwrap().len(), 2);
        browser.click(&format!("#i{} input[name=pk]", pks[1])).await;
        browser.click("#bulk-bar button[value=close]").await;
        browser.eventually_shows(".outcome").await;
        assert!(browser.texts(".outcome").await.concat().contains("1 incident closed."));
        assert_eq!(browser.driver.find_all(By::Css("#rows tr")).await.unwrap().len(), 1);
        browser.click("[data-undo]").await;
        browser.eventually_shows(&format!("#i{}", pks[1])).await;
        browser.goto("/incidents/?open=true&choose=1").await;
        browser.click("button[name=preset][value=maintenance]").await;
        browser.eventually_shows("th.c-maintenance").await;
        browser.picture("list-scriptless").await;
    });
}

#[test]
fn two_users_see_each_others_changes() {
    with_two("list-two", Look::DEFAULT, async |first, second| {
        let mut elsewhere = Elsewhere::new(&first.server);
        let pks = elsewhere.incidents(3);
        let file = first.server.site.path("password");
        std::fs::write(&file, PASSWORD).unwrap();
        first.server.site.ok(&["user", "create", "anna", "--password-file", file.to_str().unwrap()]);
        inside(first, LIST).await;
        second.log_in("anna", PASSWORD).await;
        second.goto(LIST).await;
        live(second).await;
        for (here, there, pk) in [(first, second, pks[0]), (second, first, pks[1])] {
            here.click(&format!("#i{pk} input[name=pk]")).await;
            here.click("#bulk-bar button[value=acknowledge]").await;
            here.eventually_shows(&format!("#i{pk} .badge.acked")).await;
            there.eventually_shows(&format!("#i{pk} .badge.acked")).await;
        }
        // Who is deactivated does not see one row more, also where the stream was just being opened anew.
        second.expect_in_console("401");
        first.server.site.ok(&["user", "deactivate", "anna"]);
        second.eventually_shows("#logged-out").await;
        first.eventually("still live", async || first.texts("[data-live-state]").await == ["live"]).await;
    });
}

#[test]
fn the_list_is_accessible_in_every_look() {
    with_browser("list-looks", Look::DEFAULT, async |browser| {
        browser.server.demo();
        browser.log_in("admin", PASSWORD).await;
        for path in [LIST, "/incidents/?open=any&choose=1", "/incidents/kiosk/", "/incidents/filters/?open=true"] {
            for size in [PHONE, DESKTOP] {
                browser.set_size(size).await;
                browser.goto(path).await;
                for theme in [Theme::Light, Theme::Dark] {
                    browser.set_theme(theme).await;
                    if path == LIST && browser.run("return !document.querySelector('#rows .chosen')").await == true {
                        browser.click("#rows tr:first-child input[name=pk]").await;
                    }
                    browser.settled().await;
                    browser.axe().await;
                    assert!(browser.overflow().await <= 0, "{path}: {}", browser.too_wide().await);
                }
            }
        }
    });
}
