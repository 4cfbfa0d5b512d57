//! systemd's journal as a source of the real binary: a journalctl that does what it is told, and the real one where the
//! machine has it.
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
#[path = "support/recipe.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod recipe;

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use place::{EXPIRED, NO_IDENTITY, Place, rejections, until_rejections};
use process::{Daemon, command, text, until};
use recipe::expand;

/// Prints the entries of a file as journalctl does: with that of a cursor or the next after its place, or the last one, or
/// for ever. The entries of a unit stand in a file of their own. Numbers in cursors are equally long.
const FAKE: &str = r#"#!/bin/sh
folder=$(dirname "$0")
printf '%s\n' "$*" >> "$folder/calls"
if [ -e "$folder/says" ]; then cat "$folder/says" >&2; exit 1; fi
entries=$folder/entries; cursor=; last=; since=
for argument; do
  case $argument in
    --cursor=*) cursor=${argument#*=} ;;
    --since=@*) since=${argument#*@} ;;
    --lines=1) last=1 ;;
    --unit=*) entries=$entries.${argument#*=} ;;
  esac
done
if [ -n "$cursor" ] && [ -e "$folder/unseekable" ]; then echo "Failed to seek to cursor: Invalid argument" >&2; exit 1; fi
if [ -n "$last" ] && [ -z "$cursor" ]; then exec tail -n 1 "$entries"; fi
first=$(awk -v cursor="$cursor" -v since="$since" '
  function part(text, name) { return match(text, name "=[^;\"]*") ? substr(text, RSTART, RLENGTH) : "" }
  since != "" { match($0, /"__REALTIME_TIMESTAMP":"[0-9]*/)
    if (substr($0, RSTART + 24, 10) >= since) { print NR; found = 1; exit }; next }
  cursor == "" { exit }
  part($0, "s") == part(cursor, "s") ? part($0, ";i") >= part(cursor, ";i") : part($0, ";t") >= part(cursor, ";t") \
    { print NR; found = 1; exit }
  END { if (!found) print since cursor == "" ? 1 : NR + 1 }' "$entries")
if [ -n "$last" ]; then exec sed -n "${first}p" "$entries"; fi
echo $$ > "$folder/child"
exec tail -n "+$first" -f "$entries"
"#;

/// A place with a journal: its entries, the program, and a config that reads it.
struct Journal {
    place: Place,
    usual_config: String,
    /// Number and microsecond of the last entry; and who numbers.
    written: u64,
    micros: u64,
    numbering: char,
}

impl Journal {
    fn new(settings: &str) -> Self {
        let place = Place::new();
        fs::write(place.path("entries"), "").expect("a writable folder");
        fs::write(place.path("journalctl"), FAKE).expect("a writable folder");
        fs::set_permissions(place.path("journalctl"), Permissions::from_mode(0o755)).expect("own file");
        let usual_config = place.usual_config();
        let journal = Self { place, usual_config, written: 0, micros: 1_772_359_200_000_000, numbering: '1' };
        journal.configure(settings);
        journal
    }

    fn configure(&self, settings: &str) {
        let (head, tail) = self.usual_config.split_once("[[key]]").expect("a key");
        let (head, _) = head.split_once("[[source]]").expect("a source");
        let command = self.place.path("journalctl");
        self.place.configure(&format!(
            "{head}[[source]]\nname = \"journal\"\nkind = \"journald\"\ncommand = \"{}\"\n{settings}\n[[key]]{tail}",
            command.display()
        ));
    }

    /// An entry, a microsecond later than the one before.
    fn entry(&mut self, message: &Value) -> String {
        self.written += 1;
        self.micros += 1;
        self.entry_of(self.numbering, self.written, message)
    }

    /// An entry of the present microsecond.
    fn entry_of(&self, numbering: char, number: u64, message: &Value) -> String {
        let micros = self.micros;
        let checksum: u64 = message.to_string().bytes().map(u64::from).sum();
        let entry = json!({
            "__CURSOR": format!("s={};i={number:08x};b={};m=1;t={micros:x};x={checksum:08x}",
                String::from(numbering).repeat(32), "b".repeat(32)),
            "__REALTIME_TIMESTAMP": micros.to_string(),
            "_BOOT_ID": "1", "_HOSTNAME": "web-1", "_PID": "7", "_SYSTEMD_UNIT": "chat.service", "MESSAGE": message,
        });
        format!("{entry}\n")
    }

    /// Adds entries with these messages.
    fn write(&mut self, messages: &[Value]) {
        let block: String = messages.iter().map(|message| self.entry(message)).collect();
        self.append("entries", &block);
    }

    fn append(&self, name: &str, block: &str) {
        let mut entries =
            OpenOptions::new().append(true).create(true).open(self.place.path(name)).expect("a writable file");
        entries.write_all(block.as_bytes()).expect("a writable file");
    }

    /// Replaces all entries.
    fn replace(&self, block: &str) {
        fs::write(self.place.path("entries"), block).expect("a writable file");
    }

    fn start(&self) -> Daemon {
        Daemon::start(&mut command(&["run", "--config", text(&self.place.config())]))
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.place.path("calls")).unwrap_or_default()
    }
}

fn line(recipe: &str) -> Value {
    expand(recipe).trim_end().into()
}

fn status(daemon: &Daemon) -> Value {
    let answer: Value = serde_json::from_str(&daemon.get("/api/v1/status/sources").body).unwrap_or_default();
    answer.pointer("/data/sources/0").or_else(|| answer.pointer("/sources/0")).cloned().unwrap_or_default()
}

/// Waits until the source complains of something with these words.
#[track_caller]
fn until_complaint(daemon: &Daemon, words: &str) -> Value {
    until(words, || {
        let status = status(daemon);
        let message = status.pointer("/last_error/message").and_then(Value::as_str).unwrap_or_default().to_owned();
        message.contains(words).then_some(status)
    })
}

#[test]
fn entries_are_counted_as_they_come_and_the_unit_and_matches_are_asked_for() {
    let mut journal = Journal::new("units = [\"chat.service\"]\nmatches = [\"_TRANSPORT=stdout\"]\n");
    std::os::unix::fs::symlink("entries", journal.place.path("entries.chat.service")).expect("a writable folder");
    journal.write(&[line(EXPIRED), line("2026-03-01T10:00:01Z info served")]);
    let daemon = journal.start();
    daemon.until_ready();
    assert_eq!(rejections(&daemon, Some("expired")), 1);
    // A message that is no UTF-8 comes as a list of bytes.
    let mut bytes = expand(NO_IDENTITY).trim_end().as_bytes().to_vec();
    bytes.extend_from_slice(b" \xff");
    journal.write(&[bytes.into()]);
    until_rejections(&daemon, Some("identity_missing"), 1);
    let calls = journal.calls();
    assert!(calls.contains("--unit=chat.service _TRANSPORT=stdout"), "{calls}");
    assert!(status(&daemon).get("up").is_some_and(|up| up == true), "{}", status(&daemon));
}

/// Waits until so many lines of the journal are counted.
#[track_caller]
fn until_lines(daemon: &Daemon, count: u64) {
    let label = ["source=\"journal\"".to_owned()];
    until(&format!("{count} lines"), || {
        let lines = process::value(&daemon.get("/metrics").body, "diag51007_lines_total", &label)?;
        (lines.to_string() == count.to_string()).then_some(())
    });
}

#[test]
fn after_a_restart_it_goes_on_shortly_before_the_last_entry_and_counts_what_is_new() {
    let mut journal = Journal::new("");
    journal.write(&[line(EXPIRED), line(NO_IDENTITY)]);
    let daemon = journal.start();
    until_rejections(&daemon, None, 2);
    for count in [2002, 4002] {
        let noise: Vec<Value> = (0..2000).map(|number| json!(format!("request {number} served"))).collect();
        journal.write(&noise);
        until_lines(&daemon, count);
    }
    daemon.signal("TERM");
    assert_eq!(daemon.wait().0, Some(0));
    journal.write(&[line(EXPIRED)]);
    let daemon = journal.start();
    until_rejections(&daemon, None, 3);
    let last = journal.calls().lines().last().map(str::to_owned).unwrap_or_default();
    assert!(last.contains("--cursor="), "{last}");
    until_lines(&daemon, 4003);
}

#[test]
fn killed_again_and_again_it_loses_no_entry_and_repeats_none() {
    let mut journal = Journal::new("");
    let mut refusals = 0;
    for round in 0..12_u64 {
        let daemon = journal.start();
        for step in 0..6 {
            let count = (round * 7 + step * 3) % 11;
            let noise = (0..40).map(|number| json!(format!("request {number} served")));
            let refused = (0..count).map(|number| line(if number % 2 == 0 { EXPIRED } else { NO_IDENTITY }));
            let block: Vec<Value> = noise.chain(refused).collect();
            journal.write(&block);
            refusals += count;
            thread::park_timeout(Duration::from_millis((round * 5 + step) % 17));
        }
        daemon.signal("KILL");
    }
    let daemon = journal.start();
    until_rejections(&daemon, None, refusals);
    until_lines(&daemon, journal.written);
    assert_eq!(rejections(&daemon, None), refusals);
}

#[test]
fn a_token_and_its_refusal_on_both_sides_of_a_kill_belong_together() {
    let mut journal = Journal::new("");
    journal.write(&[expand("2026-03-01T10:07:00Z info token={{token -identity}}").into()]);
    let daemon = journal.start();
    daemon.until_ready();
    daemon.signal("KILL");
    drop(daemon);
    journal.write(&["2026-03-01T10:07:00Z error Twilio error code=51007".into()]);
    let daemon = journal.start();
    until_rejections(&daemon, Some("identity_missing"), 1);
    assert_eq!(rejections(&daemon, None), 1);
}

/// Starts, waits for so many rejections, and kills.
fn run_until(journal: &Journal, count: u64) {
    let daemon = journal.start();
    until_rejections(&daemon, None, count);
    daemon.signal("KILL");
}

/// Errors of a kind that the source has had.
fn errors(daemon: &Daemon, kind: &str) -> u64 {
    status(daemon).pointer(&format!("/errors/{kind}")).and_then(Value::as_u64).unwrap_or_default()
}

#[test]
fn a_journal_that_lost_its_old_entries_goes_on_with_the_new_ones_and_says_what_is_missing() {
    let mut journal = Journal::new("");
    journal.write(&[line(EXPIRED), line(NO_IDENTITY)]);
    run_until(&journal, 2);
    // Three more come, of which the first two and all before are thrown away.
    journal.write(&[line(EXPIRED), line(EXPIRED)]);
    journal.replace("");
    journal.write(&[line(NO_IDENTITY)]);
    let daemon = journal.start();
    until_rejections(&daemon, None, 3);
    let told = until_complaint(&daemon, "at most 2 entries");
    let message = told.pointer("/last_error/message").and_then(Value::as_str).unwrap_or_default();
    assert!(message.contains("2026-03-01T10:00:00") && message.contains("SystemMaxUse"), "{message}");
    assert_eq!(errors(&daemon, "missing"), 1);
    daemon.signal("KILL");
    drop(daemon);
    // It is told once.
    journal.write(&[line(EXPIRED)]);
    let daemon = journal.start();
    until_rejections(&daemon, None, 4);
    assert_eq!(errors(&daemon, "missing"), 1);
}

#[test]
fn other_entries_of_the_last_microsecond_are_read_and_those_that_were_counted_are_not() {
    for by_time in [false, true] {
        let mut journal = Journal::new("");
        journal.write(&[line(EXPIRED)]);
        let beside = journal.entry_of('1', 2, &line(NO_IDENTITY));
        journal.append("entries", &beside);
        run_until(&journal, 2);
        // The same entries and a third one of their microsecond, numbered otherwise: the journal of a restored backup.
        let again = [line(EXPIRED), line(NO_IDENTITY), line("2026-03-01T10:00:09Z error Twilio error code=51007")];
        let block: String = (1..).zip(&again).map(|(number, line)| journal.entry_of('2', number, line)).collect();
        journal.replace(&block);
        if by_time {
            fs::write(journal.place.path("unseekable"), "").expect("a writable folder");
        }
        let daemon = journal.start();
        until_rejections(&daemon, None, 3);
        assert_eq!((rejections(&daemon, Some("expired")), rejections(&daemon, None)), (1, 3), "by time: {by_time}");
        until_lines(&daemon, 3);
        // With another numbering nobody knows how many lie between.
        until_complaint(&daemon, "may be lost. Let it keep more");
        assert_eq!(journal.calls().contains("--since=@"), by_time);
    }
}

#[test]
fn after_other_units_were_selected_everything_that_is_new_is_counted_once() {
    let mut journal = Journal::new("units = [\"chat.service\"]\n");
    let own = [journal.entry(&line(EXPIRED)), journal.entry(&line(NO_IDENTITY))];
    journal.append("entries.chat.service", &own.concat());
    // The first of another unit, which comes while only the other is read, is passed over.
    let foreign = journal.entry(&line(EXPIRED));
    let last = journal.entry(&json!("nothing"));
    journal.append("entries.chat.service", &last);
    let daemon = journal.start();
    until_lines(&daemon, 3);
    // What is not decided yet could not be read again.
    until_rejections(&daemon, None, 2);
    daemon.signal("KILL");
    drop(daemon);
    journal.append("entries", &[own.concat(), foreign.clone(), last].concat());
    journal.configure("");
    journal.write(&[line(EXPIRED)]);
    let daemon = journal.start();
    until_rejections(&daemon, None, 3);
    until_lines(&daemon, 4);
    daemon.signal("KILL");
    drop(daemon);
    // Back to the other unit: the last that was counted is in the journal, but not selected.
    let next = journal.entry(&line(NO_IDENTITY));
    journal.append("entries", &next);
    journal.append("entries.chat.service", &next);
    journal.configure("units = [\"chat.service\"]\n");
    let daemon = journal.start();
    until_rejections(&daemon, None, 4);
    until_lines(&daemon, 5);
    assert_eq!((rejections(&daemon, None), errors(&daemon, "missing")), (4, 0));
}

#[test]
fn from_its_end_on_means_what_comes_after_the_start() {
    let mut journal = Journal::new("start = \"end\"\n");
    journal.write(&[line(EXPIRED), line(NO_IDENTITY)]);
    let daemon = journal.start();
    daemon.until_ready();
    daemon.signal("KILL");
    drop(daemon);
    // What comes while it is down comes after the first start.
    journal.write(&[line(EXPIRED)]);
    let daemon = journal.start();
    until_rejections(&daemon, Some("expired"), 1);
    assert_eq!(rejections(&daemon, None), 1);
}

#[test]
fn a_child_that_dies_is_started_again_behind_the_last_entry() {
    let mut journal = Journal::new("");
    journal.write(&[line(EXPIRED)]);
    let daemon = journal.start();
    until_rejections(&daemon, None, 1);
    let child = fs::read_to_string(journal.place.path("child")).expect("the id of the child");
    let killed = Command::new("kill").args(["-s", "KILL", child.trim()]).status().expect("`kill` is there");
    assert!(killed.success());
    until_complaint(&daemon, "journalctl ended with a signal");
    journal.write(&[line(NO_IDENTITY)]);
    until_rejections(&daemon, None, 2);
    until("up again", || status(&daemon).get("up").filter(|up| **up == true).map(drop));
}

#[test]
fn what_is_missing_is_said_with_the_command_that_helps() {
    let journal = Journal::new("");
    let says = journal.place.path("says");
    fs::write(&says, "No journal files were opened due to insufficient permissions.\n").expect("a writable folder");
    let daemon = journal.start();
    let status = until_complaint(&daemon, "usermod --append --groups systemd-journal");
    assert_eq!(status.pointer("/last_error/kind"), Some(&json!("permission")));
    // A start does not wait for it.
    daemon.until_ready();
    fs::remove_file(says).expect("own file");
    until("up", || self::status(&daemon).get("up").filter(|up| **up == true).map(drop));
    drop(daemon);

    let journal = Journal::new("");
    fs::remove_file(journal.place.path("journalctl")).expect("own file");
    let daemon = journal.start();
    let status = until_complaint(&daemon, "apt-get install systemd");
    assert_eq!(status.pointer("/last_error/kind"), Some(&json!("missing")));
}

/// Entries of two containers: a refusal by text, printed a second time in several lines, one with bytes that are no text,
/// and of the other container one of 6000 bytes.
fn journal_file(place: &Place) -> String {
    let packed =
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/app.journal.zst")).expect("the sample");
    let file = place.path("app.journal");
    fs::write(&file, zstd::decode_all(packed.as_slice()).expect("a sample in zstd")).expect("a writable folder");
    text(&file).to_owned()
}

#[test]
fn a_line_that_journald_split_is_joined_before_its_refusal_is_judged() {
    /// `LineMax=` of journald.conf, as it is by default.
    const LINE_MAX: usize = 48 << 10;
    let mut journal = Journal::new("");
    let text = expand(EXPIRED);
    let (time, rest) = text.trim_end().split_once(' ').expect("a time");
    let token = rest.find("eyJ").expect("a token");
    // The first piece ends in the middle of the token, and another stream prints between them.
    let padding = "x".repeat(LINE_MAX - format!("{time}  ").len() - token - 40);
    let long = format!("{time} {padding} {rest}");
    let (head, tail) = long.split_at(LINE_MAX);
    let mut entry = |message: &str, stream: &str, line_break: Option<&str>| {
        let mut entry: Value = serde_json::from_str(&journal.entry(&message.into())).expect("JSON");
        entry["_STREAM_ID"] = stream.repeat(32).into();
        entry["_TRANSPORT"] = "stdout".into();
        if let Some(line_break) = line_break {
            entry["_LINE_BREAK"] = line_break.into();
        }
        format!("{entry}\n")
    };
    let block = [
        entry(head, "a", Some("line-max")),
        entry(expand(NO_IDENTITY).trim_end(), "b", Some("eof")),
        entry(tail, "a", None),
    ];
    journal.append("entries", &block.concat());
    let daemon = journal.start();
    until_rejections(&daemon, None, 2);
    assert_eq!((rejections(&daemon, Some("expired")), rejections(&daemon, Some("identity_missing"))), (1, 1));
    let found = daemon.get("/api/v1/rejections").body;
    assert_eq!(found.matches("\"state\":\"readable\"").count(), 2, "{found}");
    assert!(journal.calls().contains(",_STREAM_ID,_LINE_BREAK"), "{}", journal.calls());
}

#[test]
fn the_real_journalctl_is_understood_where_there_is_one() {
    let is_there = Command::new("journalctl").arg("--version").stdout(Stdio::null()).status();
    if !is_there.is_ok_and(|status| status.success()) {
        return;
    }
    for (settings, expected) in [("", 3), ("matches = [\"CONTAINER_NAME=chat\"]\n", 2)] {
        let journal = Journal::new(settings);
        let file = journal_file(&journal.place);
        let wrapper = format!("#!/bin/sh\nexec journalctl --file={file} \"$@\"\n");
        fs::write(journal.place.path("journalctl"), wrapper).expect("a writable folder");
        let daemon = journal.start();
        daemon.until_ready();
        until_rejections(&daemon, None, expected);
        daemon.signal("KILL");
        drop(daemon);
        let daemon = journal.start();
        daemon.until_ready();
        assert_eq!(rejections(&daemon, None), expected);
        assert_eq!(rejections(&daemon, Some("expired")), 1);
    }
}

#[test]
fn the_real_journalctl_begins_with_the_next_entry_where_the_last_is_not_in_its_journal() {
    let is_there = Command::new("journalctl").arg("--version").stdout(Stdio::null()).status();
    if !is_there.is_ok_and(|status| status.success()) {
        return;
    }
    // What was read first is another machine's, and older.
    let mut journal = Journal::new("");
    journal.micros = 1_000_000_000_000_000;
    journal.write(&[line(EXPIRED), line(NO_IDENTITY)]);
    run_until(&journal, 2);
    let file = journal_file(&journal.place);
    let wrapper = format!("#!/bin/sh\nexec journalctl --file={file} \"$@\"\n");
    fs::write(journal.place.path("journalctl"), wrapper).expect("a writable folder");
    let daemon = journal.start();
    until_rejections(&daemon, None, 5);
    until_complaint(&daemon, "may be lost");
    daemon.signal("KILL");
    drop(daemon);
    // Its own last entry is there, though nothing of it is selected.
    journal.configure("matches = [\"CONTAINER_NAME=nobody\"]\n");
    let daemon = journal.start();
    daemon.until_ready();
    assert_eq!((rejections(&daemon, None), errors(&daemon, "missing")), (5, 1));
}
