//! What Twilio sends about its own errors, read: signatures, addresses, and the payloads of every channel.
//!
//! Pure: requests and answers come in as values, [`Arrival`]s and refusals go out. The edges beside it listen and ask.

pub mod address;
pub mod alert;
pub mod cloud_event;
pub mod debugger;
pub mod form;
pub mod signature;

use std::sync::Arc;

use serde_json::Value;
use zeroize::Zeroizing;

use crate::pipeline::arrival::{self, Arrival};
use crate::pipeline::seen::EventSid;
use crate::product::Product;
use crate::time::UnixTime;

/// Why a payload can't be read. Says nothing of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable(pub &'static str);

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "expected {}, but found something else", self.0)
    }
}

/// What one delivery, or one page, holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// The events that can be read.
    pub arrivals: Vec<Arrival>,
    /// Events of another kind: no error, so without a code.
    pub ignored: u64,
    /// Events that can't be read.
    pub unreadable: u64,
}

/// The parts of an event before they are judged.
#[derive(Default)]
struct Parts<'a> {
    sid: Option<&'a str>,
    code: Option<u32>,
    level: Option<&'a str>,
    at: Option<&'a str>,
    product: Option<&'a str>,
    account: Option<&'a str>,
    service: Option<&'a str>,
    text: Zeroizing<Vec<u8>>,
}

impl Parts<'_> {
    fn arrival(self, source: &Arc<str>) -> Result<Arrival, Unreadable> {
        let sid = self.sid.and_then(EventSid::parse).ok_or(Unreadable("an event SID, `NO` and 32 digits"))?;
        // Not every event has a code: a message that a Function wrote has none.
        let code = self.code.unwrap_or(0);
        let level = self.level.unwrap_or("error");
        Ok(Arrival {
            source: Arc::clone(source),
            sid,
            at: self.at.and_then(UnixTime::parse),
            code,
            is_information: !level.eq_ignore_ascii_case("error") && !level.eq_ignore_ascii_case("warning"),
            product: self.product.and_then(product),
            account: self.account.and_then(arrival::account),
            service: self.service.map(str::to_owned),
            text: self.text,
        })
    }
}

/// A code as Twilio writes it: a string in some places and a number in others.
fn code(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The product that an event names by the name it is sold under.
fn product(name: &str) -> Option<Product> {
    const WORDS: [(&str, Product); 6] = [
        ("conversation", Product::Chat),
        ("chat", Product::Chat),
        ("sync", Product::Sync),
        ("video", Product::Video),
        ("voice", Product::Voice),
        ("taskrouter", Product::TaskRouter),
    ];
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    WORDS.iter().find(|(word, _)| name.contains(word)).map(|(_, product)| *product)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_number_or_a_string() {
        assert_eq!(code(&Value::from(51007)), Some(51007));
        assert_eq!(code(&Value::from("51007")), Some(51007));
        for other in [Value::Null, Value::from(-1), Value::from(5.5), Value::from("x"), Value::from(1_u64 << 40)] {
            assert_eq!(code(&other), None, "{other}");
        }
    }

    #[test]
    fn a_product_is_known_by_the_name_it_is_sold_under() {
        assert_eq!(product("Conversations"), Some(Product::Chat));
        assert_eq!(product("Programmable Chat"), Some(Product::Chat));
        assert_eq!(product("Programmable Voice"), Some(Product::Voice));
        assert_eq!(product("Task Router"), Some(Product::TaskRouter));
        assert_eq!(product("Studio"), None);
    }
}
