//! Nothing secret leaves the process: every output of the real binary, at its most talkative, is searched for every
//! token, secret and identity that went in.
#![cfg(test)]

#[path = "support/mint.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod mint;
#[path = "support/monitor.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod monitor;
#[path = "support/place.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod place;
#[path = "support/process.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod process;
#[path = "support/recipe.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod recipe;

#[path = "support/signed.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod signed;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use mint::{AUTH_TOKEN, SECRET};
use place::{EXPIRED, NO_IDENTITY, Place, rejections, until_rejections};
use process::{Daemon, command, run, run_with_input, text, until};
use recipe::expand;
use signed::{BASE, SHARED_KEY, TOKEN};

/// Shorter pieces of a token may stand anywhere by chance.
const PIECE_BYTES: usize = 20;
/// Every identity in the samples and recipes.
const IDENTITY: &str = "alice";

/// What must not be found, each with a name that may be shown.
#[derive(Debug)]
struct Forbidden {
    needles: BTreeSet<String>,
}

impl Forbidden {
    /// All secrets, and both ends of every part of every token in `texts`.
    fn in_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut needles: BTreeSet<String> = [SECRET, AUTH_TOKEN, IDENTITY].map(str::to_owned).into();
        for text in texts {
            for (at, _) in text.match_indices("eyJ") {
                let (_, rest) = text.split_at(at);
                let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
                let token = rest.split(|c| !is_part(c)).next().unwrap_or_default();
                for part in token.split('.').filter(|part| part.len() >= PIECE_BYTES) {
                    let (head, _) = part.split_at(PIECE_BYTES);
                    let (_, tail) = part.split_at(part.len() - PIECE_BYTES);
                    needles.extend([head.to_owned(), tail.to_owned()]);
                }
            }
        }
        Self { needles }
    }

    /// Fails when `output` contains one; says where the output came from, and only the first bytes of the secret.
    #[track_caller]
    fn check(&self, what: &str, output: &[u8]) {
        let output = String::from_utf8_lossy(output);
        for needle in &self.needles {
            let Some(at) = output.find(needle.as_str()) else { continue };
            let (before, _) = output.split_at(at);
            let line = before.matches('\n').count() + 1;
            panic!("{what}: line {line} of the output shows `{}…`", needle.split_at(needle.len().min(5)).0);
        }
    }
}

/// Every file of the samples.
fn samples() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let files = walkdir::WalkDir::new(root).sort_by_file_name().into_iter().map(|entry| entry.expect("readable"));
    files.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect()
}

/// The manifest's secrets, in a config and among the needles.
fn with_the_manifest(place: &Place, forbidden: &mut Forbidden) {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/scenarios/manifest.json");
    let manifest: Value = serde_json::from_slice(&fs::read(manifest).expect("the manifest")).expect("JSON");
    let member = |name: &str| manifest[0][name].as_str().expect("a text").to_owned();
    let mut config = place.usual_config();
    _ = writeln!(
        config,
        "[[key]]\nsid = \"{}\"\naccount = \"{}\"\nsecret = \"{}\"\n\n[[account]]\nsid = \"{}\"\nauth_token = \"{}\"",
        member("key_sid"),
        member("account_sid"),
        member("secret"),
        member("account_sid"),
        member("auth_token")
    );
    place.configure(&config);
    forbidden.needles.extend([member("secret"), member("auth_token")]);
}

/// Every recipe of the corpus, minted.
fn corpus() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let files = fs::read_dir(folder).expect("the corpus").map(|entry| entry.expect("readable").path());
    files
        .filter(|path| !path.ends_with("README.md"))
        .map(|path| expand(&fs::read_to_string(path).expect("UTF-8")))
        .collect()
}

#[test]
fn a_leak_is_found() {
    let token = expand("{{token}}");
    let forbidden = Forbidden::in_texts([token.as_str()]);
    for leak in [token.as_str(), token.rsplit('.').next().expect("a signature"), "identity=alice", SECRET] {
        assert!(std::panic::catch_unwind(|| forbidden.check("test", leak.as_bytes())).is_err());
    }
    forbidden.check("test", b"SK00000000000000000000000000000001 expired");
}

#[test]
fn scan_and_check_show_nothing_secret_in_any_format() {
    let place = Place::new();
    let paths = samples();
    let texts: Vec<String> =
        paths.iter().map(|path| fs::read_to_string(path).expect("UTF-8")).chain(corpus()).collect();
    let mut forbidden = Forbidden::in_texts(texts.iter().map(String::as_str));
    with_the_manifest(&place, &mut forbidden);
    for (at, text) in corpus().iter().enumerate() {
        fs::write(place.path(&format!("corpus-{at}.log")), text).expect("a writable folder");
    }
    let corpus: Vec<PathBuf> = (0..corpus().len()).map(|at| place.path(&format!("corpus-{at}.log"))).collect();
    let config = place.config();
    for format in ["text", "json", "ndjson", "prometheus"] {
        let mut arguments = vec!["scan", "--config", text(&config), "--format", format];
        arguments.extend(paths.iter().chain(&corpus).map(|path| text(path)));
        let output = command(&arguments).env("DIAG51007_LOG", "trace").output().expect("the binary starts");
        assert_eq!(output.status.code(), Some(0), "{format}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!output.stdout.is_empty(), "{format}");
        forbidden.check(&format!("scan --format {format}, stdout"), &output.stdout);
        forbidden.check(&format!("scan --format {format}, stderr"), &output.stderr);
    }
    for recipe in ["{{token}}", "{{token -identity}}", "{{token secret=\"x\"}}", "{{token cut=-9}}", "{{token quote}}"]
    {
        for format in ["text", "json"] {
            let arguments = ["check", "--config", text(&config), "--format", format];
            let output = run_with_input(&arguments, expand(recipe).as_bytes());
            forbidden.check(&format!("check of {recipe}"), (output.stdout + &output.stderr).as_bytes());
        }
    }
}

/// Everything that answers.
const PATHS: [&str; 15] = [
    "/",
    "/metrics",
    "/api/v1/summary?window=24h",
    "/api/v1/rejections?limit=1000",
    "/api/v1/incidents",
    "/api/v1/alerts",
    "/api/v1/incidents",
    "/api/v1/causes",
    "/api/v1/status/config",
    "/api/v1/status/sources",
    "/api/v1/status/buildinfo",
    "/api/v1/openapi.json",
    "/-/healthy",
    "/-/ready",
    "/no/such/page",
];

/// Searches every answer, all that was logged, and every file of the state.
fn check_daemon(forbidden: &Forbidden, daemon: Daemon, state: &Path) {
    for path in PATHS {
        let answer = daemon.get(path);
        forbidden.check(path, (answer.head + &answer.body).as_bytes());
    }
    let body = serde_json::json!({ "token": expand("{{token -identity}}"), "at": "2026-03-01T10:00:00Z" }).to_string();
    let answer = daemon.post("/api/v1/check", "application/json", body.as_bytes());
    forbidden.check("POST /api/v1/check", answer.body.as_bytes());
    let answer = daemon.get(&format!("/api/v1/summary?window={}", expand("{{token}}")));
    forbidden.check("an error about a parameter", answer.body.as_bytes());
    daemon.signal("TERM");
    let (code, output) = daemon.wait();
    assert_eq!(code, Some(0), "the daemon ends by itself");
    forbidden.check("the daemon's own log", output.as_bytes());
    for entry in walkdir::WalkDir::new(state).into_iter().filter_map(Result::ok) {
        if entry.file_type().is_file() {
            let path = entry.path().display().to_string();
            forbidden.check(&path, &fs::read(entry.path()).expect("own files are readable"));
        }
    }
}

#[test]
fn the_daemon_shows_nothing_secret_at_its_most_talkative() {
    let place = Place::new();
    let texts: Vec<String> =
        samples().iter().map(|path| fs::read_to_string(path).expect("UTF-8")).chain(corpus()).collect();
    let mut forbidden = Forbidden::in_texts(texts.iter().map(String::as_str));
    with_the_manifest(&place, &mut forbidden);
    for text in &texts {
        place.append(text);
        place.append("\n");
    }
    let daemon = Daemon::start(command(&["run", "--config", text(&place.config())]).env("DIAG51007_LOG", "trace"));
    daemon.until_ready();
    place.append(&expand(EXPIRED));
    place.append(&expand(NO_IDENTITY));
    until("rejections", || (rejections(&daemon, Some("identity_missing")) > 0).then_some(()));
    let said = daemon.output();
    assert!(
        said.contains("TRACE") || said.contains("trace") || said.contains("DEBUG"),
        "DIAG51007_LOG=trace has no effect"
    );
    check_daemon(&forbidden, daemon, &place.path("state"));
}

#[test]
fn the_demo_shows_nothing_secret() {
    let place = Place::new();
    let mut demo = command(&["demo", "--listen", "127.0.0.1:0"]);
    let daemon = Daemon::start(demo.env("DIAG51007_LOG", "trace").env("TMPDIR", place.folder()));
    until("the demo's first rejection", || (rejections(&daemon, None) > 0).then_some(()));
    let logs = walkdir::WalkDir::new(place.folder()).into_iter().filter_map(Result::ok);
    let logs: Vec<String> = logs
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "log"))
        .filter_map(|entry| fs::read_to_string(entry.path()).ok())
        .collect();
    assert!(logs.iter().any(|log| log.contains("eyJ")), "the demo writes a log with tokens into TMPDIR");
    let forbidden = Forbidden::in_texts(logs.iter().map(String::as_str));
    check_daemon(&forbidden, daemon, &place.path("no-state"));
}

#[test]
fn a_bad_config_is_reported_without_its_secrets() {
    let place = Place::new();
    let forbidden = Forbidden::in_texts([]);
    let good = place.usual_config();
    for (from, to) in
        [("secret =", "secrt ="), ("auth_token = \"", "auth_token = 5 \""), ("kind = \"file\"", "kind = 7")]
    {
        place.configure(&good.replace(from, to));
        for arguments in [["config", "check"].as_slice(), &["run", "--config"]] {
            let config = place.config();
            let output = run(&[arguments, &[text(&config)]].concat());
            assert_ne!(output.code, Some(0), "{arguments:?} with {to}");
            forbidden.check(&format!("{arguments:?} with {to}"), (output.stdout + &output.stderr).as_bytes());
        }
    }
    place.configure(&good);
    let daemon = place.start();
    place.configure(&good.replace("secret =", "secrt ="));
    let answer = daemon.post("/-/reload", "text/plain", b"");
    forbidden.check("POST /-/reload", answer.body.as_bytes());
    place.append(&expand(EXPIRED));
    until_rejections(&daemon, Some("expired"), 1);
    check_daemon(&forbidden, daemon, &place.path("state"));
}

/// Everything that is sent in with a credential, at its most talkative: what is refused as well as what is taken.
#[test]
fn channels_show_no_credential_and_no_payload() {
    const PAYLOAD: &str = "not-for-showing-payload";
    const BEARER: &str = "not-for-showing-bearer-0000000001";
    let place = Place::new();
    let token = expand("{{token -identity}}");
    let mut forbidden = Forbidden::in_texts([token.as_str()]);
    forbidden.needles.extend([PAYLOAD, BEARER, SHARED_KEY, "QWxhZGRpbjpvcGVu"].map(str::to_owned));
    let mut config = place.usual_config();
    for (kind, path) in [("webhook", "/twilio/debugger"), ("event_streams", "/twilio/events")] {
        _ = write!(
            config,
            "\n[[source]]\nname = \"{kind}\"\nkind = \"{kind}\"\npath = \"{path}\"\npublic_url = \"{BASE}{path}\"\n\
             auth_token = \"{TOKEN}\"\nshared_key = \"{SHARED_KEY}\"\n"
        );
    }
    _ = write!(config, "\n[[source]]\nname = \"push\"\nkind = \"http\"\npath = \"/push\"\nbearer = \"{BEARER}\"\n");
    _ = write!(
        config,
        "\n[[source]]\nname = \"alerts\"\nkind = \"alerts_api\"\naccount = \"{}\"\nbase_url = \"http://127.0.0.1:9\"\n",
        mint::sid("AC", "1")
    );
    place.configure(&config);
    let daemon = Daemon::start(command(&["run", "--config", text(&place.config())]).env("DIAG51007_LOG", "trace"));
    daemon.until_ready();
    forbidden.needles.insert(TOKEN.to_owned());
    let send = |request: &[u8]| {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(&daemon.address).expect("connected");
        stream.write_all(request).expect("sent");
        let mut answer = Vec::new();
        _ = stream.read_to_end(&mut answer);
        forbidden.check("an answer", &answer);
    };
    for delivery in signed::all() {
        send(&delivery.request("a"));
        let body = [delivery.body.as_slice(), PAYLOAD.as_bytes(), token.as_bytes()].concat();
        send(&signed::Signed { body, ..delivery }.request("a"));
    }
    let body = format!("{PAYLOAD} 2026-03-01T10:05:00Z error Twilio error code=51007 token={token}\n");
    for authorization in [format!("Bearer {BEARER}"), "Basic QWxhZGRpbjpvcGVu".to_owned()] {
        let length = body.len();
        let head = format!("POST /push HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: {authorization}");
        send(format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes());
    }
    until("the push", || (rejections(&daemon, Some("identity_missing")) > 0).then_some(()));
    check_daemon(&forbidden, daemon, &place.path("state"));
}

/// A request with this head after its path, and a body.
fn post(path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n");
    [head.as_bytes(), headers.as_bytes(), b"\r\n", body].concat()
}

/// `X-Twilio-Signature` of a text.
fn signature(text: &str) -> String {
    use aws_lc_rs::hmac;
    use base64::Engine as _;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, TOKEN.as_bytes());
    let tag = base64::engine::general_purpose::STANDARD.encode(hmac::sign(&key, text.as_bytes()));
    format!("X-Twilio-Signature: {tag}\r\n")
}

/// Well signed, well authorized and unreadable, or the other way round; what the other end refuses, or answers in a way
/// that can't be read.
#[test]
fn what_goes_wrong_at_a_channel_is_told_without_a_credential_and_without_a_payload() {
    const PAYLOAD: &str = "not-for-showing-payload";
    const BEARER: &str = "not-for-showing-bearer-0000000001";
    let place = Place::new();
    let mut forbidden = Forbidden::in_texts([]);
    forbidden.needles.extend([PAYLOAD, BEARER, TOKEN, "bm90LWZvci1zaG93aW5n"].map(str::to_owned));
    let monitor = monitor::Monitor::start();
    monitor.with(|state| {
        state.refusals = vec![401, 403, 429, 500];
        let alert = |number, changes: &Value| monitor::alert(number, changes);
        state.alerts = vec![
            alert(1, &serde_json::json!({ "sid": PAYLOAD })),
            alert(2, &serde_json::json!({ "error_code": PAYLOAD, "alert_text": { "x": PAYLOAD } })),
            alert(3, &serde_json::json!({ "error_code": "20104", "alert_text": PAYLOAD })),
        ];
    });
    let mut config = place.usual_config();
    for (kind, path) in [("webhook", "/twilio/debugger"), ("event_streams", "/twilio/events")] {
        _ = write!(
            config,
            "\n[[source]]\nname = \"{kind}\"\nkind = \"{kind}\"\npath = \"{path}\"\npublic_url = \"{BASE}{path}\"\n\
             auth_token = \"{TOKEN}\"\n"
        );
    }
    _ = write!(
        config,
        "\n[[source]]\nname = \"push\"\nkind = \"http\"\npath = \"/push\"\nbearer = \"{BEARER}\"\n\
         \n[[source]]\nname = \"alerts\"\nkind = \"alerts_api\"\naccount = \"{}\"\nbase_url = \"http://{}\"\n\
         poll_seconds = 1\n",
        mint::sid("AC", "1"),
        monitor.address
    );
    place.configure(&config);
    let daemon = Daemon::start(command(&["run", "--config", text(&place.config())]).env("DIAG51007_LOG", "trace"));
    let send = |request: &[u8], status: u16| {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(&daemon.address).expect("connected");
        stream.write_all(request).expect("sent");
        let mut answer = Vec::new();
        _ = stream.read_to_end(&mut answer);
        forbidden.check("an answer", &answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "expected {status}, but found {answer}");
    };
    // Signed, and unreadable.
    let url = format!("{BASE}/twilio/debugger");
    for (payload, sent) in [(format!("{{{PAYLOAD}"), format!("%7B{PAYLOAD}")), (PAYLOAD.to_owned(), PAYLOAD.to_owned())]
    {
        let form = "Content-Type: application/x-www-form-urlencoded\r\n".to_owned();
        let headers = form + &signature(&format!("{url}Payload{payload}"));
        send(&post("/twilio/debugger", &headers, format!("Payload={sent}").as_bytes()), 400);
    }
    for (body, status) in [
        (format!("{{\"{PAYLOAD}"), 400),
        (format!("[{{\"specversion\":\"1.0\",\"type\":7,\"data\":\"{PAYLOAD}\"}}]"), 400),
        (format!("\"{PAYLOAD}\""), 400),
    ] {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes());
        let digest = digest.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        let path = format!("/twilio/events?bodySHA256={digest}");
        let headers = "Content-Type: application/json\r\n".to_owned() + &signature(&format!("{BASE}{path}"));
        send(&post(&path, &headers, body.as_bytes()), status);
    }
    // Not signed, or not as it is.
    for path in ["/twilio/debugger", "/twilio/events"] {
        for headers in [String::new(), format!("X-Twilio-Signature: {PAYLOAD}\r\n"), signature(PAYLOAD)] {
            send(&post(path, &headers, PAYLOAD.as_bytes()), 403);
        }
    }
    let bearer = format!("Authorization: Bearer {BEARER}\r\n");
    for headers in
        ["", "Authorization: Bearer not-for-showing-payload\r\n", "Authorization: Basic bm90LWZvci1zaG93aW5n\r\n"]
    {
        send(&post("/push", headers, PAYLOAD.as_bytes()), 401);
    }
    for (headers, status) in
        [("Content-Encoding: gzip\r\n", 400), ("Content-Encoding: not-for-showing-payload\r\n", 415)]
    {
        send(&post("/push", &format!("{bearer}{headers}"), PAYLOAD.as_bytes()), status);
    }
    send(&post("/push", &bearer, format!("{{\"{PAYLOAD}\": ").as_bytes()), 204);
    until("what the API refuses and what can't be read of it", || {
        let page = daemon.get("/metrics").body;
        let count = |kind: &str| {
            let labels = [format!("kind=\"{kind}\""), "source=\"alerts\"".to_owned()];
            process::value(&page, "diag51007_source_errors_total", &labels).unwrap_or_default()
        };
        (count("auth") >= 2.0 && count("remote") >= 1.0 && count("payload") >= 1.0).then_some(())
    });
    for source in ["webhook", "event_streams", "push"] {
        let labels = [format!("source=\"{source}\""), "kind=\"payload\"".to_owned()];
        let labels = {
            let mut labels = labels;
            labels.sort();
            labels
        };
        let found = process::value(&daemon.get("/metrics").body, "diag51007_source_errors_total", &labels);
        assert!(found >= Some(1.0), "{source}: {found:?}");
    }
    check_daemon(&forbidden, daemon, &place.path("state"));
}
