//! Snapshots of the texts that people read: each message in each channel, and each page.

mod mails;
mod messages;
mod pages;
mod visible;
mod world;

/// Compares with `texts/<folder>/<name>.snap`. `INSTA_UPDATE=always` writes it.
fn assert_text(folder: &str, name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(format!("texts/{folder}"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// The text with `shown` in place of each word that `is_random` finds.
fn replace_words(text: &str, is_random: impl Fn(&str) -> bool, shown: &str) -> String {
    let parts = text.split_inclusive(|letter: char| letter.is_whitespace() || "\"'<>()[],;@".contains(letter));
    let replaced = parts.map(|part| {
        let end = part.char_indices().next_back().map_or(0, |(at, _)| at);
        let (word, mark) = if is_random(part) { (part, "") } else { part.split_at(end) };
        if is_random(word) { format!("{shown}{mark}") } else { part.to_owned() }
    });
    replaced.collect()
}
