//! The Alerts API: pages of alerts, and single ones with the request that they are about.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::form::decode_loosely;
use super::{Parts, Unreadable, code};
use crate::pipeline::arrival::Arrival;

/// One page of `GET /v1/Alerts`.
#[derive(Deserialize)]
pub struct Page {
    alerts: Vec<Value>,
    #[serde(default)]
    meta: Meta,
}

#[derive(Default, Deserialize)]
struct Meta {
    next_page_url: Option<String>,
}

#[derive(Deserialize)]
struct Alert {
    sid: String,
    account_sid: Option<String>,
    service_sid: Option<String>,
    error_code: Option<Value>,
    log_level: Option<String>,
    #[serde(rename = "alert_text")]
    message: Option<String>,
    date_created: Option<String>,
    date_generated: Option<String>,
    request_method: Option<String>,
    request_url: Option<String>,
    request_variables: Option<String>,
    request_headers: Option<Value>,
    response_headers: Option<Value>,
    response_body: Option<String>,
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Page({} alerts)", self.alerts.len())
    }
}

impl Page {
    /// Reads a page.
    pub fn read(body: &[u8]) -> Result<Self, Unreadable> {
        serde_json::from_slice(body).map_err(|_| Unreadable("a page of alerts, as JSON"))
    }

    /// Where the next page is.
    pub fn next(&self) -> Option<&str> {
        self.meta.next_page_url.as_deref()
    }

    /// The alerts of the page, each with whether it is about a request, which only the single alert shows.
    pub fn alerts(&self, source: &Arc<str>) -> impl Iterator<Item = Result<(Arrival, bool), Unreadable>> {
        self.alerts.iter().map(|alert| {
            let alert = Alert::deserialize(alert).map_err(|_| Unreadable("an alert"))?;
            let request = [&alert.request_url, &alert.request_method];
            let has_request = request.into_iter().flatten().any(|text| !text.is_empty());
            Ok((alert.arrival(source)?, has_request))
        })
    }
}

/// Reads a single alert: the same event with the request that it is about.
pub fn read_one(body: &[u8], source: &Arc<str>) -> Result<Arrival, Unreadable> {
    let alert: Alert = serde_json::from_slice(body).map_err(|_| Unreadable("an alert, as JSON"))?;
    alert.arrival(source)
}

impl Alert {
    fn arrival(&self, source: &Arc<str>) -> Result<Arrival, Unreadable> {
        let mut text = Zeroizing::new(Vec::new());
        let mut add = |part: &str| {
            text.extend_from_slice(part.as_bytes());
            text.push(b'\n');
        };
        // Plain text, or a query string: nobody says which.
        for part in [&self.message, &self.request_variables, &self.request_url].into_iter().flatten() {
            add(part);
            let decoded = Zeroizing::new(decode_loosely(part));
            if *decoded != *part {
                add(&decoded);
            }
        }
        for part in [&self.request_headers, &self.response_headers].into_iter().flatten() {
            add(&part.as_str().map_or_else(|| part.to_string(), str::to_owned));
        }
        if let Some(body) = &self.response_body {
            add(body);
        }
        let parts = Parts {
            sid: Some(&self.sid),
            code: self.error_code.as_ref().and_then(code),
            level: self.log_level.as_deref(),
            // Buffering puts the time of creation later than that of the event.
            at: self.date_generated.as_deref().or(self.date_created.as_deref()),
            product: None,
            account: self.account_sid.as_deref(),
            service: self.service_sid.as_deref(),
            text,
        };
        parts.arrival(source)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::time::UnixTime;

    const SID: &str = "NO00000000000000000000000000000015";

    #[test]
    fn a_page_is_read_and_says_where_the_next_is() {
        let body = json!({
            "alerts": [
                {"sid": SID, "error_code": "51007", "log_level": "error", "date_created": "2026-11-24T02:30:21Z",
                 "date_generated": "2026-11-24T02:30:20Z", "alert_text": "Msg=Token+authentication&ErrorCode=51007",
                 "request_method": null, "request_url": null, "service_sid": "IS00000000000000000000000000000001"},
                {"sid": "x", "error_code": "51007"}
            ],
            "meta": {"next_page_url": "https://monitor.twilio.com/v1/Alerts?Page=1"}
        });
        let page = Page::read(body.to_string().as_bytes()).unwrap();
        assert_eq!(page.next(), Some("https://monitor.twilio.com/v1/Alerts?Page=1"));
        let alerts: Vec<_> = page.alerts(&"api".into()).collect();
        assert_eq!(alerts.len(), 2);
        assert!(alerts[1].is_err());
        let (arrival, has_request) = alerts[0].as_ref().unwrap();
        assert!(!has_request);
        assert_eq!(arrival.service.as_deref(), Some("IS00000000000000000000000000000001"));
        assert_eq!((arrival.code, arrival.at), (51007, UnixTime::parse("2026-11-24T02:30:20Z")));
        assert!(String::from_utf8_lossy(&arrival.text).contains("Msg=Token authentication"));
    }

    #[test]
    fn a_single_alert_shows_its_request() {
        let body = json!({"sid": SID, "error_code": 51007, "log_level": "notice", "alert_text": "plain",
            "request_variables": "Token=eyJ0.e30.x", "request_headers": {"a": "b"}, "response_body": "<x/>"});
        let arrival = read_one(body.to_string().as_bytes(), &"api".into()).unwrap();
        assert!(arrival.is_information);
        let text = String::from_utf8_lossy(&arrival.text).into_owned();
        assert_eq!(text, "plain\nToken=eyJ0.e30.x\n{\"a\":\"b\"}\n<x/>\n");
    }

    #[test]
    fn what_is_no_page_is_refused() {
        for body in ["", "[]", "{}", "{\"alerts\":7}", "<html>"] {
            assert!(Page::read(body.as_bytes()).is_err(), "{body}");
        }
    }
}
