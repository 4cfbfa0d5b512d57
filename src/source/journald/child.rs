//! The journalctl that runs as a child: how it is called, and what its end or its complaints mean.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::entry::{Entry, FIELDS};
use crate::source::Failure;

/// Words of journalctl that are repeated at the most, in characters.
const WORDS_CHARS_MAX: usize = 160;

/// How long the last entry is looked for.
pub const LAST_TIME_MAX: Duration = Duration::from_secs(10);
/// Between two looks whether it was found.
const LAST_PAUSE: Duration = Duration::from_millis(10);

/// Which journal is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The program.
    pub command: PathBuf,
    /// Units; empty means all.
    pub units: Vec<String>,
    /// `FIELD=value`, as journalctl takes them.
    pub matches: Vec<String>,
}

/// Where a child begins to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start<'a> {
    /// With the first entry.
    Beginning,
    /// With the entry of this cursor; if the journal does not have it, with the next after its place. (Behind a cursor
    /// would pass over that one.)
    With(&'a str),
    /// With the entries of this second.
    Since(u64),
}

/// What is wrong, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What kind.
    pub kind: Failure,
    /// A sentence, with what to do.
    pub message: String,
}

/// What came of a child that ends by itself.
enum Answer {
    /// It printed this, complained of that, and ended so.
    Said(Vec<u8>, String, ExitStatus),
    /// It took too long, and was ended.
    TooLate,
    /// Nobody waits any more, and it was ended.
    Stopped,
}

/// Reads all that a child says, so that it never waits for a reader.
fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut said = Vec::new();
        if let Some(mut pipe) = pipe {
            // What a child that is gone did not say is not there.
            _ = pipe.read_to_end(&mut said);
        }
        said
    })
}

impl Selection {
    /// The child that prints everything from somewhere on, and then waits for more.
    pub fn follow(&self, from: &Start<'_>) -> Command {
        let mut command = self.command();
        command.args(["--follow", "--no-tail"]);
        match from {
            Start::Beginning => {}
            Start::With(cursor) => _ = command.arg(format!("--cursor={cursor}")),
            Start::Since(seconds) => _ = command.arg(format!("--since=@{seconds}")),
        }
        self.select(&mut command);
        command
    }

    /// The last entry that there is. Reads the journal as the child does, so its troubles are told before that starts.
    /// Looks no longer than `limit`: in a large journal the last entry of a unit that seldom logs lies far back.
    pub fn last(
        &self,
        limit: Duration,
        is_stopped: impl Fn() -> bool,
    ) -> Result<(Option<Entry>, Vec<Trouble>), Trouble> {
        let mut command = self.command();
        command.arg("--lines=1");
        self.select(&mut command);
        let (out, said, status) = match self.answer(command, limit, is_stopped)? {
            Answer::Said(out, said, status) => (out, said, status),
            Answer::Stopped => return Ok((None, Vec::new())),
            Answer::TooLate => {
                let seconds = limit.as_secs();
                let message = format!(
                    "`{}` needed more than {seconds} s for the last entry of what is selected, so what was there at start \
                     counts as read; entries are read all the same.",
                    self.command.display()
                );
                return Ok((None, vec![Trouble { kind: Failure::Read, message }]));
            }
        };
        if !status.success() && !said.trim().is_empty() {
            return Err(ended(&said, status));
        }
        let last = out.split(|byte| *byte == b'\n').rev().find_map(Entry::read);
        Ok((last, warnings(&said)))
    }

    /// Whether the journal still has the entry of this cursor, selected or not; none if that can't be found out.
    pub fn has(&self, cursor: &str, limit: Duration, is_stopped: impl Fn() -> bool) -> Option<bool> {
        let mut command = self.command();
        command.arg("--lines=1").arg(format!("--cursor={cursor}"));
        let Ok(Answer::Said(out, said, status)) = self.answer(command, limit, is_stopped) else { return None };
        let first = out.split(|byte| *byte == b'\n').find_map(Entry::read);
        match first {
            Some(first) => Some(first.cursor == cursor),
            None => (status.success() || has_lost_cursor(&said)).then_some(false),
        }
    }

    /// What a child says that ends by itself.
    fn answer(&self, mut command: Command, limit: Duration, is_stopped: impl Fn() -> bool) -> Result<Answer, Trouble> {
        let mut child = command.spawn().map_err(|error| self.missing(&error))?;
        let (out, said) = (collect(child.stdout.take()), collect(child.stderr.take()));
        let mut waited = Duration::ZERO;
        let status = loop {
            if let Some(status) = child.try_wait().map_err(|error| self.missing(&error))? {
                break status;
            }
            let is_stopped = is_stopped();
            if waited >= limit || is_stopped {
                // It may have ended by itself.
                _ = child.kill();
                _ = child.wait();
                return Ok(if is_stopped { Answer::Stopped } else { Answer::TooLate });
            }
            thread::sleep(LAST_PAUSE);
            waited += LAST_PAUSE;
        };
        let text = |reader: JoinHandle<Vec<u8>>| reader.join().unwrap_or_default();
        let (out, said) = (text(out), text(said));
        Ok(Answer::Said(out, String::from_utf8_lossy(&said).into_owned(), status))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.command);
        // Without --all, long messages are left out.
        command.args(["--output=json", "--all", "--no-pager"]).arg(format!("--output-fields={FIELDS}"));
        command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn select(&self, command: &mut Command) {
        command.args(self.units.iter().map(|unit| format!("--unit={unit}")));
        command.args(self.matches.iter().map(OsString::from));
    }

    /// Why the program can't be started.
    pub fn missing(&self, error: &io::Error) -> Trouble {
        let program = self.command.display();
        let kind = error.kind();
        let (kind, message) = if kind == io::ErrorKind::NotFound {
            let message = format!(
                "`{program}` is not there: `apt-get install systemd` (or `dnf install systemd`) brings it; elsewhere set \
                 `command` to where it is, or send the lines with kind `http`"
            );
            (Failure::Missing, message)
        } else if kind == io::ErrorKind::PermissionDenied {
            let help = format!("try `sudo chmod a+rx {program}`");
            (Failure::Permission, format!("`{program}` can't be run: {help}"))
        } else {
            (Failure::Read, format!("`{program}` can't be run: {error}"))
        };
        Trouble { kind, message }
    }
}

/// What journalctl complains of while it runs.
pub fn warnings(said: &str) -> Vec<Trouble> {
    let has = |words: &str| said.contains(words);
    let mut troubles = Vec::new();
    if has("insufficient permissions") || has("not seeing messages from other users") {
        troubles.push(no_permission());
    }
    if has("No journal files were found") {
        let message = "there is no journal: keep it with `sudo mkdir -p /var/log/journal && sudo systemctl restart \
                       systemd-journald`; in a container mount /var/log/journal and /run/log/journal";
        troubles.push(Trouble { kind: Failure::Missing, message: message.to_owned() });
    }
    troubles
}

/// Why journalctl ended.
pub fn ended(said: &str, status: ExitStatus) -> Trouble {
    if let Some(known) = warnings(said).into_iter().next() {
        return known;
    }
    let how = match status.code() {
        Some(code) => format!("exit code {code}"),
        None => "a signal".to_owned(),
    };
    let message = match said.lines().map(str::trim).rfind(|line| !line.is_empty()) {
        Some(words) => format!("journalctl ended with {how}: {}", repeated(words)),
        None => format!("journalctl ended with {how}; it is started again"),
    };
    Trouble { kind: Failure::Read, message }
}

/// Whether journalctl could not find the place to go on from.
pub fn has_lost_cursor(said: &str) -> bool {
    said.contains("seek to cursor") || said.contains("parse cursor")
}

/// The words of a program, unless something in them could be a secret: a word as long as one.
fn repeated(words: &str) -> String {
    let is_plain = |word: &str| word.len() < 30 || (word.starts_with('/') && Path::new(word).is_absolute());
    if words.chars().count() > WORDS_CHARS_MAX || !words.split([' ', '=', ':', ',']).all(is_plain) {
        return "it says why in words that may not be repeated; run the same by hand".to_owned();
    }
    words.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

fn no_permission() -> Trouble {
    let user = user();
    let message = format!(
        "{user} may not read the journal of the system: `sudo usermod --append --groups systemd-journal {user}` and a \
         restart, or `SupplementaryGroups=systemd-journal` in the unit"
    );
    Trouble { kind: Failure::Permission, message }
}

/// The name of the user that the process runs as.
fn user() -> String {
    let id = rustix::process::geteuid().as_raw().to_string();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1) == Some(&id)).then_some(name)
    });
    name.map_or_else(|| format!("\"$(id -un {id})\""), str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[track_caller]
    fn check(said: &str, kind: Failure, part: &str) {
        let trouble = ended(said, ExitStatus::from_raw(256));
        assert_eq!(trouble.kind, kind, "{trouble:?}");
        assert!(trouble.message.contains(part), "{trouble:?}");
    }

    #[test]
    fn a_child_that_takes_too_long_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let command = folder.path().join("journalctl");
        std::fs::write(&command, "#!/bin/sh\nexec sleep 600\n").unwrap();
        std::fs::set_permissions(&command, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let selection = Selection { command, ..Selection::default() };
        assert_eq!(selection.last(LAST_TIME_MAX, || true), Ok((None, Vec::new())), "nobody waits any more");
        let (last, troubles) = selection.last(Duration::from_millis(30), || false).unwrap();
        assert_eq!((last, troubles.len()), (None, 1));
        assert!(troubles[0].message.contains("entries are read all the same"), "{troubles:?}");
    }

    #[test]
    fn what_journalctl_says_is_told_with_the_command_that_helps() {
        check("No journal files were opened due to insufficient permissions.", Failure::Permission, "systemd-journal");
        let hint =
            "Hint: You are currently not seeing messages from other users and the system.\n      Users in groups";
        check(hint, Failure::Permission, "sudo usermod --append --groups systemd-journal");
        check("No journal files were found.", Failure::Missing, "/var/log/journal");
        check("", Failure::Read, "exit code 1");
        check("Failed to add match 'x': Invalid argument", Failure::Read, "Failed to add match 'x': Invalid argument");
    }

    #[test]
    fn what_may_be_a_secret_is_not_repeated() {
        let words = "unknown option eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJTSyJ9.c2ln";
        let trouble = ended(words, ExitStatus::from_raw(256));
        assert!(!trouble.message.contains("eyJ"), "{trouble:?}");
        check(
            "Failed to open /var/log/journal/0123456789abcdef0123456789abcdef",
            Failure::Read,
            "/var/log/journal/0123",
        );
    }

    #[test]
    fn units_and_matches_are_handed_on_and_long_messages_are_not_left_out() {
        let selection = Selection {
            command: "journalctl".into(),
            units: vec!["app.service".to_owned()],
            matches: vec!["_TRANSPORT=stdout".to_owned()],
        };
        let command = selection.follow(&Start::With("s=1;i=2"));
        let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy()).collect();
        for expected in ["--all", "--follow", "--cursor=s=1;i=2", "--unit=app.service", "_TRANSPORT=stdout"] {
            assert!(arguments.iter().any(|argument| argument == expected), "{expected} in {arguments:?}");
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_told_with_what_brings_it() {
        let selection = Selection { command: "/nowhere/journalctl".into(), ..Selection::default() };
        let trouble = selection.last(LAST_TIME_MAX, || false).unwrap_err();
        assert_eq!(trouble.kind, Failure::Missing);
        assert!(trouble.message.contains("apt-get install systemd"), "{trouble:?}");
    }
}
