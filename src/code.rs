//! Twilio's error codes that matter here: which of them are refusals of a token, and what they name.
//!
//! Data only. Whether a line of a log is a sighting is decided by the detection, with the help of these tables.

use crate::cause::Cause;
use crate::product::Product;

mod table;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// The number.
    pub number: u32,
    /// Title in Twilio's dictionary.
    pub title: &'static str,
    /// A refusal of a token in its own right.
    pub counts: bool,
    /// Causes that agree with it; the first is the diagnosis when nothing else is known.
    pub causes: &'static [Cause],
    /// The product, where the number alone tells it.
    pub product: Option<Product>,
    /// What SDKs and servers print with the number; empty for codes that do not count.
    pub messages: &'static [&'static str],
}

impl Code {
    /// Says whether a line holds the code's own message, in any case of ASCII letters.
    pub fn has_message_in(&self, line: &[u8]) -> bool {
        self.messages.iter().any(|message| contains_ignoring_case(line, message.as_bytes()))
    }
}

/// A message that reports a refusal without a code.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// The message, as it is printed.
    pub message: &'static str,
    /// The cause that it names, if it names one.
    pub cause: Option<Cause>,
}

/// The code of this daemon's name.
pub const TOKEN_REJECTED: u32 = 51007;

/// The table, ascending by number.
pub const CODES: &[Code] = table::CODES;

/// Messages without a code, the more special first, so that the first that matches decides.
pub const TEXTS: &[Text] = &[
    text("Invalid Access Token signature", Some(Cause::SignatureInvalid)),
    text("Signature does not match the content of the request", Some(Cause::SignatureInvalid)),
    text("Invalid Access Token issuer/subject", Some(Cause::IssuerInvalid)),
    text("Invalid Access Token header", Some(Cause::HeaderInvalid)),
    text("Invalid Access Token grants", Some(Cause::GrantsMalformed)),
    text("Invalid access token signature", Some(Cause::SignatureInvalid)),
    text("Invalid access token header", Some(Cause::HeaderInvalid)),
    text("Access Token expired or expiration date invalid", Some(Cause::Expired)),
    text("Access Token not yet valid", Some(Cause::NotYetValid)),
    text("Invalid Access Token", None),
    text("Invalid access token", None),
    text("Token authentication is rejected", None),
    text("The authorization with Token failed", None),
    text("unable to set FPA token", None),
    text("Authentication fail", None),
    text("AUTHENTICATION_FAILED", None),
    text("UNAUTHORIZED", None),
];

/// What is searched for instead of [`TEXTS`]: each text holds one of these. The vectorised search takes 64 needles at
/// the most, codes among them, and falls back to a slow one beyond.
pub const TEXT_NEEDLES: &[&str] = &[
    "Invalid Access Token",
    "Invalid access token",
    "Signature does not match the content of the request",
    "Access Token expired or expiration date invalid",
    "Access Token not yet valid",
    "Token authentication is rejected",
    "The authorization with Token failed",
    "unable to set FPA token",
    "Authentication fail",
    "AUTHENTICATION_FAILED",
    "UNAUTHORIZED",
];

const fn text(message: &'static str, cause: Option<Cause>) -> Text {
    Text { message, cause }
}

/// The numbers of the table alone, which lie close together.
#[expect(clippy::indexing_slicing, reason = "each place is one of the table")]
const NUMBERS: [u32; CODES.len()] = {
    let mut numbers = [0; CODES.len()];
    let mut at = 0;
    while at < CODES.len() {
        numbers[at] = CODES[at].number;
        at += 1;
    }
    numbers
};

/// Looks a number up.
pub fn find(number: u32) -> Option<&'static Code> {
    NUMBERS.binary_search(&number).ok().and_then(|at| CODES.get(at))
}

/// The first of [`TEXTS`] that a line holds, in exactly the letters in which it is printed.
pub fn find_text(line: &[u8]) -> Option<&'static Text> {
    TEXTS.iter().find(|text| memchr::memmem::find(line, text.message.as_bytes()).is_some())
}

fn contains_ignoring_case(line: &[u8], message: &[u8]) -> bool {
    line.windows(message.len()).any(|window| window.eq_ignore_ascii_case(message))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The list of codes as the project received it.
    const LIST: &str = include_str!("../tests/data/error-codes.json");

    #[test]
    fn the_table_equals_the_list_of_codes() {
        let list: Value = serde_json::from_str(LIST).unwrap();
        let list = list["codes"].as_array().unwrap();
        assert_eq!(list.len(), CODES.len());
        for (row, code) in list.iter().zip(CODES) {
            assert_eq!(row["code"], code.number);
            assert_eq!(row["title"], code.title, "{}", code.number);
            assert_eq!(row["counts"], code.counts, "{}", code.number);
            let ids: Vec<_> = code.causes.iter().map(|cause| cause.id()).collect();
            let expected: Vec<_> =
                row["causes"].as_array().into_iter().flatten().map(|v| v.as_str().unwrap()).collect();
            assert_eq!(ids, expected, "{}", code.number);
        }
    }

    #[test]
    fn the_table_ascends_so_that_every_number_is_found() {
        assert!(CODES.is_sorted_by(|a, b| a.number < b.number));
        for code in CODES {
            assert_eq!(find(code.number).map(|found| found.title), Some(code.title));
        }
        assert!(find(51008).is_none());
    }

    #[test]
    fn every_code_that_counts_has_its_own_message_and_no_other_has() {
        for code in CODES {
            assert_eq!(code.counts, !code.messages.is_empty(), "{}", code.number);
        }
    }

    #[test]
    fn only_numbers_of_one_product_tell_it() {
        let product = |number| find(number).and_then(|code| code.product);
        assert_eq!(product(31204), Some(Product::Voice));
        assert_eq!(product(53201), Some(Product::Video));
        assert_eq!(product(54351), Some(Product::Sync));
        for number in [20101, 20104, 51007, 51117, 53000] {
            assert_eq!(product(number), None, "{number}");
        }
    }

    #[test]
    fn every_text_holds_a_needle_and_there_are_few_enough_for_the_vectorised_search() {
        for text in TEXTS {
            assert!(TEXT_NEEDLES.iter().any(|needle| text.message.contains(needle)), "{}", text.message);
        }
        assert!(TEXT_NEEDLES.len() + CODES.iter().filter(|code| code.counts).count() <= 64);
    }

    #[test]
    fn a_line_holds_the_message_of_its_code() {
        let holds = |number, line: &str| find(number).unwrap().has_message_in(line.as_bytes());
        assert!(holds(31204, r#"{"error":{"code":31204,"message":"JWT is invalid"}}"#));
        assert!(holds(20101, "Registration Error: 20101, Invalid Access Token, Notification exception"));
        assert!(holds(20151, r#"{"description":"The authorization with Token failed","errorCode":20151}"#));
        assert!(!holds(20104, "order 20104 shipped"));
        assert!(!holds(20104, ""));
    }

    #[test]
    fn a_text_names_its_cause() {
        let cause = |line: &str| find_text(line.as_bytes()).map(|text| text.cause);
        assert_eq!(
            cause("Could not connect to Twilio: Invalid Access Token signature"),
            Some(Some(Cause::SignatureInvalid))
        );
        assert_eq!(
            cause("com.twilio.video.TwilioException: Access Token expired or expiration date invalid"),
            Some(Some(Cause::Expired))
        );
        assert_eq!(cause("onTwilsockFatalError: 14 - Authentication fail"), Some(None));
        assert_eq!(cause("the user is authorized"), None);
    }
}
