//! Telephone numbers as trunks write them, and the one form in which they are compared.

/// The longest number that is short: dialled as it is, everywhere (`15`, `112`, `116117`).
const SHORT_LEN_MAX: usize = 6;

/// What stands before a number of the same country, and before one of another (ITU-T E.123 §2.5).
const NATIONAL: &str = "0";
const INTERNATIONAL: &str = "00";

/// How numbers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NumberStyle {
    /// `+33388112233`: E.164 with a plus sign.
    #[default]
    E164,
    /// `0388112233`, and `00` before what is abroad.
    National,
}

/// How numbers are written on one trunk. Short numbers are the same in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberForm {
    /// How they are written to the trunk. Both styles are read.
    pub style: NumberStyle,
    /// The country code of national numbers: digits alone.
    pub country: String,
    /// What an operator puts before a number that was ported to us, and that is not part of it; in
    /// lower case.
    pub portability_prefixes: Vec<String>,
}

impl NumberForm {
    /// E.164, for a country.
    pub fn e164(country: impl Into<String>) -> Self {
        Self {
            style: NumberStyle::E164,
            country: country.into(),
            portability_prefixes: Vec::new(),
        }
    }

    /// A number as the trunk writes it, without separators, in the form in which it is compared:
    /// `+` and country code, or a short number as it is. What is neither stays as it is.
    pub fn read(&self, number: &str) -> String {
        let mut prefixes = self.portability_prefixes.iter();
        let number = prefixes
            .find_map(|prefix| number.strip_prefix(prefix.as_str()))
            .filter(|rest| !rest.is_empty())
            .unwrap_or(number);
        let is_digits = number.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits || number.len() <= SHORT_LEN_MAX {
            return number.to_owned();
        }
        let country = &self.country;
        if let Some(abroad) = number.strip_prefix(INTERNATIONAL) {
            format!("+{abroad}")
        } else if let Some(here) = number.strip_prefix(NATIONAL) {
            format!("+{country}{here}")
        } else if number.starts_with(country.as_str()) {
            format!("+{number}")
        } else {
            number.to_owned()
        }
    }

    /// A number in the form in which it is compared, as the trunk wants it written.
    pub fn write(&self, number: &str) -> String {
        match (self.style, number.strip_prefix('+')) {
            (NumberStyle::National, Some(digits)) => {
                let here = digits.strip_prefix(self.country.as_str());
                here.map_or_else(
                    || format!("{INTERNATIONAL}{digits}"),
                    |here| format!("{NATIONAL}{here}"),
                )
            }
            (NumberStyle::E164, _) | (NumberStyle::National, None) => number.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(style: NumberStyle) -> NumberForm {
        NumberForm {
            style,
            portability_prefixes: vec!["d60".to_owned(), "0600".to_owned()],
            ..NumberForm::e164("33")
        }
    }

    #[test]
    fn every_way_of_writing_a_number_is_read_as_one() {
        let cases = [
            ("+33388112233", "+33388112233"),
            ("0388112233", "+33388112233"),
            ("0033388112233", "+33388112233"),
            ("33388112233", "+33388112233"),
            ("d600388112233", "+33388112233"),
            ("06000388112233", "+33388112233"),
            ("004930112", "+4930112"),
            ("15", "15"),
            ("116117", "116117"),
            ("*12", "*12"),
            ("d60", "d60"),
            ("7654321", "7654321"),
        ];
        for (written, read) in cases {
            assert_eq!(form(NumberStyle::E164).read(written), read, "{written}");
        }
    }

    #[test]
    fn a_trunk_gets_numbers_in_its_own_form() {
        let cases = [
            ("+33388112233", "+33388112233", "0388112233"),
            ("+4930112000", "+4930112000", "004930112000"),
            ("17", "17", "17"),
        ];
        for (number, e164, national) in cases {
            assert_eq!(form(NumberStyle::E164).write(number), e164);
            assert_eq!(form(NumberStyle::National).write(number), national);
        }
    }
}
