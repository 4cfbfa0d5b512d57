//! Event Streams: CloudEvents, one or a batch, with JSON text inside JSON.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{Delivery, Parts, Unreadable, code};
use crate::pipeline::arrival::Arrival;

/// The type of the events that report an error.
const ERROR_LOGGED: &str = "com.twilio.error-logs.error.logged";
/// The most events of one delivery.
pub const BATCH_MAX: usize = 10_000;

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    kind: String,
    id: Option<String>,
    time: Option<String>,
    #[serde(default)]
    data: Data,
}

#[derive(Default, Deserialize)]
struct Data {
    sid: Option<String>,
    error_code: Option<Value>,
    level: Option<String>,
    date_created: Option<String>,
    product_name: Option<String>,
    account_sid: Option<String>,
    service_sid: Option<String>,
    payload: Option<Value>,
}

/// Reads a delivery. It is unreadable as a whole only if nothing in it can be read, because Twilio does not send again
/// what is refused.
pub fn read(body: &[u8], source: &Arc<str>) -> Result<Delivery, Unreadable> {
    let expected = Unreadable("a CloudEvent or a list of them, as JSON");
    let events: Vec<&RawValue> = match body.trim_ascii_start().first() {
        Some(b'[') => serde_json::from_slice(body).map_err(|_| expected)?,
        Some(b'{') => vec![serde_json::from_slice(body).map_err(|_| expected)?],
        Some(_) | None => return Err(expected),
    };
    if events.len() > BATCH_MAX {
        return Err(Unreadable("at most 10000 events at a time"));
    }
    let mut delivery = Delivery::default();
    for event in &events {
        match read_one(event.get(), source) {
            Ok(Some(arrival)) => delivery.arrivals.push(arrival),
            Ok(None) => delivery.ignored += 1,
            Err(_) => delivery.unreadable += 1,
        }
    }
    let nothing = delivery.arrivals.is_empty() && delivery.ignored == 0;
    if nothing && delivery.unreadable > 0 { Err(expected) } else { Ok(delivery) }
}

/// One event; none if it is of another type.
fn read_one(text: &str, source: &Arc<str>) -> Result<Option<Arrival>, Unreadable> {
    let event: Envelope = serde_json::from_str(text).map_err(|_| Unreadable("a CloudEvent"))?;
    if event.kind != ERROR_LOGGED {
        return Ok(None);
    }
    let data = event.data;
    let payload = match data.payload {
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let inner = || serde_json::from_str::<Inner>(&payload).ok().and_then(|inner| code(&inner.error_code?));
    let parts = Parts {
        sid: data.sid.as_deref().or(event.id.as_deref()),
        code: data.error_code.as_ref().and_then(code).or_else(inner),
        level: data.level.as_deref(),
        at: data.date_created.as_deref().or(event.time.as_deref()),
        product: data.product_name.as_deref(),
        account: data.account_sid.as_deref(),
        service: data.service_sid.as_deref(),
        text: Zeroizing::new(payload.into_bytes()),
    };
    parts.arrival(source).map(Some)
}

#[derive(Deserialize)]
struct Inner {
    error_code: Option<Value>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::product::Product;
    use crate::time::UnixTime;

    fn event(changes: &Value) -> Value {
        let mut event = json!({
            "specversion": "1.0", "type": ERROR_LOGGED, "id": "NO0000000000000000000000000000000b",
            "datacontenttype": "2026-11-24", "time": "2026-11-24T02:30:12Z",
            "data": { "sid": "NO0000000000000000000000000000000b", "level": "ERROR", "product_name": "Conversations",
                "error_code": "51007", "date_created": "2026-11-24T02:30:11Z", "payload": "{\"error_code\":51007}" }
        });
        for (key, value) in changes.as_object().unwrap() {
            event["data"][key] = value.clone();
        }
        event
    }

    fn read_json(value: &Value) -> Result<Delivery, Unreadable> {
        read(value.to_string().as_bytes(), &"events".into())
    }

    #[test]
    fn one_event_and_a_list_are_read() {
        let with_service = event(&json!({"service_sid": "IS00000000000000000000000000000001"}));
        for value in [with_service.clone(), json!([with_service])] {
            let delivery = read_json(&value).unwrap();
            let arrival = &delivery.arrivals[0];
            assert_eq!((arrival.code, arrival.product), (51007, Some(Product::Chat)));
            assert_eq!(arrival.at, UnixTime::parse("2026-11-24T02:30:11Z"));
            assert_eq!(arrival.service.as_deref(), Some("IS00000000000000000000000000000001"));
        }
        assert_eq!(read(b"[]", &"events".into()), Ok(Delivery::default()));
    }

    #[test]
    fn the_code_stands_outside_as_a_string_and_inside_as_a_number() {
        for data in
            [json!({"error_code": 51007}), json!({"error_code": null}), json!({"payload": {"error_code": 51007}})]
        {
            assert_eq!(read_json(&event(&data)).unwrap().arrivals[0].code, 51007, "{data}");
        }
    }

    #[test]
    fn information_and_other_types_are_told_apart() {
        let delivery = read_json(&event(&json!({"level": "INFO", "error_code": "0"}))).unwrap();
        assert!(delivery.arrivals[0].is_information);
        let other = json!({"type": "com.twilio.messaging.message.sent", "id": "EZ1", "data": {"x": 1}});
        assert_eq!(read_json(&other).unwrap(), Delivery { ignored: 1, ..Delivery::default() });
    }

    #[test]
    fn one_bad_event_does_not_lose_the_others() {
        let batch = json!([event(&json!({})), event(&json!({"sid": "x"})), 7]);
        let delivery = read_json(&batch).unwrap();
        assert_eq!((delivery.arrivals.len(), delivery.unreadable), (1, 2));
        assert!(read_json(&json!([7])).is_err());
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for body in ["", "x", "7", "{}", "[{}]", &"[".repeat(100_000), &format!("{{\"a\":{}", "[".repeat(100_000))] {
            assert!(read(body.as_bytes(), &"events".into()).is_err(), "{body:.20}");
        }
    }
}
