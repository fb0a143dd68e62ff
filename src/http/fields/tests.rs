//! Tests of reading single fields.

use super::*;

fn fields(value: Value) -> BodyFields {
    let Value::Object(object) = value else { panic!("not an object") };
    BodyFields::new(object, false)
}

fn errors<T>(value: Value, read: impl FnOnce(&mut BodyFields) -> T) -> Value {
    let mut fields = fields(value);
    read(&mut fields);
    fields.refuse().body().clone()
}

#[test]
fn trims_texts_and_takes_numbers() {
    let mut f = fields(json!({"a": " x ", "b": 5, "c": 1.5, "d": ""}));
    let rule = TextRule::up_to(10);
    let texts = ["a", "b", "c", "d", "e"].map(|name| f.text(name, rule));
    assert_eq!(texts, [Some("x"), Some("5"), Some("1.5"), Some(""), None].map(|t| t.map(str::to_owned)));
    f.finish().unwrap();
}

#[test]
fn names_each_wrong_text() {
    let body = json!({"a": null, "b": true, "c": [], "d": "x\0", "e": "12345", "f": " "});
    let found = errors(body, |f| {
        for name in ["a", "b", "c", "d", "e", "f"] {
            f.text(name, TextRule::filled_up_to(4));
        }
        f.require("g");
    });
    assert_eq!(
        found,
        json!({
            "a": ["This field may not be null."],
            "b": ["Not a valid string."],
            "c": ["Not a valid string."],
            "d": ["Null characters are not allowed."],
            "e": ["Ensure this field has no more than 4 characters."],
            "f": ["This field may not be blank."],
            "g": ["This field is required."],
        })
    );
}

#[test]
fn counts_characters_not_bytes() {
    assert!(fields(json!({"a": "åæøå"})).text("a", TextRule::up_to(4)).is_some());
}

#[test]
fn levels_are_one_to_five_and_nothing_else() {
    for (value, level) in [(json!(1), 1), (json!("5"), 5)] {
        assert_eq!(fields(json!({"level": value})).level("level").unwrap().get(), level);
    }
    for (value, shown) in [
        (json!(9), "9"),
        (json!(3.0), "3.0"),
        (json!(true), "True"),
        (json!(""), ""),
        (json!("06"), "06"),
        (json!(-1), "-1"),
        (json!([1]), "[1]"),
        (json!(18_446_744_073_709_551_615_u64), "18446744073709551615"),
    ] {
        let found = errors(json!({"level": value}), |f| f.level("level"));
        assert_eq!(found, json!({"level": [format!("\"{shown}\" is not a valid choice.")]}));
    }
}

#[test]
fn end_times() {
    let read = |value: Value| fields(json!({"e": value})).end_time("e");
    assert_eq!(read(json!(null)), Some(EndTime::Stateless));
    assert_eq!(read(json!("infinity")), Some(EndTime::Infinity));
    assert!(matches!(read(json!("2024-01-01")), Some(EndTime::At(_))));
    for wrong in [json!("Infinity"), json!(1_700_000_000), json!(""), json!([])] {
        let found = errors(json!({"e": wrong}), |f| f.end_time("e"));
        assert_eq!(found, json!({"e": [BAD_DATETIME]}));
    }
    let found = errors(json!({"e": "-infinity"}), |f| f.end_time("e"));
    assert_eq!(found, json!({"non_field_errors": ["'end_time' cannot be before 'start_time'."]}));
}

#[test]
fn keys() {
    assert_eq!(fields(json!({"source": "7"})).key("source"), Some(7));
    assert_eq!(fields(json!({"source": null})).key("source"), None);
    let found = errors(json!({"source": "abc", "other": -1}), |f| {
        f.key("source");
        f.key("other");
    });
    assert_eq!(
        found,
        json!({
            "source": ["Incorrect type. Expected pk value, received str."],
            "other": ["Invalid pk \"-1\" - object does not exist."],
        })
    );
}

#[test]
fn metadata_is_any_json_but_null() {
    assert_eq!(fields(json!({"m": {"a": [1, 2]}})).json("m").unwrap(), r#"{"a":[1,2]}"#);
    assert_eq!(errors(json!({"m": null}), |f| f.json("m")), json!({"m": [NOT_NULL]}));
}

#[test]
fn booleans_have_many_spellings() {
    let read = |value: Value| {
        let mut fields = BodyFields::new(Map::from_iter([("f".to_owned(), value)]), false);
        (fields.nullable_flag("f"), fields.has_errors())
    };
    for yes in [json!(true), json!(1), json!("true"), json!("Yes"), json!("ON"), json!("t"), json!("y"), json!("1")] {
        assert_eq!(read(yes.clone()), (Some(Some(true)), false), "{yes}");
    }
    for no in [json!(false), json!(0), json!("False"), json!("no"), json!("off"), json!("F"), json!("n"), json!("0")] {
        assert_eq!(read(no.clone()), (Some(Some(false)), false), "{no}");
    }
    for unset in [json!(null), json!("null"), json!("")] {
        assert_eq!(read(unset.clone()), (Some(None), false), "{unset}");
    }
    for bad in [json!(2), json!("maybe"), json!([true]), json!({})] {
        assert_eq!(read(bad.clone()), (None, true), "{bad}");
    }
}
