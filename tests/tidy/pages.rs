//! Checks of what browsers get: vendored files are the published ones, sizes stay small, templates hold nothing inline.

use std::{collections::BTreeSet, fmt::Write, fs, path::Path};

use sha2::{Digest, Sha256};

use super::root;

const VENDOR_DIRECTORIES: &[&str] = &["assets/vendor", "tests/vendor"];

/// Bytes, uncompressed, of all files with that ending together.
const SIZES: &[(&str, &str, u64)] =
    &[("web/js", "js", 30 * 1024), ("assets/vendor", "js", 60 * 1024), ("web/css", "css", 50 * 1024)];

/// What may go into a page as it is: the template, the expression, and why that cannot be somebody's text.
const TRUSTED: &[(&str, &str, &str)] = &[];

#[test]
fn vendored_files_are_as_published() {
    let mut wrong = Vec::new();
    for directory in VENDOR_DIRECTORIES {
        let sums = fs::read_to_string(root().join(directory).join("CHECKSUMS")).unwrap();
        let mut listed = BTreeSet::from(["CHECKSUMS".to_owned()]);
        for line in sums.lines() {
            let (sum, name) = line.split_once("  ").unwrap_or_else(|| panic!("{directory}/CHECKSUMS: {line}"));
            let there = fs::read(root().join(directory).join(name)).map(|bytes| sum_of(&bytes));
            if there.as_deref().ok() != Some(sum) {
                wrong.push(format!("{directory}/{name}: {there:?}"));
            }
            listed.insert(name.to_owned());
        }
        for (name, _) in files_of(directory) {
            if !listed.contains(&name) {
                wrong.push(format!("{directory}/{name}: not in CHECKSUMS"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_browsers_load_stays_small() {
    let mut wrong = Vec::new();
    for (directory, ending, limit) in SIZES {
        let files =
            files_of(directory).into_iter().filter(|(name, _)| Path::new(name).extension() == Some(ending.as_ref()));
        let size: u64 = files.map(|(_, bytes)| bytes.len() as u64).sum();
        if size > *limit {
            wrong.push(format!("{directory}/*.{ending}: {size} bytes of at most {limit}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn templates_hold_nothing_inline() {
    let mut wrong = Vec::new();
    for (name, bytes) in files_of("web/templates") {
        let text = String::from_utf8(bytes).unwrap();
        wrong.extend(faults(&name, &text).into_iter().map(|fault| format!("web/templates/{name}: {fault}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whoever sends a form twice must not have it carried out twice.
#[test]
fn forms_that_change_something_have_a_number() {
    for (name, bytes) in files_of("web/templates") {
        let text = String::from_utf8(bytes).unwrap();
        for form in text.split("<form").skip(1).filter(|form| form.contains("method=\"post\"")) {
            let form = form.split("</form>").next().unwrap();
            assert!(form.contains("ui::csrf(frame)") || form.contains("name=\"form_number\""), "{name}: <form{form}");
        }
    }
}

#[test]
fn reasons_for_trust_are_still_needed() {
    for (name, expression, reason) in TRUSTED {
        let text = fs::read_to_string(root().join("web/templates").join(name)).unwrap();
        assert!(unescaped(&text).iter().any(|found| found == expression), "{name}: no {expression} ({reason})");
    }
}

/// With paths relative to the directory, also of its subdirectories. None if it is not there.
pub(super) fn files_of(directory: &str) -> Vec<(String, Vec<u8>)> {
    let top = root().join(directory);
    let (mut files, mut ahead) = (Vec::new(), vec![top.clone()]);
    while let Some(directory) = ahead.pop() {
        let Ok(entries) = fs::read_dir(directory) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                ahead.push(path);
            } else {
                let name = path.strip_prefix(&top).unwrap().to_string_lossy().into_owned();
                files.push((name, fs::read(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

fn sum_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

/// What the content security policy would forbid, or would let somebody's text become markup.
fn faults(name: &str, template: &str) -> Vec<String> {
    let mut faults: Vec<String> = unescaped(template)
        .into_iter()
        .filter(|found| !TRUSTED.iter().any(|(file, expression, _)| *file == name && expression == found))
        .map(|found| format!("{{{{ {found} }}}} is not escaped"))
        .collect();
    let html = without_code(template);
    let mut rest = html.as_str();
    while let Some((_, from)) = rest.split_once('<') {
        let (tag, after) = tag_of(from);
        let element = tag.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
        if element == "style" {
            faults.push("a <style> element".to_owned());
        }
        if element == "script" && !after.split("</script").next().unwrap_or_default().trim().is_empty() {
            faults.push("a <script> with a body".to_owned());
        }
        faults.extend(attributes(tag).into_iter().filter_map(|(name, value)| attribute_fault(&name, &value)));
        rest = after;
    }
    faults
}

fn attribute_fault(name: &str, value: &str) -> Option<String> {
    let value = value.trim().to_ascii_lowercase();
    let inline = name == "style" || name.starts_with("on") || name.starts_with("hx-on");
    let code = value.starts_with("js:") || value.starts_with("javascript:");
    // A filter on a trigger, `click[ctrlKey]`, is evaluated.
    let filter = name.starts_with("hx-trigger") && value.contains('[');
    (inline || code || filter).then(|| format!("{name}=\"{value}\""))
}

/// Expressions that escape nothing.
fn unescaped(template: &str) -> Vec<String> {
    let expressions = template.split("{{").skip(1).filter_map(|rest| rest.split("}}").next());
    let blocks = template.split("{%").skip(1).filter_map(|rest| rest.split("%}").next());
    let in_blocks = blocks.filter(|block| block.trim_matches(['-', ' ', '~', '+']).starts_with("filter "));
    expressions
        .chain(in_blocks)
        .map(|expression| expression.trim_matches(['-', '~', '+']).trim().to_owned())
        .filter(|expression| {
            let dense: String = expression.chars().filter(|c| !c.is_whitespace()).collect();
            ["|safe", "filtersafe", "|e(\"none\")", "|escape(\"none\")"].iter().any(|mark| dense.contains(mark))
        })
        .collect()
}

/// Without expressions, statements and comments of the template language, and without comments of HTML.
fn without_code(template: &str) -> String {
    let mut html = template.to_owned();
    for (start, end) in [("{#", "#}"), ("{%", "%}"), ("{{", "}}"), ("<!--", "-->")] {
        let mut kept = String::new();
        for (position, part) in html.split(start).enumerate() {
            match part.split_once(end) {
                Some((_, after)) if position > 0 => kept.push_str(after),
                _ => kept.push_str(part),
            }
        }
        html = kept;
    }
    html
}

/// Up to the `>` that is in no quotes, and what follows it.
fn tag_of(text: &str) -> (&str, &str) {
    let mut quote = None;
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (None, '"' | '\'') => quote = Some(character),
            (None, '>') => return (&text[..at], &text[at + 1..]),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
    }
    (text, "")
}

fn attributes(tag: &str) -> Vec<(String, String)> {
    let mut attributes = Vec::new();
    let mut rest = tag.trim_start_matches(|c: char| !c.is_whitespace()).trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(rest.len());
        let name = rest[..end].to_ascii_lowercase();
        rest = rest[end..].trim_start();
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
            let body = if quote.is_some() { &after[1..] } else { after };
            let end = match quote {
                Some(quote) => body.find(quote),
                None => body.find(char::is_whitespace),
            };
            value = &body[..end.unwrap_or(body.len())];
            rest = &body[end.unwrap_or(body.len())..];
            rest = rest.strip_prefix(['"', '\'']).unwrap_or(rest).trim_start();
        }
        attributes.push((name, value.to_owned()));
    }
    attributes
}

#[test]
fn the_checks_see_what_they_should() {
    for bad in [
        "<p style=\"color: red\">",
        "<a\n  ONCLICK='x()'>",
        "<a href=javascript:x()>",
        "<a href=\"{{ a }}\" {% if b %}onclick=\"x\"{% endif %}>",
        "<b hx-on:click=\"x\">",
        "<b hx-vals='js:{a: 1}'>",
        "<b hx-trigger=\"click[ctrlKey]\">",
        "<script>x</script>",
        "<script type=\"application/json\">{{ a }} 1</script>",
        "<style>",
        "{{ a|safe }}",
        "{{ a | safe }}",
        "{%- filter safe -%}",
        "{{ a|e(\"none\") }}",
    ] {
        assert_eq!(faults("x.html", bad).len(), 1, "{bad}: {:?}", faults("x.html", bad));
    }
    for good in [
        "<script src=\"/static/app.js\" defer></script>",
        "<p data-on=\"x\" title='a > b style=\"x\"' class=\"online\">style=\"x\" onclick=x</p>",
        "{# <p style=x> #}<!-- <b onclick=x> -->{{ a|e }} {% if a < b %}",
        "<input name=style value=on checked>",
    ] {
        assert_eq!(faults("x.html", good), [""; 0], "{good}");
    }
}
