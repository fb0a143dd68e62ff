//! Notification settings: drawing a week, the first profile, testing a destination, previews that follow.

use thirtyfour::{By, Key, TypingData, WebElement};

use super::{
    harness::with_browser,
    session::{Browser, Look, PHONE},
};
use crate::support::{PASSWORD, eventually::eventually, sinks::HttpSink};

const MON: u32 = 0;
const TUE: u32 = 1440;
const FRI: u32 = 4 * 1440;
const SAT: u32 = 5 * 1440;

async fn cell(browser: &Browser, at: u32) -> WebElement {
    browser.find(&format!(".week-cell[data-at='{at}']")).await
}

async fn draw(browser: &Browser, from: u32, to: u32) {
    let (from, to) = (cell(browser, from).await, cell(browser, to).await);
    let chain = browser.driver.action_chain();
    let chain = chain.move_to_element_center(&from).click_and_hold().move_to_element_center(&to).release();
    chain.perform().await.unwrap();
}

async fn chosen(browser: &Browser) -> i64 {
    browser.run("return document.querySelectorAll('.week-cell[aria-selected=true]').length").await.as_i64().unwrap()
}

/// Without the question whether one means it.
async fn submit(browser: &Browser, css: &str) {
    browser.find(css).await.scroll_into_view().await.unwrap();
    browser.click(css).await;
}

#[test]
fn a_night_shift_is_drawn_saved_and_seen_again() {
    with_browser("night-shift", Look::DEFAULT, draw_a_night_shift);
}

#[test]
fn a_night_shift_is_drawn_on_a_phone() {
    with_browser("night-shift-phone", Look { size: PHONE, ..Look::DEFAULT }, draw_a_night_shift);
}

async fn draw_a_night_shift(browser: &Browser) {
    browser.log_in("admin", PASSWORD).await;
    browser.goto("/notifications/timeslots/").await;
    browser.click("a[href='/notifications/timeslots/new/']").await;
    browser.eventually_shows(".week-grid").await;
    browser.fill("input[name=name]", "Night shift").await;
    draw(browser, MON + 1320, FRI + 1410).await;
    assert_eq!(chosen(browser).await, 5 * 4);
    draw(browser, TUE, SAT + 330).await;
    assert_eq!(chosen(browser).await, 5 * 16);
    // What was drawn by mistake is wiped.
    draw(browser, SAT + 600, SAT + 600).await;
    draw(browser, SAT + 600, SAT + 600).await;
    assert_eq!(chosen(browser).await, 5 * 16);
    submit(browser, "#timeslot-form button.primary").await;
    browser.eventually("saved", async || browser.path().await == "/notifications/timeslots/").await;
    let texts = browser.texts(".cards").await.join(" ");
    assert!(texts.contains("Mon–Fri 22:00–06:00"), "{texts}");

    let links = browser.driver.find_all(By::Css(".cards h2 a")).await.unwrap();
    for link in links {
        if link.text().await.unwrap() == "Night shift" {
            link.click().await.unwrap();
            break;
        }
    }
    browser.eventually_shows(".week-grid").await;
    assert_eq!(chosen(browser).await, 5 * 16);
    assert_eq!(browser.run("return document.querySelector('[name=from-0]').value").await, "22:00");
    assert_eq!(browser.overflow().await, 0);
    browser.axe().await;
}

#[test]
fn a_week_is_drawn_by_keyboard() {
    with_browser("week-keyboard", Look::DEFAULT, async |browser| {
        browser.expect_in_console("422");
        browser.log_in("admin", PASSWORD).await;
        browser.goto("/notifications/timeslots/new/").await;
        browser.eventually_shows(".week-grid").await;
        browser.run("document.querySelector('.week-cell[tabindex=\"0\"]').focus()").await;
        let focused = "return document.activeElement.ariaLabel";
        assert_eq!(browser.run(focused).await, "Monday 08:00");
        let press = async |keys: TypingData| {
            browser.driver.active_element().await.unwrap().send_keys(keys).await.unwrap();
        };
        press(" ".into()).await;
        press(Key::Shift + Key::Right).await;
        assert_eq!(chosen(browser).await, 2);
        press(Key::Shift + Key::Down).await;
        assert_eq!(browser.run(focused).await, "Tuesday 08:30");
        press(Key::Down.into()).await;
        assert_eq!(chosen(browser).await, 3, "without shift one only moves");
        let rows = "return [...document.querySelectorAll('.week-row')].map((row) => \
            [...row.querySelectorAll('[type=time]')].map((it) => it.value).join('-')).join()";
        assert_eq!(browser.run(rows).await, "08:00-09:00,08:30-09:00");

        // A refusal keeps what was drawn.
        browser.fill("input[name=name]", "All the time").await;
        submit(browser, "#timeslot-form button.primary").await;
        browser.eventually_shows(".problem").await;
        assert_eq!(chosen(browser).await, 3);
        browser.axe().await;
    });
}

#[test]
fn the_first_profile_is_created_and_its_destination_tested() {
    with_browser("first-profile", Look::DEFAULT, async |browser| {
        let sink = HttpSink::start();
        browser.log_in("admin", PASSWORD).await;
        browser.goto("/notifications/").await;
        browser.eventually_shows(".first").await;
        browser.axe().await;
        browser.fill("input[name=email]", "anna@example.org").await;
        submit(browser, ".first button[type=submit]").await;
        browser.eventually_shows(".profile").await;
        let card = browser.texts(".profile").await.join(" ");
        for part in ["anna@example.org", "All the time", "open now", "levels 1 to 3"] {
            assert!(card.contains(part), "{part}: {card}");
        }

        browser.goto("/notifications/destinations/new/?medium=webhook").await;
        browser.fill("input[name=destination_url]", &sink.url("/hook")).await;
        browser.fill("input[name=label]", "Robot").await;
        browser.axe().await;
        submit(browser, ".medium-form button.primary").await;
        browser.eventually("saved", async || browser.path().await == "/notifications/destinations/").await;
        browser.run("window.same = true").await;
        submit(browser, ".cards > li:last-child .test button").await;
        browser.eventually_shows(".outcome.good").await;
        assert_eq!(browser.run("return window.same").await, true, "nothing was loaded anew");
        assert_eq!(browser.path().await, "/notifications/destinations/");
        eventually("the sink was called", || sink.calls().len() == 1);
        browser.axe().await;

        // Saved into the profile, and warned of where it is left out.
        browser.goto("/notifications/profiles/").await;
        browser.click(".profile h2 a").await;
        browser.eventually_shows("#profile-preview .big").await;
        browser.axe().await;
        browser.click("input[name=destinations]:checked").await;
        submit(browser, "#profile-form button.primary").await;
        browser.eventually_shows(".profile .warning").await;
        browser.axe().await;
    });
}

#[test]
fn the_preview_of_a_filter_follows_the_choices() {
    with_browser("filter-preview", Look::DEFAULT, async |browser| {
        browser.server.demo();
        browser.log_in("admin", PASSWORD).await;
        browser.goto("/notifications/filters/new/").await;
        let preview = async || browser.texts("#filter-preview").await.join(" ");
        browser.eventually("empty", async || preview().await.contains("matches nothing")).await;
        // The driver's click on an option tells nobody of the input, as people's clicks and keys do.
        browser.find("select[name=level]").await.send_keys(TypingData::from(Key::End)).await.unwrap();
        browser.eventually("counted", async || preview().await.contains("match now")).await;
        let all = preview().await;
        browser.click("input[name=open][value=no]").await;
        browser.eventually("fewer", async || preview().await.contains("closed") && preview().await != all).await;
        browser.fill("input[aria-label='Tag 1']", "nonsense").await;
        browser.eventually("refused", async || preview().await.contains("“nonsense” is not a tag")).await;
        browser.fill("input[aria-label='Tag 1']", "a=b").await;
        browser.eventually("nothing", async || preview().await.contains("0 incidents match now")).await;
        browser.fill("input[aria-label='Tag 2']", "c=d").await;
        browser.eventually_shows("input[aria-label='Tag 3']").await;
        browser.axe().await;
        browser.fill("input[name=name]", "Closed").await;
        submit(browser, "#filter-form button.primary").await;
        browser.eventually("saved", async || browser.path().await == "/notifications/filters/").await;
        browser.axe().await;
    });
}

/// What has the focus, and the text that describes it.
const WRONG: &str = "const it = document.activeElement;
    const of = (it.getAttribute('aria-describedby') ?? '').split(' ').map((id) => document.getElementById(id));
    return [it.name, it.getAttribute('aria-invalid'), of.map((one) => one?.textContent).join()].join('|')";

#[test]
fn a_refused_form_leads_to_the_wrong_field_and_keeps_its_preview() {
    with_browser("form-problems", Look::DEFAULT, async |browser| {
        browser.expect_in_console("422");
        browser.server.demo();
        browser.log_in("admin", PASSWORD).await;
        browser.goto("/notifications/filters/new/").await;
        browser.fill("input[name=name]", "Grave").await;
        browser.find("select[name=level]").await.send_keys(TypingData::from("1")).await.unwrap();
        browser.eventually_shows("#filter-preview .big").await;
        submit(browser, "#filter-form button.primary").await;
        browser.eventually("saved", async || browser.path().await == "/notifications/filters/").await;

        // The same name again.
        browser.goto("/notifications/filters/new/").await;
        browser.fill("input[name=name]", "Grave").await;
        browser.click("input[name=open][value=yes]").await;
        browser.eventually_shows("#filter-preview .big").await;
        submit(browser, "#filter-form button.primary").await;
        browser.eventually_shows(".problem").await;
        assert_eq!(browser.run(WRONG).await, "name|true|Name: you already have a filter “Grave”.");
        assert_eq!(browser.texts("#filter-preview .big").await.len(), 1, "the preview is still there");
        browser.axe().await;

        // A profile without a filter, then with one but with a name that is taken.
        browser.goto("/notifications/profiles/new/").await;
        browser.fill("input[name=name]", "Day").await;
        submit(browser, "#profile-form button.primary").await;
        browser.eventually_shows(".problem").await;
        assert_eq!(browser.run(WRONG).await, "filters|true|Filters: choose at least one.");
        browser.axe().await;
        browser.click("input[name=filters]").await;
        browser.eventually_shows("#profile-preview .big").await;
        submit(browser, "#profile-form button.primary").await;
        browser.eventually("saved", async || browser.path().await == "/notifications/profiles/").await;
        browser.goto("/notifications/profiles/new/").await;
        browser.fill("input[name=name]", "Day").await;
        browser.click("input[name=filters]").await;
        browser.eventually_shows("#profile-preview .big").await;
        submit(browser, "#profile-form button.primary").await;
        browser.eventually_shows(".problem").await;
        assert_eq!(browser.run(WRONG).await, "name|true|Name: you already have a profile with this name.");
        assert_eq!(browser.run("return document.querySelector('input[name=filters]').checked").await, true);
        assert_eq!(browser.texts("#profile-preview .big").await.len(), 1, "the preview is still there");
        // With the field in order the marks are gone.
        browser.fill("input[name=name]", "Night").await;
        browser.run("document.querySelector('input[name=filters]').click()").await;
        submit(browser, "#profile-form button.primary").await;
        let focus = async || browser.run(WRONG).await == "filters|true|Filters: choose at least one.";
        browser.eventually("the other field", focus).await;
        assert_eq!(browser.run("return document.querySelectorAll('[aria-invalid]').length").await, 1);
    });
}

#[test]
fn a_refused_form_leads_to_the_wrong_field_without_scripts() {
    with_browser("form-problems-scriptless", Look { scripts: false, ..Look::DEFAULT }, async |browser| {
        browser.expect_in_console("422");
        browser.log_in("admin", PASSWORD).await;
        browser.goto("/sources/new/").await;
        browser.fill("input[name=name]", "nav").await;
        browser.find("select[name=type]").await.send_keys(TypingData::from(Key::End)).await.unwrap();
        browser.fill("input[name=frequency]", "often").await;
        browser.click("main button.primary").await;
        browser.eventually_shows(".problem").await;
        let focused = async || browser.driver.active_element().await.unwrap().attr("name").await.unwrap();
        browser.eventually("the field has the focus", async || focused().await.as_deref() == Some("frequency")).await;
        let field = browser.find("[name=frequency]").await;
        assert_eq!(field.attr("aria-invalid").await.unwrap().as_deref(), Some("true"));
        assert_eq!(field.attr("aria-describedby").await.unwrap().as_deref(), Some("problem beat-help"));
    });
}

#[test]
fn maintenance_is_planned_and_ended() {
    with_browser("maintenance", Look::DEFAULT, async |browser| {
        browser.log_in("admin", PASSWORD).await;
        browser.goto("/notifications/filters/new/").await;
        browser.fill("input[name=name]", "Open").await;
        browser.click("input[name=open][value=yes]").await;
        submit(browser, "#filter-form button.primary").await;
        browser.eventually("saved", async || browser.path().await == "/notifications/filters/").await;

        browser.goto("/plannedmaintenance/new/").await;
        browser.fill("input[name=description]", "New firmware").await;
        browser.click("input[name=filters]").await;
        let preview = async || browser.texts("#maintenance-preview").await.join(" ");
        browser.eventually("counted", async || preview().await.contains("open incidents")).await;
        browser.axe().await;
        submit(browser, "#maintenance-form button.primary").await;
        browser.eventually_shows("form[action$='/cancel/'] button").await;
        browser.axe().await;
        browser.click("form[action$='/cancel/'] button").await;
        browser.driver.accept_alert().await.unwrap();
        browser.eventually("ended", async || browser.texts(".badge").await.contains(&"past".to_owned())).await;
        browser.goto("/plannedmaintenance/past/").await;
        assert!(browser.texts(".cards").await.join(" ").contains("New firmware"));
        browser.axe().await;
    });
}
