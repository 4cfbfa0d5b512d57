//! The Debugger webhook: one event as a form, with JSON text inside.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::form::Form;
use super::{Parts, Unreadable, code};
use crate::pipeline::arrival::Arrival;

/// The part of the payload that decides; the rest is only searched for a token.
#[derive(Deserialize)]
struct Payload {
    error_code: Option<Value>,
    product_name: Option<Value>,
}

/// Reads a delivery.
pub fn read(form: &Form, source: &Arc<str>) -> Result<Arrival, Unreadable> {
    let text = form.value("Payload").ok_or(Unreadable("a form with the field `Payload`"))?;
    let payload: Payload = serde_json::from_str(text).map_err(|_| Unreadable("a `Payload` that is a JSON object"))?;
    let parts = Parts {
        sid: form.value("Sid"),
        code: payload.error_code.as_ref().and_then(code),
        level: form.value("Level"),
        // The field was spelt `TimeStamp` once.
        at: form.value("Timestamp").or_else(|| form.value("TimeStamp")),
        product: payload.product_name.as_ref().and_then(Value::as_str),
        account: form.value("AccountSid"),
        // The payload names the service, and is searched for it.
        service: None,
        text: Zeroizing::new(text.as_bytes().to_vec()),
    };
    parts.arrival(source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::UnixTime;

    fn read_form(body: &str) -> Result<Arrival, Unreadable> {
        read(&Form::read(body.as_bytes()).unwrap(), &"debugger".into())
    }

    #[test]
    fn an_event_is_read_whatever_its_spelling() {
        for (time, code) in [("Timestamp", "%2251007%22"), ("TimeStamp", "51007")] {
            let body = format!(
                "Sid=NO00000000000000000000000000000001&Level=Error&{time}=2020-01-01T23%3A28%3A54Z&Payload=%7B%22error_code%22%3A{code}%7D"
            );
            let arrival = read_form(&body).unwrap();
            assert_eq!((arrival.code, arrival.is_information), (51007, false));
            assert_eq!(arrival.at, UnixTime::parse("2020-01-01T23:28:54Z"));
        }
    }

    #[test]
    fn what_is_no_event_says_what_is_missing() {
        let check = |body: &str, expected| assert_eq!(read_form(body), Err(Unreadable(expected)), "{body}");
        check("Sid=NO00000000000000000000000000000001", "a form with the field `Payload`");
        check("Payload=x", "a `Payload` that is a JSON object");
        let deep = format!("Payload={}", "%5B".repeat(50_000));
        check(&deep, "a `Payload` that is a JSON object");
        check("Sid=NO1&Payload=%7B%7D", "an event SID, `NO` and 32 digits");
    }
}
