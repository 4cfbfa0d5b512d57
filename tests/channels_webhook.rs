//! Twilio's deliveries to the real binary: counted once each, acknowledged, refused.
#![cfg(test)]

#[path = "support/mint.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod mint;
#[path = "support/place.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod place;
#[path = "support/process.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod process;
#[path = "support/signed.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod signed;

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;

use place::{Place, rejections};
use process::{Daemon, PATIENCE, until};
use signed::{SHARED_KEY, Signed, TOKEN, all};

/// Debugger webhook and Event Streams, signed with the usual token.
fn place() -> Place {
    let place = Place::new();
    let mut config = place.usual_config();
    for (name, kind, path) in
        [("debugger", "webhook", "/twilio/debugger"), ("events", "event_streams", "/twilio/events")]
    {
        _ = write!(
            config,
            "\n[[source]]\nname = \"{name}\"\nkind = \"{kind}\"\npath = \"{path}\"\n\
             public_url = \"https://ops.example.com{path}\"\nauth_token = \"{TOKEN}\"\nshared_key = \"{SHARED_KEY}\"\n"
        );
    }
    place.configure(&config);
    place
}

/// The status that a delivery is answered with.
fn send(daemon: &Daemon, delivery: &Signed) -> u16 {
    let mut stream = TcpStream::connect(&daemon.address).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(&delivery.request(&daemon.address)).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

/// What happened to a source is committed with the next tick.
#[track_caller]
fn check(daemon: &Daemon, series: &str, expected: u64) {
    let (name, labels) = series.trim_end_matches('}').split_once('{').expect("labels");
    let labels: Vec<String> = labels.split(',').map(str::to_owned).collect();
    let mut last = None;
    until(series, || {
        last = process::value(&daemon.get("/metrics").body, name, &labels).map(|found| found.to_string());
        last.as_ref().filter(|last| last.parse::<u64>().is_ok_and(|last| last >= expected)).map(|_| ())
    });
    assert_eq!(last, Some(expected.to_string()), "{series}");
}

#[test]
fn what_the_official_libraries_signed_is_counted_once_however_often_it_comes() {
    let place = place();
    let daemon = place.start();
    for round in 0..3 {
        for delivery in all() {
            assert_eq!(send(&daemon, &delivery), 204, "{}", delivery.name);
        }
        // Committed means shown.
        assert_eq!(rejections(&daemon, None), 15, "round {round}");
    }
    check(&daemon, "diag51007_events_total{outcome=\"counted\",source=\"debugger\"}", 7);
    check(&daemon, "diag51007_events_total{outcome=\"repeated\",source=\"debugger\"}", 14);
    check(&daemon, "diag51007_events_total{outcome=\"counted\",source=\"events\"}", 8);
    check(&daemon, "diag51007_events_total{outcome=\"ignored\",source=\"events\"}", 6);
    check(&daemon, "diag51007_source_up{source=\"events\"}", 1);
}

#[test]
fn the_same_event_from_two_channels_is_counted_once() {
    let place = place();
    let daemon = place.start();
    let all = all();
    let as_event = &all[4];
    assert_eq!(send(&daemon, as_event), 204);
    let as_form = all[0].body.clone();
    let sid = "00000000000000000000000000000005";
    let text = String::from_utf8(as_form).expect("ASCII").replace("00000000000000000000000000000001", sid);
    let form = diag51007::source::twilio::form::Form::read(text.as_bytes());
    assert!(form.is_some());
    let signature = sign(&text);
    let mut delivery = Signed { body: text.into_bytes(), ..all[0].clone() };
    delivery.headers.retain(|(name, _)| name != "X-Twilio-Signature");
    delivery.headers.push(("X-Twilio-Signature".to_owned(), signature));
    assert_eq!(send(&daemon, &delivery), 204);
    assert_eq!(rejections(&daemon, None), 1);
    check(&daemon, "diag51007_events_total{outcome=\"repeated\",source=\"debugger\"}", 1);
}

/// Twilio's signature of a form for the Debugger webhook, made anew: plain HMAC-SHA1 over URL and sorted pairs.
fn sign(body: &str) -> String {
    use base64::Engine as _;
    let mut pairs: Vec<(String, String)> = body
        .split('&')
        .map(|pair| pair.split_once('=').expect("a pair"))
        .map(|(name, value)| (name.to_owned(), decoded(value)))
        .collect();
    pairs.sort();
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, TOKEN.as_bytes());
    let pairs: String = pairs.into_iter().map(|(name, value)| name + &value).collect();
    let tag = aws_lc_rs::hmac::sign(&key, format!("https://ops.example.com/twilio/debugger{pairs}").as_bytes());
    base64::engine::general_purpose::STANDARD.encode(tag)
}

fn decoded(value: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().expect("a digit"), rest.next().expect("a digit")];
                u8::from_str_radix(std::str::from_utf8(&digits).expect("ASCII"), 16).expect("digits")
            }
            other => other,
        });
    }
    String::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn unsigned_and_wrongly_signed_deliveries_are_refused_and_counted() {
    let place = place();
    let daemon = place.start();
    for delivery in all() {
        let mut unsigned = delivery.clone();
        unsigned.headers.retain(|(name, _)| name != "X-Twilio-Signature");
        assert_eq!(send(&daemon, &unsigned), 403, "{}", delivery.name);
        let mut changed = delivery.clone();
        let at = changed.body.len() / 2;
        changed.body[at] ^= 1;
        assert_eq!(send(&daemon, &changed), 403, "{}", delivery.name);
    }
    assert_eq!(rejections(&daemon, None), 0);
    check(&daemon, "diag51007_source_errors_total{kind=\"signature\",source=\"debugger\"}", 14);
    check(&daemon, "diag51007_source_errors_total{kind=\"signature\",source=\"events\"}", 12);
    let output = daemon.output();
    assert_eq!(output.matches("has no X-Twilio-Signature").count(), 2, "{output}");
    assert!(daemon.get("/api/v1/status/sources").body.contains("compare `public_url`"));
    // Browsers' rules do not hold for Twilio.
    let mut foreign = all()[0].clone();
    foreign.headers.push(("Origin".to_owned(), "https://www.twilio.com".to_owned()));
    assert_eq!(send(&daemon, &foreign), 204);
}

#[test]
fn an_auth_token_is_rotated_by_a_reload() {
    let place = place();
    let daemon = place.start();
    let config = std::fs::read_to_string(place.config()).expect("the config");
    let rotated =
        config.replace(&format!("auth_token = \"{TOKEN}\""), "auth_token = \"ffffffffffffffffffffffffffffffff\"");
    place.configure(&rotated);
    assert_eq!(daemon.post("/-/reload", "text/plain", b"").status, 200);
    assert_eq!(send(&daemon, &all()[0]), 403);
    let both = rotated.replace("shared_key =", &format!("next_auth_token = \"{TOKEN}\"\nshared_key ="));
    place.configure(&both);
    // A setting that was not there needs a restart; the value of one that was does not.
    assert_eq!(daemon.post("/-/reload", "text/plain", b"").status, 400);
    place.configure(&config);
    assert_eq!(daemon.post("/-/reload", "text/plain", b"").status, 200);
    assert_eq!(send(&daemon, &all()[0]), 204);
}

#[test]
fn one_reload_changes_files_and_secrets_but_no_channel() {
    let place = place();
    let daemon = place.start();
    let config = std::fs::read_to_string(place.config()).expect("the config");
    let other = place.log().with_file_name("other.txt");
    std::fs::write(&other, place::expired_at(place::now())).expect("the other log is written");
    let more =
        format!("\n[[source]]\nname = \"other\"\nkind = \"file\"\ninclude = [{:?}]\n", other.display().to_string());
    let rotated = config.replace(TOKEN, "ffffffffffffffffffffffffffffffff") + &more;
    place.configure(&rotated);
    let answer = daemon.post("/-/reload", "text/plain", b"");
    assert_eq!(answer.status, 200, "{}", answer.body);
    place::until_rejections(&daemon, Some("expired"), 1);
    assert_eq!(send(&daemon, &all()[0]), 403);
    place.configure(&rotated.replace("path = \"/twilio/debugger\"", "path = \"/twilio/elsewhere\""));
    let answer = daemon.post("/-/reload", "text/plain", b"");
    assert!(answer.body.contains("a source of another kind than `file` differs"), "{}", answer.body);
    place.configure(&config);
    assert_eq!(daemon.post("/-/reload", "text/plain", b"").status, 200);
    assert_eq!(send(&daemon, &all()[0]), 204);
}

#[test]
fn the_public_url_is_taken_from_trusted_proxies_only() {
    let place = place();
    let config = std::fs::read_to_string(place.config()).expect("the config");
    let path = "public_url = \"https://ops.example.com/twilio/debugger\"";
    let forwarded = |name: &str, value: &str| {
        let mut delivery = all().swap_remove(0);
        delivery.headers.push((name.to_owned(), value.to_owned()));
        delivery.headers.push(("X-Forwarded-Host".to_owned(), "ops.example.com".to_owned()));
        delivery
    };
    let (right, wrong) = (forwarded("X-Forwarded-Proto", "https"), forwarded("X-Forwarded-Proto", "http"));
    for (network, accepted) in [("127.0.0.0/8", true), ("10.0.0.0/8", false)] {
        place.configure(&config.replace(path, &format!("trusted_proxies = [\"{network}\"]")));
        let daemon = place.start();
        assert_eq!(send(&daemon, &wrong), 403, "{network}");
        assert_eq!(send(&daemon, &right), if accepted { 204 } else { 403 }, "{network}");
        let other = forwarded("Forwarded", "for=192.0.2.1;proto=https;host=ops.example.com");
        assert_eq!(send(&daemon, &other), if accepted { 204 } else { 403 }, "{network}");
    }
}

/// How often the daemon is killed while deliveries come in.
const KILLS: usize = 12;
/// Who delivers at the same time.
const SENDERS: usize = 8;

/// A delivery of a new event, signed.
fn event(number: u64) -> Signed {
    let first = all().swap_remove(0);
    let body = String::from_utf8(first.body).expect("ASCII");
    let body = body.replace("NO00000000000000000000000000000001", &format!("NO{number:032x}"));
    let mut headers = first.headers;
    headers.retain(|(name, _)| name != "X-Twilio-Signature");
    headers.push(("X-Twilio-Signature".to_owned(), sign(&body)));
    Signed { body: body.into_bytes(), headers, ..first }
}

/// Whether a delivery was acknowledged; not if nobody answered to the end.
fn is_acknowledged(address: &str, delivery: &Signed) -> bool {
    let answered = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(&delivery.request(address))?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = answered().unwrap_or_default();
    let status = answer.split(' ').nth(1).unwrap_or_default();
    assert!(["", "204", "429", "503"].contains(&status), "{answer}");
    status == "204"
}

#[test]
fn killed_again_and_again_while_deliveries_come_in_it_counts_each_once() {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    let place = place();
    let (address, done) = (Mutex::new(String::new()), AtomicBool::new(false));
    let (sent, acknowledged, again) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let delivery = event(sent.fetch_add(1, Ordering::Relaxed));
                    // As Twilio does: again, until it is acknowledged.
                    loop {
                        let address = address.lock().expect("no panic").clone();
                        if !address.is_empty() && is_acknowledged(&address, &delivery) {
                            break;
                        }
                        again.fetch_add(1, Ordering::Relaxed);
                        std::thread::park_timeout(std::time::Duration::from_millis(3));
                    }
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for round in 1..=KILLS {
            let daemon = place.start();
            daemon.address.clone_into(&mut address.lock().expect("no panic"));
            let before = acknowledged.load(Ordering::Relaxed);
            // What was acknowledged is shown, and stays.
            assert!(rejections(&daemon, None) >= before.saturating_sub(SENDERS as u64));
            until("deliveries", || (acknowledged.load(Ordering::Relaxed) > before + 20 * round as u64).then_some(()));
            daemon.signal("KILL");
            address.lock().expect("no panic").clear();
        }
        let daemon = place.start();
        daemon.address.clone_into(&mut address.lock().expect("no panic"));
        done.store(true, Ordering::Relaxed);
        let all_sent = || sent.load(Ordering::Relaxed) == acknowledged.load(Ordering::Relaxed);
        until("the last deliveries", || all_sent().then_some(()));
        let sent = sent.load(Ordering::Relaxed);
        assert_eq!(rejections(&daemon, None), sent);
        check(&daemon, "diag51007_events_total{outcome=\"counted\",source=\"debugger\"}", sent);
        assert!(again.load(Ordering::Relaxed) > 0, "no delivery met a daemon that was down");
        // Known events stay known.
        daemon.signal("TERM");
        assert_eq!(daemon.wait().0, Some(0));
        let daemon = place.start();
        assert!((0..50).all(|number| is_acknowledged(&daemon.address, &event(number))));
        assert_eq!(rejections(&daemon, None), sent);
    });
}
