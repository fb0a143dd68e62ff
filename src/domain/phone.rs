//! Phone numbers, validated by libphonenumber (contract section 3).

use phonenumber::Mode;

use super::limits::PHONE_NUMBER;

/// Returns the number in E.164 format. `None`: not a valid number; a possible number that nobody can have is not
/// enough. There is no default region, so the text must begin with a plus sign and a country code.
#[must_use]
pub fn normalize(text: &str) -> Option<String> {
    let text = text.trim();
    if !text.starts_with('+') || text.chars().count() > PHONE_NUMBER {
        return None;
    }
    let number = phonenumber::parse(None, text).ok()?;
    phonenumber::is_valid(&number).then(|| number.format().mode(Mode::E164).to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn valid_numbers_are_written_as_e164() {
        for (given, stored) in [
            ("+47 67 67 67 67", "+4767676767"),
            (" +4767676767 ", "+4767676767"),
            ("+1 (212) 555-2368", "+12125552368"),
            ("+44 20 7946 0958", "+442079460958"),
            ("+4790909090", "+4790909090"),
        ] {
            assert_eq!(normalize(given).as_deref(), Some(stored), "{given}");
        }
    }

    #[test]
    fn what_is_only_possible_is_not_valid() {
        for given in [
            "",
            "+",
            "+47",
            "+4700000000",
            "90909090",
            "12345",
            "0047 67676767",
            "tel:+4767676767",
            "+47 67 67 67 6x",
            "+47676767671",
            "+999 12345678",
        ] {
            assert_eq!(normalize(given), None, "{given}");
        }
        assert_eq!(normalize(&format!("+47{}67676767", " ".repeat(PHONE_NUMBER))), None);
    }

    proptest! {
        #[test]
        fn what_comes_out_goes_in_again(text in "\\+?[0-9 ()./;=extp#-]{0,24}") {
            if let Some(number) = normalize(&text) {
                prop_assert_eq!(normalize(&number), Some(number.clone()));
                prop_assert!(number.starts_with('+') && number[1..].bytes().all(|it| it.is_ascii_digit()));
            }
        }

        #[test]
        fn nothing_makes_it_fall(text in "\\+?\\PC{0,40}") {
            let _ = normalize(&text);
        }
    }
}
