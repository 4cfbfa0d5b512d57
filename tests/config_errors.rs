//! What a bad config is told: the exact message, for every fault that a file can have.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use assert_cmd::Command;
use diag51007::config::{Config, Loaded};

const SK: &str = "SK00112233445566778899aabbccddeeff";
const AC: &str = "AC00112233445566778899aabbccddeeff";
const SECRET: &str = "SyntheticSecretNotReal0000000001";

fn environment(name: &str) -> Option<OsString> {
    match name {
        "GOOD" => Some(SECRET.into()),
        "BLANK" => Some(format!(" {SECRET}").into()),
        "EMPTY" => Some("".into()),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Loaded, String> {
    // Long values are written short in the tables.
    let text = text.replace("$SK", SK).replace("$AC", AC).replace("$SECRET", SECRET);
    let folder = Path::new("/nowhere");
    Config::parse(&text, "config.toml", folder, &environment).map_err(|problems| problems.to_string())
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(parse(text).unwrap_err(), expected);
}

#[track_caller]
fn check_warning(text: &str, expected: &str) {
    let loaded = parse(&format!("{text}\n[[source]]\nname = \"in\"\nkind = \"stdin\"\n")).unwrap();
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.join("\n"), expected);
}

#[test]
fn a_file_that_is_no_toml() {
    check("[web\nlisten = []", "config.toml:1:5: not TOML: unclosed table, expected `]`");
    check("a = 1\na = 2", "config.toml:2:1: not TOML: duplicate key");
}

#[test]
fn an_unknown_key() {
    check(
        "[pairing]\n  windw_lines = 1",
        "config.toml:2:3: `pairing.windw_lines`: unknown key\n  help: did you mean `window_lines`?",
    );
    check(
        "[validator]\nzzz = 1",
        "config.toml:2:1: `validator.zzz`: unknown key\n  help: the keys here are `leeway_seconds`",
    );
    check("[sources]", "config.toml:1:2: `sources`: unknown key\n  help: did you mean `source`?");
    check(
        "[[source]]\nname = \"a\"\nkind = \"stdin\"\ninclude = []",
        "config.toml:4:1: `source.include`: unknown key\n  help: the keys here are `name`, `kind` and `timezone`",
    );
}

#[test]
fn a_value_of_another_type() {
    check(
        "[pairing]\nwindow_lines = \"200\"",
        "config.toml:2:16: `pairing.window_lines`: expected a whole number, but found a string",
    );
    check(
        "[pairing]\nwindow_lines = 1.5",
        "config.toml:2:16: `pairing.window_lines`: expected a whole number, but found a number with a fraction",
    );
    check(
        "[detect]\ncompanion_codes = 1",
        "config.toml:2:19: `detect.companion_codes`: expected `true` or `false`, but found a whole number",
    );
    check("state_dir = 2026-11-24", "config.toml:1:13: `state_dir`: expected a string, but found a time");
    check(
        "[web]\nlisten = \"127.0.0.1:1\"",
        "config.toml:2:10: `web.listen`: expected a list of strings, but found a string",
    );
    check("[web]\nlisten = [1]", "config.toml:2:11: `web.listen`: expected a string, but found a whole number");
    check("web = []", "config.toml:1:7: `web`: expected a table, but found a list");
    check("source = 1", "config.toml:1:10: `source`: expected a list of tables, but found a whole number");
    check(
        "[key]",
        "config.toml:1:1: `key`: expected a list of tables, `[[key]]`, but found a single table\n  help: write `[[key]]` in place of `[key]`",
    );
}

#[test]
fn a_number_outside_its_range() {
    check("[pairing]\nwindow_lines = 0", "config.toml:2:16: `pairing.window_lines`: expected 1 to 10000, but found 0");
    check(
        "[pairing]\nwindow_lines = 10001",
        "config.toml:2:16: `pairing.window_lines`: expected 1 to 10000, but found 10001",
    );
    check(
        "[validator]\nleeway_seconds = -1",
        "config.toml:2:18: `validator.leeway_seconds`: expected 0 to 3600, but found -1",
    );
    check(
        "[limits]\nline_bytes_max = 99999999999999999999",
        "config.toml:2:18: `limits.line_bytes_max`: expected 4096 to 67108864, but found 99999999999999999999",
    );
}

#[test]
fn a_word_that_is_not_in_the_list() {
    check(
        "[log]\nlevel = \"warning\"",
        "config.toml:2:9: `log.level`: expected `error`, `warn`, `info`, `debug` or `trace`, but found `warning`\n  help: did you mean `warn`?",
    );
    check(
        "[[key]]\nsid = \"$SK\"\nregion = \"mars\"",
        "config.toml:3:10: `key.region`: expected `us1`, `ie1` or `au1`, but found `mars`",
    );
    check(
        "[[key]]\nsid = \"$SK\"\nkind = \"Main\"",
        "config.toml:3:8: `key.kind`: expected `main`, `standard`, `restricted` or `test`, but found `Main`\n  help: did you mean `main`?",
    );
    check(
        "[[source]]\nname = \"a\"\nkind = \"fiel\"",
        "config.toml:3:8: `source.kind`: expected `file`, `stdin`, `webhook`, `event_streams`, `alerts_api`, `http`, `journald`, `docker`, `cri` or `csv`, but found `fiel`\n  help: did you mean `file`?",
    );
}

#[test]
fn a_channel_that_can_not_work() {
    let source = "[[source]]\nname = \"a\"\nkind = ";
    let token = "auth_token = \"00112233445566778899aabbccddeeff\"";
    check(
        &format!("{source}\"webhook\"\npath = \"/metrics\"\n{token}"),
        "config.toml:1:1: `source.public_url`: expected `public_url`, or `trusted_proxies` with an entry, but found something else\n  help: Twilio signs the public URL: set `public_url` to it, character by character, or name the networks of the proxies that say it\nconfig.toml:4:8: `source.path`: expected a path that the server does not use itself, but found something else\n  help: choose one below `/twilio/`",
    );
    check(
        &format!("{source}\"event_streams\"\npath = \"/e\"\npublic_url = \"https://u:p@a/e\"\n{token}"),
        "config.toml:5:14: `source.public_url`: expected a URL without user and password, but found something else\n  help: Twilio's signature takes their place",
    );
    check(
        &format!("{source}\"webhook\"\npath = \"/e\"\npublic_url = \"https://a/e\""),
        "config.toml:3:8: `source.kind`: expected an Auth Token, to check Twilio's signature with, but found something else\n  help: add an `[[account]]` with `auth_token_file`, or `auth_token_file` here",
    );
    check(
        &format!("{source}\"alerts_api\"\naccount = \"$AC\"\nbase_url = \"http://twilio.example\""),
        "config.toml:5:12: `source.base_url`: expected `https://…`, but found something else\n  help: credentials go over TLS only, except to this machine itself",
    );
    check(
        &format!("{source}\"http\"\npath = \"/push\"\nuser = \"x\""),
        "config.toml:1:1: `source.user`: expected `user` and `password` together, or neither, but found something else\n  help: add the other one, or use `bearer`\nconfig.toml:1:1: `source.bearer`: expected a bearer or a password, but found something else\n  help: whoever reaches the port could write to the log: set `bearer_file`, or `user` and `password_file`",
    );
    let two = format!("{source}\"http\"\npath = \"/p\"\nbearer = \"x\"\n");
    check(
        &format!("{two}{}", two.replace("\"a\"", "\"b\"")),
        "config.toml:8:8: `source.path`: expected another path each time, but line 3 has it too\n  help: remove one of the two or rename it",
    );
    check(
        &format!("{source}\"journald\"\nmatches = [\"--file=x\"]\nunits = [\"\"]"),
        "config.toml:4:12: `source.matches`: expected `FIELD=value`, but found something else\n  help: write it like \"CONTAINER_NAME=chat\"; see `journalctl --fields`\n\
         config.toml:5:10: `source.units`: expected the name of a unit, but found something else\n  help: write it like \"chat.service\" or \"chat-*.service\"",
    );
}

#[test]
fn a_bad_source() {
    check("[[source]]\nkind = \"stdin\"", "config.toml:1:1: `source.name`: expected a name, but found nothing");
    check(
        "[[source]]\nname = \"a\"",
        "config.toml:1:1: `source.kind`: expected the kind of the source, such as `file`, but found nothing",
    );
    check(
        "[[source]]\nname = \"a b\"\nkind = \"stdin\"",
        "config.toml:2:8: `source.name`: expected 1 to 64 letters, digits, `_`, `-` or `.`, but found something else\n  help: it becomes the `source` label of the metrics",
    );
    check(
        "[[source]]\nname = \"a\"\nkind = \"stdin\"\n[[source]]\nname = \"a\"\nkind = \"file\"\ninclude = [\"x\"]",
        "config.toml:5:8: `source.name`: expected another name each time, but line 2 has it too\n  help: remove one of the two or rename it",
    );
    check(
        "[[source]]\nname = \"a\"\nkind = \"stdin\"\n[[source]]\nname = \"b\"\nkind = \"stdin\"",
        "config.toml:6:8: `source.kind`: expected one source that reads standard input, but line 3 has one\n  help: remove one of the two",
    );
    check(
        "[[source]]\nname = \"a\"\nkind = \"file\"",
        "config.toml:1:1: `source.include`: expected a list of globs, but found nothing",
    );
    check(
        "[[source]]\nname = \"a\"\nkind = \"file\"\ninclude = []",
        "config.toml:4:11: `source.include`: expected a glob, but found an empty list\n  help: add an entry, such as \"/var/log/app/**/*.log\"",
    );
    check(
        "[[source]]\nname = \"a\"\nkind = \"file\"\ninclude = [\"a\", \"\", \"[b\"]",
        "config.toml:4:17: `source.include`: expected a glob, but found nothing\nconfig.toml:4:21: `source.include`: expected a glob, but found one that can't be read: unclosed character class; missing ']'",
    );
    check(
        "[[source]]\nname = \"a\"\nkind = \"stdin\"\ntimezone = \"Europe/Berlni\"",
        "config.toml:4:12: `source.timezone`: expected a time zone of the IANA database, but found another word\n  help: did you mean `Europe/Berlin`?",
    );
}

#[test]
fn a_bad_address_to_listen_at() {
    check(
        "[web]\nlisten = [\"localhost:15107\", \"[::1]:1\", \"[::1]:1\", \"ops\"]",
        "config.toml:2:11: `web.listen`: expected an IP address and a port, but found something else\n  help: write it like \"127.0.0.1:15107\"\nconfig.toml:2:41: `web.listen`: expected another address each time, but line 2 has it too\n  help: remove one of the two or rename it\nconfig.toml:2:52: `web.listen`: expected an IP address and a port, but found something else\n  help: write it like \"127.0.0.1:15107\"",
    );
    check(
        "[web]\nlisten = []",
        "config.toml:2:10: `web.listen`: expected an address and a port, but found an empty list\n  help: add an entry, such as \"127.0.0.1:15107\"",
    );
}

#[test]
fn a_bad_sid() {
    const SK_HELP: &str =
        "\n  help: copy the SID of the API key from the Twilio Console; the secret has a key of its own";
    let sid = |sid: &str, found: &str| {
        let expected =
            format!("config.toml:2:7: `key.sid`: expected `SK` and 32 hexadecimal digits, but found {found}{SK_HELP}");
        check(&format!("[[key]]\nsid = \"{sid}\""), &expected);
    };
    sid("$SECRET", "32 characters");
    sid("$AC", "another prefix");
    sid("SKxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "other characters");
    sid("", "0 characters");
    check("[[key]]", "config.toml:1:1: `key.sid`: expected the SID of an API key, but found nothing");
    check(
        "[[key]]\nsid = \"$SK\"\naccount = \"$SK\"",
        "config.toml:3:11: `key.account`: expected `AC` and 32 hexadecimal digits, but found another prefix\n  help: copy the Account SID from the Twilio Console",
    );
    check(
        "[[key]]\nsid = \"$SK\"\n[[key]]\nsid = \"$SK\"",
        "config.toml:4:7: `key.sid`: expected another SID each time, but line 2 has it too\n  help: remove one of the two or rename it",
    );
}

#[test]
fn a_bad_secret() {
    check(
        "[[key]]\nsid = \"$SK\"\nsecret = \"$SECRET\"\nsecret_env = \"GOOD\"",
        "config.toml:3:10: `key.secret`: expected one way to give the secret, but found `secret_env` too\n  help: keep one of them",
    );
    check(
        "[[key]]\nsid = \"$SK\"\nsecret_env = \"MISSING\"",
        "config.toml:3:14: `key.secret_env`: expected the environment variable MISSING, but it is not set\n  help: set it for the service, or use a file in its place",
    );
    check(
        "[[key]]\nsid = \"$SK\"\nsecret_env = \"EMPTY\"",
        "config.toml:3:14: `key.secret_env`: expected a secret, but found nothing in it\n  help: put the secret in, or remove the key: the signature is then not checked",
    );
    check(
        "[[account]]\nsid = \"$AC\"\nauth_token_file = \"token\"",
        "config.toml:3:19: `account.auth_token_file`: /nowhere/token can't be read: No such file or directory\n  help: make the file readable for the user that runs diag51007, or correct its path",
    );
    check(
        &format!("[[account]]\nsid = \"$AC\"\nauth_token = \"{}\"", "x".repeat(4097)),
        "config.toml:3:14: `account.auth_token`: expected a secret of at most 4096 bytes, but found more\n  help: is this the right file? It has to hold the secret and nothing else",
    );
}

#[test]
fn what_is_only_warned_about() {
    check_warning(
        "[[key]]\nsid = \"$SK\"\nsecret = \"00112233445566778899aabbccddeeff\"",
        "config.toml:3:10: warning: `key.secret`: expected the secret of an API key, but found what looks like an Auth Token\n  help: an API key has its own secret, which Twilio shows once, when it is made",
    );
    check_warning(
        "[[key]]\nsid = \"$SK\"\nsecret_env = \"BLANK\"",
        "config.toml:3:14: warning: `key.secret_env`: expected no white space around the secret, but found some\n  help: it counts as a part of the secret, so remove it unless it was copied on purpose",
    );
    check_warning(
        "[[account]]\nsid = \"$AC\"\nauth_token = \"$SECRET\"",
        "config.toml:3:14: warning: `account.auth_token`: expected an Auth Token of 32 lower-case hexadecimal digits, but found another form\n  help: copy it from the Twilio Console; an API key's secret belongs to a `[[key]]`",
    );
    check_warning(
        "[[key]]\nsid = \"$SK\"\nregion = \"sg1\"",
        "config.toml:3:10: warning: `key.region`: expected a current region, but found `sg1`, which is retired\n  help: use `us1`, `ie1` or `au1`",
    );
    check_warning("[[key]]\nsid = \"$SK\"\nsecret_env = \"GOOD\"", "");
    let warnings = parse("").unwrap().warnings;
    assert_eq!(
        warnings[0].to_string(),
        "config.toml:1:1: warning: expected a `[[source]]`, but found none: nothing will be read\n  help: add a `[[source]]`, or name files on the command line"
    );
}

#[test]
fn all_faults_are_told_at_once_in_their_order() {
    let text = "[log]\nlevel = 1\n[pairing]\nwindow_lines = 0\n[[key]]\nsid = \"x\"\nsecrt = \"y\"\n[web]\nport = 1";
    let message = parse(text).unwrap_err();
    let places: Vec<_> = message.lines().filter_map(|line| line.strip_prefix("config.toml:")).collect();
    let places: Vec<_> = places.into_iter().map(|line| line.split(": ").next().unwrap_or_default()).collect();
    assert_eq!(places, ["2:9", "4:16", "6:7", "7:1", "9:1"]);
}

#[test]
fn the_values_of_secret_settings_are_in_no_message() {
    let text =
        "[[key]]\nsid = \"$SECRET\"\naccount = \"$SECRET\"\nsecret = 1\nsecret_file = \"a\"\nkind = \"standard\"";
    let message = parse(text).unwrap_err();
    assert!(!message.contains("Synthetic"), "{message}");
}

#[test]
fn paths_begin_at_the_folder_of_the_file_which_is_taken_literally() {
    let text = "state_dir = \"state\"\n[[source]]\nname = \"a\"\nkind = \"file\"\ninclude = [\"*.log\", \"/x/*\"]";
    let loaded = Config::parse(text, "config.toml", Path::new("/etc/d[1]"), &environment).unwrap();
    let view = serde_json::to_value(loaded.config.redacted()).unwrap();
    assert_eq!(view["state_dir"], "/etc/d[1]/state");
    assert_eq!(view["source"][0]["include"], serde_json::json!(["/etc/d[[]1[]]/*.log", "/x/*"]));
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_diag51007"))
}

#[test]
fn the_examples_are_good_configs() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("chat-key");
    fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut seen = 0;
    for entry in fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let text = text.replace("/run/credentials/diag51007.service/chat-key", secret.to_str().unwrap());
        let example = folder.path().join(path.file_name().unwrap());
        fs::write(&example, text).unwrap();
        let mut run = program();
        let run = run.args(["config", "check"]).arg(&example);
        let run = run.env("DIAG51007_VOICE_SECRET", SECRET).env("DIAG51007_PUSH_BEARER", SECRET);
        let run = run.env("TWILIO_AUTH_TOKEN", "00112233445566778899aabbccddeeff").assert();
        let output = run.success();
        let stdout = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
        assert!(stdout.contains(": config OK: "), "{}: {stdout}", path.display());
        seen += 1;
    }
    assert!(seen >= 4);
}

#[test]
fn a_bad_config_ends_with_78_and_says_everything_on_standard_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, "[log]\nlevel = \"loud\"\nfromat = \"json\"\n").unwrap();
    let run = program().args(["config", "check"]).arg(&path).assert().code(78).stdout("");
    let stderr = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    let file = path.display();
    let expected = format!(
        "{file}:2:9: `log.level`: expected `error`, `warn`, `info`, `debug` or `trace`, but found `loud`\n\
         {file}:3:1: `log.fromat`: unknown key\n  help: did you mean `format`?\n"
    );
    assert_eq!(stderr, expected);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let check = |path: &Path, expected: &str| {
        let message = Config::load(path).unwrap_err().to_string();
        assert_eq!(message.lines().next(), Some(format!("{}: {expected}", path.display()).as_str()));
    };
    check(&folder.path().join("missing.toml"), "can't be read: No such file or directory");
    check(folder.path(), "can't be read: Is a directory");
    let path = folder.path().join("config.toml");
    fs::write(&path, b"\xff").unwrap();
    check(&path, "expected UTF-8, but found other bytes");
    fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
    check(&path, "expected at most 1048576 bytes, but found more");
}

#[test]
fn a_bad_alert() {
    check(
        "[[alert]]\nname = \"ExpirySpke\"",
        "config.toml:2:8: `alert.name`: expected `ExpirySpike`, `SignatureSpike`, `ClockSkew`, `RejectionSpike`, `NewCause`, `TokenExposed`, `LoopingClient`, `SourceSilent`, `SourceFailing` or `StateFailing`, but found `ExpirySpke`\n  help: did you mean `ExpirySpike`?",
    );
    check(
        "[[alert]]\nname = \"ClockSkew\"\nseverity = \"page\"\n[[alert]]\nname = \"ClockSkew\"\nthreshold = 0",
        "config.toml:3:12: `alert.severity`: expected `info`, `warning` or `critical`, but found `page`\nconfig.toml:5:8: `alert.name`: expected another alert each time, but line 2 has it too\n  help: remove one of the two or rename it\nconfig.toml:6:13: `alert.threshold`: expected 1 to 1000000, but found 0",
    );
    check(
        "[alerts]\nlabels = { severity = \"page\" }",
        "config.toml:2:12: `alerts.labels`: expected a label of letters, digits and `_` that no alert has by itself, but found something else\n  help: the alerts set `alertname`, `severity`, `cause` and `source`; values have at most 512 bytes",
    );
}

#[test]
fn a_bad_alertmanager() {
    let url = |url: &str| {
        check(
            &format!("[alertmanager]\nurls = [\"{url}\"]"),
            "config.toml:2:9: `alertmanager.urls`: expected an `http` or `https` URL without user, query and fragment, but found something else\n  help: write it like \"http://127.0.0.1:9093\"; a login has keys of its own",
        );
    };
    url("127.0.0.1:9093");
    url("ftp://127.0.0.1");
    url("http://user:SyntheticSecretNotReal0000000001@127.0.0.1:9093");
    check(
        "[alertmanager]\nusername = \"a\"",
        "config.toml:1:1: `alertmanager.username`: expected a password to the user name, but found something else\n  help: give `username` and a password, or a bearer token, or none of them",
    );
    let text = "[alertmanager]\nurls = [\"https://ops.example.com/am\"]\nusername = \"a\"\npassword = \"$SECRET\"";
    let config = parse(text).unwrap().config;
    let shown = serde_json::to_string(&config.redacted()).unwrap() + &format!("{config:?}");
    assert!(shown.contains("ops.example.com/am") && !shown.contains("Synthetic"), "{shown}");
}
