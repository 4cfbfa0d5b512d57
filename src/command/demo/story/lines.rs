//! How each service prints.

use serde_json::json;

use super::{Beat, Log, LogLine};
use crate::time::UnixTime;

const REJECTED: &str = "Token authentication is rejected by authentication service";

/// What an SDK says of itself when it connects.
#[derive(Clone, Copy)]
pub(super) struct Sdk {
    kind: &'static str,
    version: &'static str,
    product: &'static str,
    client: &'static str,
}

pub(super) const CONVERSATIONS: Sdk =
    Sdk { kind: "conversations", version: "3.0.1", product: "ip_messaging", client: "Conversations Client" };

pub(super) const SYNC: Sdk = Sdk { kind: "sync", version: "4.0.1", product: "data_sync", client: "Sync" };

fn line(beat: &mut Beat, log: Log, text: String) {
    beat.lines.push(LogLine { log, text });
}

/// `2026-11-24T02:43:39.228Z`, always with milliseconds.
fn stamp(at: UnixTime) -> String {
    let text = at.to_string();
    if at.as_millis().rem_euclid(1000) == 0 { text.replace('Z', ".000Z") } else { text }
}

/// `2026-11-24 02:43:39,228`, as logback prints it.
fn logback_stamp(at: UnixTime) -> String {
    stamp(at).replace('T', " ").replace('.', ",").replace('Z', "")
}

pub(super) fn gateway_refused(now: UnixTime, token: &str, id: &str, beat: &mut Beat) {
    let text = json!({
        "level": 40, "time": now.as_millis(), "pid": 4127, "hostname": "web-1", "name": "chat-gw", "reqId": id,
        "connectionError": {
            "terminal": true, "message": format!("Connection error: {REJECTED}"), "httpStatusCode": 401,
            "errorCode": 51007,
        },
        "stack": format!("Error: {REJECTED}\n    at /srv/app/node_modules/@twilio/conversations/builds/lib.js:9664:20"),
        "token": token, "msg": "twilio connection error",
    });
    line(beat, Log::Gateway, text.to_string());
}

pub(super) fn gateway_request(now: UnixTime, id: &str, millis: u64, beat: &mut Beat) {
    let text = json!({
        "level": 30, "time": now.as_millis(), "pid": 4127, "hostname": "web-1", "name": "chat-gw", "reqId": id,
        "req": { "method": "GET", "url": "/token" }, "res": { "statusCode": 200 }, "responseTime": millis,
        "msg": "request completed",
    });
    line(beat, Log::Gateway, text.to_string());
}

/// The start of a connection in the SDK's debug log; returns the time after it.
fn client_init(now: UnixTime, token: &str, id: &str, sdk: Sdk, beat: &mut Beat) -> UnixTime {
    let init = json!({
        "id": format!("TM{id}"), "method": "init", "token": token, "continuation_token": null,
        "metadata": {
            "ver": "1.0.2", "env": "Node.js", "envv": "20.20.2", "type": sdk.kind, "sdk": "JS", "sdkv": sdk.version,
        },
        "registrations": [{ "product": sdk.product, "type": "ers" }], "payload_size": 0,
    })
    .to_string();
    let mut at = now;
    for (after, text) in [
        (0, "Twilsock D: FSM: userConnect: disconnected --> connecting".to_owned()),
        (2, "Twilsock D: Emitting stateChanged(\"connecting\")".to_owned()),
        (1, format!("{} D: Handling stateChanged: new state connecting", sdk.client)),
        (14, "Twilsock D: socket opened wss://tsock.us1.twilio.com/v3/wsconnect".to_owned()),
        (1, "Twilsock D: FSM: socketConnected: connecting --> initialising".to_owned()),
        (2, format!("Twilsock D: send request: TWILSOCK V3.0 {}{init}", init.len())),
        (18, "Twilsock D: message received: reply".to_owned()),
    ] {
        at = at.plus_millis(after);
        line(beat, Log::Client, format!("{} {text}", stamp(at)));
    }
    at
}

pub(super) fn client_refused(now: UnixTime, token: &str, id: &str, sdk: Sdk, beat: &mut Beat) {
    let at = client_init(now, token, id, sdk, beat).plus_millis(1);
    let stamp = stamp(at);
    let reply = json!({ "code": 401, "status": "UNAUTHORIZED", "description": REJECTED, "errorCode": 51007 });
    let error = json!({
        "terminal": true, "message": format!("Connection error: {REJECTED}"), "httpStatusCode": 401,
        "errorCode": 51007,
    });
    for text in [
        format!("{stamp} Twilsock W: Init rejected by server: {reply}"),
        format!("{stamp} Twilsock D: FSM: tokenRejected: initialising --> rejected"),
        format!("{stamp} Twilsock D: Emitting stateChanged(\"denied\")"),
        format!("{stamp} {} D: Handling stateChanged: new state denied", sdk.client),
        format!("{stamp} Twilsock D: Emitting disconnected()"),
        format!("{stamp} Twilsock D: Emitting connectionError({error})"),
        "APP connectionError {".to_owned(),
        "  terminal: true,".to_owned(),
        format!("  message: 'Connection error: {REJECTED}',"),
        "  httpStatusCode: 401,".to_owned(),
        "  errorCode: 51007".to_owned(),
        "}".to_owned(),
    ] {
        line(beat, Log::Client, text);
    }
}

pub(super) fn client_connected(now: UnixTime, token: &str, id: &str, beat: &mut Beat) {
    let at = client_init(now, token, id, CONVERSATIONS, beat).plus_millis(1);
    for text in [
        "Twilsock D: FSM: initSuccess: initialising --> connected",
        "Twilsock D: Emitting stateChanged(\"connected\")",
        "Conversations Client D: Handling stateChanged: new state connected",
    ] {
        line(beat, Log::Client, format!("{} {text}", stamp(at)));
    }
}

pub(super) fn worker_refused(now: UnixTime, token: &str, id: &str, beat: &mut Beat) {
    let text = format!(
        "time={} level=error service=worker request_id={id} sdk=twilio-sync msg=\"client refused\" code=51007 \
         error=\"{REJECTED}\" token={token}",
        stamp(now)
    );
    line(beat, Log::Worker, text);
}

pub(super) fn worker_job(now: UnixTime, id: &str, millis: u64, beat: &mut Beat) {
    let text = format!(
        "time={} level=info service=worker request_id={id} msg=\"job done\" queue=digest took={millis}ms",
        stamp(now)
    );
    line(beat, Log::Worker, text);
}

fn container(now: UnixTime, stream: &str, text: &str, beat: &mut Beat) {
    let stamp = stamp(now);
    let text = json!({ "log": format!("{stamp} {text}\n"), "stream": stream, "time": stamp });
    line(beat, Log::Container, text.to_string());
}

pub(super) fn container_refused(now: UnixTime, token: &str, beat: &mut Beat) {
    container(
        now,
        "stderr",
        &format!("error: TwilioVideo connect failed: error 51007: {REJECTED} (HTTP 401) token={token}"),
        beat,
    );
}

pub(super) fn container_served(now: UnixTime, bytes: u64, beat: &mut Beat) {
    container(now, "stdout", &format!("info: GET /rooms/standup 200 {bytes} bytes"), beat);
}

pub(super) fn calls_refused(now: UnixTime, message: &str, beat: &mut Beat) {
    let text = format!("{} ERROR [http-nio-3] c.e.calls.TwilioVoice - {message}", logback_stamp(now));
    line(beat, Log::Calls, text);
}

pub(super) fn calls_routed(now: UnixTime, call: u64, beat: &mut Beat) {
    let text = format!("{} INFO  [http-nio-1] c.e.calls.Router - call {call:06} to queue support", logback_stamp(now));
    line(beat, Log::Calls, text);
}
