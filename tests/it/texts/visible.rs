//! The text of an HTML document as a reader has it: one line for each block, cells separated by ` | `, fields with their
//! values in brackets, and labels for screen readers, tooltips and questions in braces.

use std::collections::BTreeMap;

use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};

/// Maximum number of choices that are shown; longer lists, such as all time zones, are cut.
const CHOICES_SHOWN: usize = 12;

/// Elements that begin and end a line.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "dd",
    "details",
    "dialog",
    "div",
    "dl",
    "dt",
    "fieldset",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "header",
    "hr",
    "label",
    "legend",
    "li",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tbody",
    "thead",
    "tr",
    "ul",
];
const VOID: &[&str] = &["br", "col", "hr", "img", "input", "link", "meta", "wbr"];
/// Elements without text for readers.
const SILENT: &[&str] = &["datalist", "head", "noscript", "script", "style", "svg", "template"];
/// Attributes with texts for readers, and the names that are shown for them.
const SAID: &[(&str, &str)] = &[("aria-label", "label"), ("title", "title"), ("data-confirm", "confirm")];

pub struct Visible {
    pub title: String,
    /// Text around the page's own: menus and notices.
    pub frame: String,
    /// Text in `<main>`; everything if there is none.
    pub text: String,
}

pub fn visible(html: &str) -> Visible {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let mut reader = Reader::default();
    for token in Tokenizer::new_with_emitter(html, emitter) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => {
                let mut element = Element::new(&tag);
                let leaves = VOID.contains(&element.name.as_str()) || tag.self_closing;
                reader.begin(&mut element);
                if leaves {
                    reader.end(&element);
                } else {
                    reader.open.push(element);
                }
            }
            Token::EndTag(tag) => reader.close(&String::from_utf8_lossy(&tag.name)),
            Token::String(text) => reader.say(&String::from_utf8_lossy(&text)),
            Token::Error(error) => panic!("{error:?} in {html}"),
            Token::Comment(_) | Token::Doctype(_) => {}
        }
    }
    reader.end_line();
    let (before, rest) = reader.lines.split_at(reader.main.map_or(0, |(from, _)| from));
    let (main, after) = rest.split_at(reader.main.map_or(rest.len(), |(from, to)| to - from));
    Visible { title: reader.title, frame: [before, after].concat().join("\n"), text: main.join("\n") }
}

struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
    is_silent: bool,
    /// Texts of attributes, which follow its own.
    after: String,
}

impl Element {
    fn new(tag: &StartTag<()>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let name = text(&tag.name);
        let attributes: BTreeMap<String, String> =
            tag.attributes.iter().map(|(name, value)| (text(name), text(value))).collect();
        let is_silent = SILENT.contains(&name.as_str())
            || attributes.contains_key("hidden")
            || attributes.get("type").is_some_and(|kind| kind == "hidden");
        Self { name, attributes, is_silent, after: String::new() }
    }

    fn is_block(&self) -> bool {
        BLOCKS.contains(&self.name.as_str())
    }

    fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    fn has(&self, name: &str) -> bool {
        self.attributes.contains_key(name)
    }

    /// Texts of its attributes, in braces.
    fn said(&self) -> String {
        let said = SAID.iter().filter(|(name, _)| !self.attribute(name).is_empty());
        let same = self.attribute("aria-label") == self.attribute("title");
        let said = said.filter(|(name, _)| !(same && *name == "title"));
        said.fold(String::new(), |all, (name, word)| all + " {" + *word + ": " + self.attribute(name) + "}")
    }

    /// State or value of an `<input>`.
    fn field(&self) -> String {
        let value = self.attribute("value");
        match self.attribute("type") {
            "checkbox" => if self.has("checked") { "[x]" } else { "[ ]" }.to_owned(),
            "radio" => if self.has("checked") { "(x)" } else { "( )" }.to_owned(),
            _ if value.is_empty() && self.has("placeholder") => {
                format!("[] {{placeholder: {}}}", self.attribute("placeholder"))
            }
            _ => format!("[{value}]"),
        }
    }
}

#[derive(Default)]
struct Choices {
    texts: Vec<String>,
    chosen: Option<usize>,
}

#[derive(Default)]
struct Reader {
    lines: Vec<String>,
    line: String,
    /// Prefix of the line, by its kind of block.
    mark: &'static str,
    open: Vec<Element>,
    cells: usize,
    choices: Option<Choices>,
    title: String,
    /// Number of lines before `<main>` and before its end.
    main: Option<(usize, usize)>,
}

impl Reader {
    fn is_silent(&self) -> bool {
        self.open.iter().any(|element| element.is_silent)
    }

    fn is_in(&self, names: &[&str]) -> bool {
        self.open.iter().any(|element| names.contains(&element.name.as_str()))
    }

    fn begin(&mut self, element: &mut Element) {
        if element.name == "svg" && !self.is_silent() {
            self.word(element.said().trim());
        }
        if self.is_silent() || element.is_silent {
            return;
        }
        if element.is_block() && element.name != "dd" {
            self.break_line();
        }
        match element.name.as_str() {
            "h1" => self.mark = "# ",
            "h2" => self.mark = "## ",
            "h3" | "h4" => self.mark = "### ",
            "li" => self.mark = "- ",
            "summary" => self.mark = "> ",
            "tr" => self.cells = 0,
            "td" | "th" => {
                if self.cells > 0 {
                    self.line.truncate(self.line.trim_end().len());
                    self.line.push_str(" | ");
                }
                self.cells += 1;
            }
            "dd" => {
                self.line.truncate(self.line.trim_end_matches([' ', ':']).len());
                self.line.push_str(": ");
            }
            "br" => self.break_line(),
            "img" if !element.attribute("alt").is_empty() => self.word(&format!("{{{}}}", element.attribute("alt"))),
            "input" => self.word(&element.field()),
            "button" | "textarea" => self.word("["),
            "select" => self.choices = Some(Choices::default()),
            "option" => {
                if let Some(choices) = &mut self.choices {
                    if element.has("selected") {
                        choices.chosen = Some(choices.texts.len());
                    }
                    choices.texts.push(String::new());
                }
            }
            "main" => self.main = Some((self.lines.len(), self.lines.len())),
            _ => {}
        }
        let said = element.said();
        if element.is_block() && !said.is_empty() {
            self.word(said.trim());
            self.break_line();
        } else {
            element.after = said;
        }
    }

    fn close(&mut self, name: &str) {
        let Some(at) = self.open.iter().rposition(|element| element.name == name) else { return };
        while self.open.len() > at {
            if let Some(element) = self.open.pop() {
                self.end(&element);
            }
        }
    }

    fn end(&mut self, element: &Element) {
        if self.is_silent() || element.is_silent {
            return;
        }
        match element.name.as_str() {
            "button" | "textarea" => {
                self.line.truncate(self.line.trim_end().len());
                self.line.push(']');
            }
            "select" => {
                if let Some(choices) = self.choices.take() {
                    self.word(&choices.shown());
                }
            }
            _ => {}
        }
        self.line.push_str(&element.after);
        if element.is_block() && element.name != "dt" {
            self.break_line();
        }
        if element.name == "main" {
            self.main = self.main.map(|(from, _)| (from, self.lines.len()));
        }
    }

    fn say(&mut self, text: &str) {
        if self.open.last().is_some_and(|element| element.name == "title") && !self.is_in(&["svg"]) {
            self.title.push_str(text);
        }
        if self.is_silent() {
            return;
        }
        if let Some(choices) = &mut self.choices {
            if let Some(last) = choices.texts.last_mut() {
                last.push_str(text);
            }
            return;
        }
        let keeps_lines = self.is_in(&["pre", "textarea"]);
        for letter in text.chars() {
            if letter == '\n' && keeps_lines {
                self.break_line();
            } else if keeps_lines || !letter.is_whitespace() {
                self.line.push(letter);
            } else if !self.line.is_empty() && !self.line.ends_with([' ', '[']) {
                self.line.push(' ');
            }
        }
    }

    /// Adds text with a space before it.
    fn word(&mut self, text: &str) {
        if !text.is_empty() {
            if !self.line.is_empty() && !self.line.ends_with(' ') {
                self.line.push(' ');
            }
            self.line.push_str(text);
        }
    }

    /// Ends the line, except within a cell.
    fn break_line(&mut self) {
        if self.is_in(&["td", "th"]) {
            if !self.line.is_empty() && !self.line.ends_with(' ') {
                self.line.push(' ');
            }
        } else {
            self.end_line();
        }
    }

    fn end_line(&mut self) {
        let line = if self.is_in(&["pre"]) { self.line.trim_end() } else { self.line.trim() };
        if !line.is_empty() {
            self.lines.push(format!("{}{line}", self.mark));
            self.mark = "";
        }
        self.line.clear();
    }
}

impl Choices {
    fn shown(&self) -> String {
        let tidy = |text: &String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut texts: Vec<String> = self.texts.iter().map(tidy).collect();
        let chosen = texts.get(self.chosen.unwrap_or(0)).cloned().unwrap_or_default();
        if texts.len() > CHOICES_SHOWN {
            texts.truncate(3);
            texts.push("…".to_owned());
        }
        format!("[{chosen}] {{choices: {}}}", texts.join("; "))
    }
}

#[test]
fn a_page_is_read_as_it_looks() {
    let page = visible(
        "<head><title>Users · x</title><style>b{}</style></head><nav aria-label='Main'><a href=/>Home</a></nav>\
         <main><h1>All  <em>users</em></h1><form><label>Name <input name=n value='A &amp; B'></label>\
         <label><input type=checkbox checked> Active</label><input type=hidden value=x>\
         <select><option>one<option selected>two</select> <button data-confirm='Sure?'>Save</button></form>\
         <table><tr><th>Name<th>Since</tr><tr><td><p>Ann</p><p>B</p></td><td><time title='1 h ago'>12:00</time></td></tr></table>\
         <dl><dt>Zone</dt><dd>UTC</dd></dl><ul><li><p>first</p></li></ul><p hidden>no</p><textarea>a\nb</textarea></main>",
    );
    assert_eq!((page.title.as_str(), page.frame.as_str()), ("Users · x", "{label: Main}\nHome"));
    let lines = [
        "# All users",
        "Name [A & B]",
        "[x] Active",
        "[two] {choices: one; two} [Save] {confirm: Sure?}",
        "Name | Since",
        "Ann B | 12:00 {title: 1 h ago}",
        "Zone: UTC",
        "- first",
        "[a",
        "b]",
    ];
    assert_eq!(page.text.lines().collect::<Vec<_>>(), lines);
}
