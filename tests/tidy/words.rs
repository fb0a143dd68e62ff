//! Checks of the words that pages show: phrases that `docs/STYLE.md` refuses do not come back.

use super::{pages::files_of, product_files};

/// Where a text of the pages is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// What a reader sees of `web/templates`.
    Templates,
    /// `web/js`, with its comments.
    Scripts,
    /// Sentences in string literals of `src/web`.
    Strings,
}

use Place::{Scripts, Strings, Templates};

/// Phrases in lower case, and the places that do not have them.
const REFUSED: &[(&str, &[Place])] = &[
    ("is there no more", &[Templates, Scripts, Strings]),
    ("is no more", &[Templates, Scripts, Strings]),
    ("no more)", &[Templates, Scripts, Strings]),
    ("so often as", &[Templates, Scripts, Strings]),
    ("so many", &[Templates, Scripts, Strings]),
    ("anew", &[Templates, Scripts, Strings]),
    ("mend", &[Templates, Scripts, Strings]),
    ("any more", &[Templates, Scripts, Strings]),
    ("take back", &[Templates, Scripts, Strings]),
    ("taken back", &[Templates, Scripts, Strings]),
    ("is made", &[Templates, Scripts, Strings]),
    ("asks for nothing", &[Templates, Scripts, Strings]),
    // Scripts have functions of these names.
    ("told", &[Templates, Strings]),
    ("tell", &[Templates, Strings]),
    ("tells", &[Templates, Strings]),
];

/// Attributes whose values people read or hear.
const SHOWN: &[&str] = &["alt", "aria-label", "data-confirm", "placeholder", "title"];

#[test]
fn pages_do_not_have_refused_phrases() {
    let mut wrong = Vec::new();
    let mut texts = 0;
    for (place, name, text) in texts_of_pages() {
        texts += 1;
        wrong.extend(refused_in(place, &text).into_iter().map(|phrase| format!("{name}: \"{phrase}\" in: {text}")));
    }
    assert!(texts > 1_000, "only {texts} texts were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Texts with their place and file.
fn texts_of_pages() -> Vec<(Place, String, String)> {
    let mut texts = Vec::new();
    for (directory, place) in [("web/templates", Templates), ("web/js", Scripts)] {
        for (name, bytes) in files_of(directory) {
            let text = String::from_utf8(bytes).unwrap();
            let shown = if place == Templates { shown_by(&text) } else { text.lines().map(str::to_owned).collect() };
            texts.extend(shown.into_iter().map(|text| (place, format!("{directory}/{name}"), text)));
        }
    }
    for (path, text) in product_files().into_iter().filter(|(path, _)| path.starts_with("src/web")) {
        texts.extend(sentences_in(&text).into_iter().map(|text| (Strings, path.display().to_string(), text)));
    }
    texts
}

fn refused_in(place: Place, text: &str) -> Vec<&'static str> {
    let text = text.to_lowercase();
    let refused = REFUSED.iter().filter(|(phrase, places)| places.contains(&place) && has_phrase(&text, phrase));
    refused.map(|(phrase, _)| *phrase).collect()
}

/// Whether the phrase occurs as whole words.
fn has_phrase(text: &str, phrase: &str) -> bool {
    text.match_indices(phrase).any(|(at, _)| {
        let goes_on = phrase.ends_with(is_of_word) && text[at + phrase.len()..].starts_with(is_of_word);
        !goes_on && !text[..at].ends_with(is_of_word)
    })
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The texts between the tags of a template, and the values of attributes in `SHOWN`.
fn shown_by(template: &str) -> Vec<String> {
    let mut html = template.to_owned();
    for (open, close) in [("{%", "%}"), ("{{", "}}"), ("{#", "#}")] {
        while let Some(from) = html.find(open) {
            let to = html[from..].find(close).map_or(html.len(), |at| from + at + close.len());
            html.replace_range(from..to, " ");
        }
    }
    let mut texts = Vec::new();
    for part in html.split('<') {
        let (tag, text) = part.split_once('>').unwrap_or(("", part));
        for name in SHOWN {
            let start = format!(" {name}=\"");
            let values = tag.split(&start).skip(1).filter_map(|rest| rest.split('"').next());
            texts.extend(values.map(str::to_owned));
        }
        texts.push(text.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    texts.retain(|text| !text.is_empty());
    texts
}

/// String literals that hold a space, outside of comments and unit tests.
fn sentences_in(code: &str) -> Vec<String> {
    let code = code.split("#[cfg(test)]\nmod ").next().unwrap();
    let mut texts = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(['"', '/']) {
        rest = &rest[at..];
        if rest.starts_with("//") {
            rest = rest.split_once('\n').map_or("", |(_, next)| next);
        } else if let Some(literal) = rest.strip_prefix('"') {
            let mut is_escaped = false;
            let end = literal.find(|character| {
                let ends = character == '"' && !is_escaped;
                is_escaped = character == '\\' && !is_escaped;
                ends
            });
            let (text, next) = literal.split_at(end.unwrap_or(literal.len()));
            texts.push(text.split("\\\n").map(str::trim_start).collect::<String>());
            rest = next.get(1..).unwrap_or_default();
        } else {
            rest = &rest[1..];
        }
    }
    texts.retain(|text| text.contains(' '));
    texts
}

#[test]
fn the_checks_of_words_see_what_they_should() {
    let template =
        "{# anew #}<p class=\"told\" title=\"Say so\">{% if told %}Be <b>told</b>{% endif %} {{ told }}</p>\n";
    assert_eq!(shown_by(template), ["Say so", "Be", "told"]);
    let code = "// \"no text\"\nf(\"a.html\", \"It was \\\n   \\\"told\\\".\", \"x/y z\");\n#[cfg(test)]\nmod tests { \"in tests\" }";
    assert_eq!(sentences_in(code), ["It was \\\"told\\\".", "x/y z"]);
    assert_eq!(refused_in(Templates, "Nobody is told of it anew."), ["anew", "told"]);
    assert_eq!(refused_in(Scripts, "tell(retold, amend, some_mend)"), [""; 0]);
    assert_eq!(refused_in(Strings, "It is not there (any more)."), ["any more"]);
    assert_eq!(refused_in(Strings, "(it is there no more)"), ["is there no more", "no more)"]);
}
