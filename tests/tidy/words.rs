//! Checks of the words of pages, comments and documents: phrases that `docs/STYLE.md` refuses do not come back.

use std::{fs, path::Path};

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
    /// Comments in `src`, without what is in backticks.
    Comments,
    /// `README.md` and `docs`, without what is in backticks, quotation marks or blocks of code.
    Documents,
}

use Place::{Comments, Documents, Scripts, Strings, Templates};

/// Phrases in lower case, and the places that do not have them.
const REFUSED: &[(&str, &[Place])] = &[
    ("is there no more", &[Templates, Scripts, Strings, Comments, Documents]),
    ("are there no more", &[Templates, Scripts, Strings, Comments, Documents]),
    ("is no more", &[Templates, Scripts, Strings, Comments, Documents]),
    ("no more)", &[Templates, Scripts, Strings]),
    ("so often as", &[Templates, Scripts, Strings]),
    ("so many", &[Templates, Scripts, Strings, Comments]),
    ("at most so many", &[Documents]),
    ("so often", &[Comments, Documents]),
    ("anew", &[Templates, Scripts, Strings, Comments, Documents]),
    ("mend", &[Templates, Scripts, Strings, Comments, Documents]),
    ("any more", &[Templates, Scripts, Strings]),
    ("take back", &[Templates, Scripts, Strings, Comments, Documents]),
    ("taken back", &[Templates, Scripts, Strings, Comments, Documents]),
    ("is made", &[Templates, Scripts, Strings]),
    ("asks for nothing", &[Templates, Scripts, Strings]),
    // Scripts have functions of these names.
    ("told", &[Templates, Strings, Comments, Documents]),
    ("tell", &[Templates, Strings, Comments, Documents]),
    ("tells", &[Templates, Strings, Comments, Documents]),
    ("hear of", &[Templates, Strings, Comments, Documents]),
    ("hears of", &[Templates, Strings, Comments, Documents]),
    ("heard of", &[Templates, Strings, Comments, Documents]),
];

/// Words that no doc comment begins with, because a relative clause or a fragment would follow.
const REFUSED_STARTS: &[&str] = &["What", "Who", "Whom", "Whoever", "Whatever", "Which", "Where", "Of", "Also", "So"];

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

#[test]
fn comments_and_documents_do_not_have_refused_phrases() {
    let mut wrong = Vec::new();
    for (path, text) in product_files().into_iter().filter(|(path, _)| path.starts_with("src")) {
        for comment in comments_of(&text) {
            let phrases = refused_in(Comments, &without_quotes(&comment));
            wrong.extend(phrases.into_iter().map(|phrase| format!("{}: \"{phrase}\" in: {comment}", path.display())));
        }
        // Doc comments of the arguments are help texts.
        if !path.ends_with("cli/args.rs") {
            let starts = starts_of_docs(&text).into_iter();
            wrong.extend(starts.map(|line| format!("{}: begins with {line}", path.display())));
        }
    }
    for (name, text) in documents() {
        for line in lines_to_read(&text) {
            let phrases = refused_in(Documents, &without_quotes(line));
            wrong.extend(phrases.into_iter().map(|phrase| format!("{name}: \"{phrase}\" in: {line}")));
        }
    }
    assert!(wrong.is_empty(), "{} phrases:\n{}", wrong.len(), wrong.join("\n"));
}

/// The texts of runs of comment lines, each joined to one line.
fn comments_of(code: &str) -> Vec<String> {
    let mut comments: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in code.lines() {
        let text = line.trim_start().strip_prefix("//").map(|text| text.trim_start_matches(['/', '!']).trim());
        match text {
            Some(text) if goes_on => {
                let comment = comments.last_mut().unwrap();
                comment.push(' ');
                comment.push_str(text);
            }
            Some(text) => comments.push(text.to_owned()),
            None => {}
        }
        goes_on = text.is_some();
    }
    comments
}

/// First lines of doc comments that begin with a word of `REFUSED_STARTS`.
fn starts_of_docs(code: &str) -> Vec<&str> {
    let mut starts = Vec::new();
    let mut goes_on = false;
    for line in code.lines().map(str::trim_start) {
        let text = line.strip_prefix("/// ").or_else(|| line.strip_prefix("//! "));
        let is_refused = |text: &str| REFUSED_STARTS.contains(&text.split(' ').next().unwrap());
        starts.extend(text.filter(|text| !goes_on && is_refused(text)));
        goes_on = line.starts_with("///") || line.starts_with("//!");
    }
    starts
}

/// `README.md` and the files of `docs`, except the page that lists what is refused.
fn documents() -> Vec<(String, String)> {
    let mut documents = vec![("README.md".to_owned(), fs::read_to_string("README.md").unwrap())];
    for (name, bytes) in files_of("docs") {
        if name != "STYLE.md" && Path::new(&name).extension().is_some_and(|it| it == "md") {
            documents.push((format!("docs/{name}"), String::from_utf8(bytes).unwrap()));
        }
    }
    documents
}

/// Lines outside of blocks of code.
fn lines_to_read(document: &str) -> Vec<&str> {
    let mut in_block = false;
    document
        .lines()
        .filter(|line| {
            let is_fence = line.trim_start().starts_with("```");
            in_block ^= is_fence;
            !in_block && !is_fence && !line.starts_with("    ")
        })
        .collect()
}

/// The text without what stands in backticks or quotation marks.
fn without_quotes(text: &str) -> String {
    ['`', '"'].iter().fold(text.to_owned(), |text, mark| text.split(*mark).step_by(2).collect::<Vec<_>>().join(" "))
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
    let code =
        "/// Of the change that was\n/// heard of last.\nlet a = 1; // told\n// Whoever.\n\n//! What `told` is.\n";
    assert_eq!(comments_of(code), ["Of the change that was heard of last.", "Whoever.", "What `told` is."]);
    assert_eq!(starts_of_docs(code), ["Of the change that was", "What `told` is."]);
    assert_eq!(refused_in(Comments, &comments_of(code)[0]), ["heard of"]);
    assert_eq!(refused_in(Comments, &without_quotes("`told`, \"tell\" and anew")), ["anew"]);
    assert_eq!(lines_to_read("a\n```\nb\n```\n    c\nd"), ["a", "d"]);
}
