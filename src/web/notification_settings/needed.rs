//! Leads from a form to the form of something that it needs, and back. The entered values are kept in the address.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded;

use crate::web::{FormFields, answer::local_path};

/// Field with the address to return to.
pub const THEN: &str = "then";
/// Parameter of an address whose query has the values that were entered into the form.
pub const DRAFT: &str = "draft";
/// Button that leaves for the form of something that is needed.
const MAKE: &str = "make";
/// Forms that can be left and returned to.
const FORMS: [&str; 3] = ["/notifications/profiles/", "/plannedmaintenance/", "/admin/rules/"];
/// Greatest length of an address in bytes. If it would be longer, the entered values are lost.
const LONGEST: usize = 16 << 10;

/// Returns the address that the pressed button of the form at `path` leads to, if it leaves for another form.
#[must_use]
pub fn leave(fields: &FormFields, path: &str) -> Option<String> {
    let form = match fields.get(MAKE)? {
        "timeslot" => "/notifications/timeslots/new/",
        "filter" => "/notifications/filters/new/",
        "destination" => "/notifications/destinations/new/",
        _ => return None,
    };
    let mut typed = form_urlencoded::Serializer::new(String::new());
    typed.append_pair(DRAFT, "1");
    let left_out = ["csrf", crate::web::submissions::NUMBER, MAKE, DRAFT];
    typed.extend_pairs(fields.iter().filter(|(name, value)| !left_out.contains(name) && !value.is_empty()));
    let then = format!("{path}?{}", typed.finish());
    let place = format!("{form}?{THEN}={}", utf8_percent_encode(&then, NON_ALPHANUMERIC));
    Some(if place.len() > LONGEST { form.to_owned() } else { place })
}

/// Returns the address to return to. Empty if there is none.
#[must_use]
pub fn then(fields: &FormFields) -> String {
    let path = local_path(fields.get(THEN));
    if path.contains('?') && FORMS.iter().any(|form| path.starts_with(form)) { path.to_owned() } else { String::new() }
}

/// Returns the address of the form to return to, where the created thing is chosen in `field`, or else `otherwise`.
#[must_use]
pub fn back(fields: &FormFields, field: &str, made: u64, otherwise: &str) -> String {
    match then(fields) {
        path if path.is_empty() => otherwise.to_owned(),
        path => format!("{path}&{field}={made}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(query: &str) -> FormFields {
        FormFields::of_query(Some(query))
    }

    #[test]
    fn what_was_typed_comes_back() {
        let form = fields("csrf=x&form_number=1&name=On+call%26x&filters=3&filters=4&make=timeslot");
        let place = leave(&form, "/notifications/profiles/new/").unwrap();
        let query = place.strip_prefix("/notifications/timeslots/new/?").unwrap();
        let path = back(&fields(query), "timeslot", 7, "/");
        assert_eq!(path, "/notifications/profiles/new/?draft=1&name=On+call%26x&filters=3&filters=4&timeslot=7");
        assert_eq!(leave(&fields("name=x"), "/notifications/profiles/new/"), None);
        let long = format!("make=filter&name={}", "x".repeat(LONGEST));
        assert_eq!(leave(&fields(&long), "/admin/rules/new/").unwrap(), "/notifications/filters/new/");
        assert_eq!(leave(&fields("make=money"), "/notifications/profiles/new/"), None);
    }

    #[test]
    fn leads_back_to_forms_only() {
        for path in
            ["//evil.example/notifications/profiles/", "/user/", "https://evil.example", "", "/notifications/profiles/"]
        {
            let query = format!("then={}", utf8_percent_encode(path, NON_ALPHANUMERIC));
            assert_eq!(back(&fields(&query), "filters", 1, "/here/"), "/here/", "{path}");
        }
    }
}
