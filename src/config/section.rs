//! What each section of the config means.

use std::net::SocketAddr;
use std::ops::Range;

use globset::Glob;
use toml::Spanned;
use toml::de::DeTable;

use crate::config::channel;
use crate::config::journal;
use crate::config::problem::{Fault, SidFault, nearest};
use crate::config::read::{At, Reader, Section};
use crate::config::secret::{self, Meaning};
use crate::config::{
    Config, Detect, FileKind, FileSource, Limits, Logging, Pairing, REGIONS, REGIONS_RETIRED, Source, SourceKind,
    Start, Store, Validator, Web,
};
use crate::config::{LEEWAY_SECONDS_MAX, SETTLE_MILLISECONDS_MAX, WINDOW_LINES_MAX, WINDOW_SECONDS_MAX};
use crate::config::{
    LINE_BYTES_LEAST, LINE_BYTES_MOST, REJECTIONS_REMEMBERED_MOST, SOURCE_NAME_CHARS_MAX, SYNC_SECONDS_MAX,
    TOKENS_REMEMBERED_MOST,
};
use crate::keyring::{Account, Key, KeyKind, KeyRing};
use crate::log::{Format, Level};

/// The words of `kind` in a `[[source]]`.
const KINDS: [&str; 10] =
    ["file", "stdin", "webhook", "event_streams", "alerts_api", "http", "journald", "docker", "cri", "csv"];

/// Reads what belongs to a kind of source.
type ReadKind = fn(&mut Section<'_, '_>, &mut Reader<'_>) -> SourceKind;

/// Reads the whole document.
pub(super) fn config(document: &Spanned<DeTable<'_>>, reader: &mut Reader<'_>) -> Config {
    let mut root = Section::root(document);
    let state_dir = root.text(reader, "state_dir").and_then(|text| {
        if text.value.is_empty() {
            reader.error(&text.span, root.key("state_dir"), Fault::Missing("a folder"));
            return None;
        }
        Some(reader.resolve(text.value))
    });
    let web = web(&mut root, reader);
    let (sources, places) = sources(&mut root, reader);
    let config = Config {
        state_dir,
        web,
        sources,
        detect: detect(&mut root, reader),
        validator: validator(&mut root, reader),
        pairing: pairing(&mut root, reader),
        limits: limits(&mut root, reader),
        store: store(&mut root, reader),
        alerts: super::alerts::alerts(&mut root, reader),
        alertmanager: super::alerts::alertmanager(&mut root, reader),
        log: logging(&mut root, reader),
        keyring: KeyRing::new(keys(&mut root, reader), accounts(&mut root, reader)),
    };
    root.finish(reader, &[]);
    channel::check(&config, &places, reader);
    if config.sources.is_empty() && reader.errors.is_empty() {
        reader.warn(&(0..0), None::<String>, Fault::NoSource);
    }
    config
}

fn web(root: &mut Section<'_, '_>, reader: &mut Reader<'_>) -> Web {
    let mut web = Web::default();
    let Some(mut section) = root.child(reader, "web") else { return web };
    if let Some(list) = section.texts(reader, "listen", Some(("an address and a port", "127.0.0.1:15107"))) {
        let key = section.key("listen");
        let mut seen: Vec<At<SocketAddr>> = Vec::new();
        for text in list {
            let Ok(address) = text.value.parse::<SocketAddr>() else {
                reader.error(&text.span, key.clone(), Fault::Listen(listen_proposal(text.value)));
                continue;
            };
            match seen.iter().find(|other| other.value == address && address.port() != 0) {
                Some(first) => {
                    let line = reader.line(&first.span);
                    reader.error(&text.span, key.clone(), Fault::Duplicate("address", line));
                }
                None => seen.push(At { value: address, span: text.span }),
            }
        }
        web.listen = seen.into_iter().map(|at| at.value).collect();
    }
    section.finish(reader, &[]);
    web
}

/// The address that was probably meant by `localhost:1`, `:1` or `1`.
fn listen_proposal(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':').unwrap_or(("localhost", text));
    let port: u16 = port.parse().ok()?;
    match host {
        "localhost" => Some(format!("127.0.0.1:{port}")),
        "" | "*" => Some(format!("0.0.0.0:{port}")),
        _ => None,
    }
}

/// The sources, and where each of them stands.
fn sources(root: &mut Section<'_, '_>, reader: &mut Reader<'_>) -> (Vec<Source>, Vec<Range<usize>>) {
    let mut names: Vec<At<String>> = Vec::new();
    let (mut sources, mut spans) = (Vec::new(), Vec::new());
    let mut stdin = None;
    for section in root.children(reader, "source") {
        let (name, source) = source(section, reader);
        if let Some(name) = name {
            if let Some(first) = names.iter().find(|other| other.value == name.value) {
                let line = reader.line(&first.span);
                reader.error(&name.span, "source.name".to_owned(), Fault::Duplicate("name", line));
            }
            names.push(name);
        }
        let Some(At { value, span }) = source else { continue };
        if value.kind == SourceKind::Stdin {
            // There is one standard input, and two sources would each get a part of it.
            match &stdin {
                Some(first) => reader.error(&span, "source.kind".to_owned(), Fault::SecondStdin(reader.line(first))),
                None => stdin = Some(span.clone()),
            }
        }
        sources.push(value);
        spans.push(span);
    }
    (sources, spans)
}

fn source(mut section: Section<'_, '_>, reader: &mut Reader<'_>) -> (Option<At<String>>, Option<At<Source>>) {
    let name = section.required(reader, "name", "a name").and_then(|text| {
        if !is_source_name(text.value) {
            reader.error(&text.span, section.key("name"), Fault::Name);
            return None;
        }
        Some(At { value: text.value.to_owned(), span: text.span })
    });
    let Some(kind) = section.required(reader, "kind", "the kind of the source, such as `file`") else {
        return (name, None);
    };
    let read: ReadKind = match kind.value {
        "file" => |section, reader| SourceKind::File(file_source(FileKind::File, section, reader)),
        "docker" => |section, reader| SourceKind::File(file_source(FileKind::Docker, section, reader)),
        "cri" => |section, reader| SourceKind::File(file_source(FileKind::Cri, section, reader)),
        "csv" => |section, reader| SourceKind::File(file_source(FileKind::Csv, section, reader)),
        "stdin" => |_, _| SourceKind::Stdin,
        "webhook" => |section, reader| SourceKind::Webhook(channel::webhook(section, reader)),
        "event_streams" => |section, reader| SourceKind::EventStreams(channel::webhook(section, reader)),
        "alerts_api" => |section, reader| SourceKind::AlertsApi(channel::alerts_api(section, reader)),
        "http" => |section, reader| SourceKind::Http(channel::http(section, reader)),
        "journald" => |section, reader| SourceKind::Journald(journal::journal(section, reader)),
        other => {
            reader.error(&kind.span, section.key("kind"), Fault::Word(KINDS.to_vec(), other.to_owned()));
            // What else belongs there depends on the kind, so it can't be judged.
            return (name, None);
        }
    };
    let timezone = timezone(&mut section, reader);
    let kind_read = read(&mut section, reader);
    section.finish(reader, &[]);
    let value =
        Source { name: name.as_ref().map(|at| at.value.clone()).unwrap_or_default(), kind: kind_read, timezone };
    (name, Some(At { value, span: kind.span }))
}

/// Whether a name can be the `source` label.
pub(super) fn is_source_name(name: &str) -> bool {
    (1..=SOURCE_NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

fn file_source(kind: FileKind, section: &mut Section<'_, '_>, reader: &mut Reader<'_>) -> FileSource {
    let is_known = !kind.include().is_empty();
    if !section.has("include") && !is_known {
        reader.error(&section.span.clone(), section.key("include"), Fault::Missing("a list of globs"));
    }
    let include = section.texts(reader, "include", Some(("a glob", "/var/log/app/**/*.log"))).unwrap_or_default();
    let exclude = section.texts(reader, "exclude", None).unwrap_or_default();
    let include = if section.has("include") {
        globs(section, reader, "include", include)
    } else {
        kind.include().iter().map(|glob| (*glob).to_owned()).collect()
    };
    FileSource {
        kind,
        include,
        exclude: globs(section, reader, "exclude", exclude),
        start: section.word(reader, "start", &Start::WORDS, Start::default()),
    }
}

fn globs(section: &Section<'_, '_>, reader: &mut Reader<'_>, key: &str, list: Vec<At<&str>>) -> Vec<String> {
    let mut globs = Vec::new();
    for text in list {
        if text.value.is_empty() {
            reader.error(&text.span, section.key(key), Fault::Missing("a glob"));
        } else if let Err(error) = Glob::new(text.value) {
            reader.error(&text.span, section.key(key), Fault::Glob(error.kind().to_string()));
        } else {
            globs.push(reader.resolve_glob(text.value));
        }
    }
    globs
}

fn timezone(section: &mut Section<'_, '_>, reader: &mut Reader<'_>) -> String {
    let Some(text) = section.text(reader, "timezone") else { return "UTC".to_owned() };
    if let Err(near) = check_timezone(text.value) {
        reader.error(&text.span, section.key("timezone"), Fault::Timezone(near));
    }
    text.value.to_owned()
}

/// Whether the system or the bundled database knows a zone; else the name that was probably meant.
pub(crate) fn check_timezone(name: &str) -> Result<(), Option<String>> {
    if jiff::tz::TimeZone::get(name).is_ok() {
        return Ok(());
    }
    let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    Err(nearest(name, known.iter().map(String::as_str)).map(str::to_owned))
}

fn keys(root: &mut Section<'_, '_>, reader: &mut Reader<'_>) -> Vec<Key> {
    let kinds = [
        ("main", KeyKind::Main),
        ("standard", KeyKind::Standard),
        ("restricted", KeyKind::Restricted),
        ("test", KeyKind::Test),
    ];
    let mut seen = Vec::new();
    let mut keys = Vec::new();
    for mut section in root.children(reader, "key") {
        let sid = section.required(reader, "sid", "the SID of an API key");
        let sid = sid.and_then(|text| checked_sid(&section, reader, "sid", &text, "SK", Some(&mut seen)));
        let account = section.text(reader, "account");
        let account = account.and_then(|text| checked_sid(&section, reader, "account", &text, "AC", None));
        let secret = secret::read(&mut section, reader, Meaning::KeySecret);
        let region = region(&mut section, reader);
        let kind = section.word(reader, "kind", &kinds, KeyKind::default());
        section.finish(reader, &[]);
        keys.extend(sid.map(|sid| Key { sid, account, secret, region, kind }));
    }
    keys
}

fn accounts(root: &mut Section<'_, '_>, reader: &mut Reader<'_>) -> Vec<Account> {
    let mut seen = Vec::new();
    let mut accounts = Vec::new();
    for mut section in root.children(reader, "account") {
        let sid = section.required(reader, "sid", "an Account SID");
        let sid = sid.and_then(|text| checked_sid(&section, reader, "sid", &text, "AC", Some(&mut seen)));
        let region = region(&mut section, reader);
        let auth_token = secret::read(&mut section, reader, Meaning::AuthToken);
        section.finish(reader, &[]);
        accounts.extend(sid.map(|sid| Account { sid, region, auth_token }));
    }
    accounts
}

/// Checks the form of a SID, and that it does not stand in `seen` already.
pub(super) fn checked_sid(
    section: &Section<'_, '_>,
    reader: &mut Reader<'_>,
    key: &str,
    text: &At<&str>,
    prefix: &'static str,
    seen: Option<&mut Vec<At<String>>>,
) -> Option<String> {
    if let Err(fault) = sid(text.value, prefix) {
        reader.error(&text.span, section.key(key), Fault::Sid(prefix, fault));
        return None;
    }
    if let Some(seen) = seen {
        if let Some(first) = seen.iter().find(|other| other.value == text.value) {
            let line = reader.line(&first.span);
            reader.error(&text.span, section.key(key), Fault::Duplicate("SID", line));
            return None;
        }
        seen.push(At { value: text.value.to_owned(), span: text.span.clone() });
    }
    Some(text.value.to_owned())
}

fn sid(text: &str, prefix: &str) -> Result<(), SidFault> {
    let length = text.chars().count();
    if length != 34 {
        return Err(SidFault::Length(length));
    }
    let Some(digits) = text.strip_prefix(prefix) else { return Err(SidFault::Prefix) };
    if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) { Ok(()) } else { Err(SidFault::Digits) }
}

fn region(section: &mut Section<'_, '_>, reader: &mut Reader<'_>) -> Option<String> {
    let text = section.text(reader, "region")?;
    if REGIONS_RETIRED.contains(&text.value) {
        reader.warn(&text.span, section.key("region"), Fault::RegionRetired(text.value.to_owned()));
    } else if !REGIONS.contains(&text.value) {
        let fault = Fault::Word(REGIONS.to_vec(), text.value.to_owned());
        reader.error(&text.span, section.key("region"), fault);
    }
    Some(text.value.to_owned())
}

fn detect(root: &mut Section<'_, '_>, reader: &mut Reader<'_>) -> Detect {
    let default = Detect::default();
    let Some(mut section) = root.child(reader, "detect") else { return default };
    let detect = Detect {
        companion_codes: section.boolean(reader, "companion_codes", default.companion_codes),
        exposed_tokens: section.boolean(reader, "exposed_tokens", default.exposed_tokens),
    };
    section.finish(reader, &[]);
    detect
}

fn validator(root: &mut Section<'_, '_>, reader: &mut Reader<'_>) -> Validator {
    let default = Validator::default();
    let Some(mut section) = root.child(reader, "validator") else { return default };
    let leeway = section.integer(reader, "leeway_seconds", 0..=LEEWAY_SECONDS_MAX, default.leeway_seconds);
    section.finish(reader, &[]);
    Validator { leeway_seconds: leeway }
}

fn pairing(root: &mut Section<'_, '_>, reader: &mut Reader<'_>) -> Pairing {
    let default = Pairing::default();
    let Some(mut section) = root.child(reader, "pairing") else { return default };
    let pairing = Pairing {
        window_seconds: section.small(reader, "window_seconds", 0..=WINDOW_SECONDS_MAX, default.window_seconds),
        window_lines: section.small(reader, "window_lines", 1..=WINDOW_LINES_MAX, default.window_lines),
        settle_milliseconds: section.small(
            reader,
            "settle_milliseconds",
            0..=SETTLE_MILLISECONDS_MAX,
            default.settle_milliseconds,
        ),
    };
    section.finish(reader, &[]);
    pairing
}

fn limits(root: &mut Section<'_, '_>, reader: &mut Reader<'_>) -> Limits {
    let default = Limits::default();
    let Some(mut section) = root.child(reader, "limits") else { return default };
    let limits = Limits {
        line_bytes_max: section.small(
            reader,
            "line_bytes_max",
            LINE_BYTES_LEAST..=LINE_BYTES_MOST,
            default.line_bytes_max,
        ),
        rejections_remembered: section.small(
            reader,
            "rejections_remembered",
            1..=REJECTIONS_REMEMBERED_MOST,
            default.rejections_remembered,
        ),
        tokens_remembered: section.small(
            reader,
            "tokens_remembered",
            1..=TOKENS_REMEMBERED_MOST,
            default.tokens_remembered,
        ),
    };
    section.finish(reader, &[]);
    limits
}

fn store(root: &mut Section<'_, '_>, reader: &mut Reader<'_>) -> Store {
    let default = Store::default();
    let Some(mut section) = root.child(reader, "store") else { return default };
    let store =
        Store { sync_seconds: section.small(reader, "sync_seconds", 1..=SYNC_SECONDS_MAX, default.sync_seconds) };
    section.finish(reader, &[]);
    store
}

fn logging(root: &mut Section<'_, '_>, reader: &mut Reader<'_>) -> Logging {
    let default = Logging::default();
    let Some(mut section) = root.child(reader, "log") else { return default };
    let levels = Level::ALL.map(|level| (level.id(), level));
    let formats = Format::ALL.map(|format| (format.id(), format));
    let logging = Logging {
        level: section.word(reader, "level", &levels, default.level),
        format: section.word(reader, "format", &formats, default.format),
    };
    section.finish(reader, &[]);
    logging
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_is_its_prefix_and_32_hexadecimal_digits() {
        assert_eq!(sid("SKfedcba9876543210fedcba9876543210", "SK"), Ok(()));
        assert_eq!(sid("ACfedcba9876543210fedcba9876543210", "SK"), Err(SidFault::Prefix));
        assert_eq!(sid("SKxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "SK"), Err(SidFault::Digits));
        assert_eq!(sid("SK", "SK"), Err(SidFault::Length(2)));
    }

    #[test]
    fn an_address_is_proposed_where_it_can_be_guessed() {
        assert_eq!(listen_proposal("localhost:15107").as_deref(), Some("127.0.0.1:15107"));
        assert_eq!(listen_proposal(":15107").as_deref(), Some("0.0.0.0:15107"));
        assert_eq!(listen_proposal("15107").as_deref(), Some("127.0.0.1:15107"));
        assert_eq!(listen_proposal("ops.example.com:15107"), None);
    }

    #[test]
    fn a_zone_is_known_by_the_database() {
        assert_eq!(check_timezone("UTC"), Ok(()));
        assert_eq!(check_timezone("Europe/Berlin"), Ok(()));
        assert_eq!(check_timezone("Europe/Berlni"), Err(Some("Europe/Berlin".to_owned())));
        assert_eq!(check_timezone("nowhere at all"), Err(None));
    }
}
