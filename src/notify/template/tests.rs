//! Tests of the built-in templates, and of templates of an operator that fail.

use std::{fmt::Write, fs};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::{
    domain::channel_types::{email, ntfy, slack, sms},
    notify::{Content, Notice},
};

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

fn view(notice: Notice) -> MessageView {
    MessageView::new(&Content::Event(notice), chrono_tz::Europe::Oslo)
}

#[test]
fn short_forms_read_well() {
    let templates = Templates::load(None).unwrap();
    let mut all = String::new();
    for content in samples::contents() {
        let view = MessageView::local(&content, chrono_tz::Europe::Oslo);
        for (name, part) in [("Sms", sms::TEXT), ("Slack", slack::TEXT), ("Ntfy", ntfy::TEXT)] {
            writeln!(all, "--- {} {name}\n{}", view.kind(), templates.render(part, &view)).unwrap();
        }
    }
    insta::assert_snapshot!("short_forms", all);
}

#[test]
fn a_text_message_is_the_events_description_else_the_incidents() {
    let templates = Templates::load(None).unwrap();
    let plain = || Notice { late: None, closed_since: false, ..samples::full() };
    assert_eq!(templates.render(sms::TEXT, &view(plain())), "no answer to 5 pings");
    let mut notice = plain();
    std::sync::Arc::make_mut(&mut notice.event).description.clear();
    assert_eq!(templates.render(sms::TEXT, &view(notice)), "web1.example.org does not answer");
    let mut notice = samples::full();
    std::sync::Arc::make_mut(&mut notice.event).description = "æ".repeat(2_000);
    let text = templates.render(sms::TEXT, &view(notice));
    assert!(text.ends_with("… (closed since) (12 minutes late)"), "{text}");
    assert!(text.chars().count() <= limits::SMS_TEXT);
}

#[test]
fn slack_markup_in_values_does_nothing() {
    let templates = Templates::load(None).unwrap();
    let mut notice = samples::full();
    std::sync::Arc::make_mut(&mut notice.incident).description = "<!channel> <http://x|y> & @here @Alice".to_owned();
    let text = templates.render(slack::TEXT, &view(notice));
    assert!(text.contains("&lt;!channel&gt; &lt;http://x|y&gt; &amp; @\u{200b}here @Alice"), "{text}");
    assert!(text.contains("<https://argus.example.org/incidents/28/|Incident 28>"), "{text}");
    let mut notice = samples::full();
    let description = "[log in](http://x.example) \u{202e}gpj.exe f(x)[1] (y)".to_owned();
    std::sync::Arc::make_mut(&mut notice.incident).description = description;
    let text = templates.render(slack::TEXT, &view(notice));
    assert!(text.contains("[log in]\u{200b}(http://x.example) gpj.exe f(x)[1] (y)"), "{text}");
}

#[test]
fn own_templates_replace_built_in_ones() {
    let directory = directory(&[("event.subject.txt", "{{ level_name }}: {{ headline }}"), ("README", "")]);
    let templates = Templates::load(Some(directory.path())).unwrap();
    let view = view(samples::full());
    assert_eq!(templates.render(email::SUBJECT, &view), "High: web1.example.org does not answer");
    assert!(templates.render(email::TEXT, &view).starts_with("Status: STA\nActor: zabbix-src\n"));
}

#[test]
fn a_broken_template_is_refused_with_its_place() {
    for text in ["fine\n{% if %}", "fine\n{{ headlin }}", "fine\n{{ headline|shout }}", "fine\n{{ fields.x.y }}"] {
        let directory = directory(&[("event.sms.txt", text)]);
        let error = Templates::load(Some(directory.path())).err().unwrap().to_string();
        assert!(error.contains("event.sms.txt, line 2"), "{text}: {error}");
    }
    let missing = Templates::load(Some(Path::new("/nonexistent"))).err().unwrap().to_string();
    assert!(missing.starts_with("notifications.templates: cannot read /nonexistent"), "{missing}");
}

#[test]
fn a_template_that_fails_later_loses_no_message() {
    let text = "{% if headline == 'bad' %}{{ headline.x.y }}{% endif %}{% for a in range(tags|length * 900) %}{% for b in range(900) %}x{% endfor %}{% endfor %}";
    let directory = directory(&[("event.subject.txt", text)]);
    let mut quiet = samples::full();
    std::sync::Arc::make_mut(&mut quiet.incident).tags.clear();
    let mut bad = quiet.clone();
    std::sync::Arc::make_mut(&mut bad.incident).description = "bad".to_owned();
    // The samples have too many tags for it, so it would be refused at the start.
    assert!(Templates::load(Some(directory.path())).is_err());
    let mut templates = Templates::load(None).unwrap();
    templates.own.add_template_owned("event.subject.txt", text).unwrap();
    assert_eq!(templates.render(email::SUBJECT, &view(quiet)), "");
    for (notice, description) in [(bad, "bad"), (samples::full(), "web1.example.org does not answer")] {
        let subject = templates.render(email::SUBJECT, &view(notice));
        assert!(subject.starts_with(&format!("'Incident start': {description}, zabbix-src @ ")), "{subject}");
    }
    assert_eq!(templates.failed.lock().unwrap().len(), 1);
}

#[test]
fn a_summary_of_very_many_still_reads() {
    let templates = Templates::load(None).unwrap();
    let summary = crate::notify::Summary { notices: vec![samples::full(); 3_000], total: 5_000 };
    let view = MessageView::new(&Content::Summary(summary), chrono_tz::UTC);
    let text = templates.render(email::TEXT, &view);
    assert_eq!(text.matches("Level 2, High: web1").count(), limits::SUMMARY_NOTICES);
    assert!(text.trim_end().ends_with("And 4950 more."), "{}", text.len());
    assert!(templates.render(email::HTML, &view).trim_end().ends_with("</html>"));
}

#[test]
fn output_is_bounded() {
    let mut templates = Templates::load(None).unwrap();
    let text = "{% set a = description * 1000 %}{{ a }}{{ a }}{{ a }}";
    templates.own.add_template_owned("event.txt", text).unwrap();
    let text = templates.render(email::TEXT, &view(samples::full()));
    assert!(text.len() <= limits::RENDERED_BYTES);
}

proptest! {
    #[test]
    fn html_holds_no_foreign_markup(description in "(?s)[<>&\"'a-z\0-\u{20}]{0,60}") {
        let templates = Templates::load(None).unwrap();
        let mut notice = samples::full();
        let tags = |text: &str| text.matches('<').count();
        let before = tags(&templates.render(email::HTML, &view(notice.clone())));
        std::sync::Arc::make_mut(&mut notice.incident).description = format!("x{description}");
        let after = tags(&templates.render(email::HTML, &view(notice)));
        prop_assert_eq!(before, after);
    }
}
