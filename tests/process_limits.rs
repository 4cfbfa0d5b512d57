//! The real daemon when the system gives it less than it wants: a full disk, few files, few or no notifications. Nothing
//! is lost, nothing repeated, and what is wrong is said.
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

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use place::{Place, expired_at, now, rejections, until_rejections};
use process::{BINARY, Daemon, text, until};

/// The binary, started by a shell that sets something up for it first.
fn after(setup: &str, place: &Place) -> Command {
    shell(Command::new("sh"), setup, place)
}

/// The same as root of namespaces of its own: of users, with their limits, and of mounts.
fn apart(setup: &str, place: &Place) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh"]);
    shell(command, setup, place)
}

fn shell(mut command: Command, setup: &str, place: &Place) -> Command {
    let script = format!("{setup} && exec \"$0\" run --config \"$1\"");
    command.args(["-c", &script, BINARY, text(&place.config())]).env_clear().stdin(Stdio::null());
    command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command
}

/// Whether a setup works that not every system allows; says loudly if it does not.
fn is_possible(setup: &str) -> bool {
    let unshared = Command::new("unshare").args(["--user", "--map-root-user", "--mount", "sh", "-c", setup]).output();
    let works = unshared.is_ok_and(|output| output.status.success());
    if !works {
        eprintln!(
            "SKIPPED, because this system does not allow `unshare --user --map-root-user --mount sh -c '{setup}'`"
        );
    }
    works
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).expect("a writable folder");
    file.write_all(text.as_bytes()).expect("a writable file");
}

/// A config that follows every log of a folder; and that folder.
fn many(place: &Place) -> PathBuf {
    let folder = place.path("logs");
    fs::create_dir(&folder).expect("a writable folder");
    let all = folder.join("*.log");
    place.configure(&place.usual_config().replace(text(&place.log()), text(&all)));
    folder
}

/// Appends refusals one by one until a commit fails; gives how many there are then.
fn fill_until_a_commit_fails(place: &Place, daemon: &Daemon, mut written: u64) -> u64 {
    let failures = || daemon.metric("diag51007_commit_failures_total").unwrap_or_default();
    while failures() == 0.0 {
        place.append(&expired_at(now()));
        written += 1;
        until("a count or a failure", || (failures() > 0.0 || rejections(daemon, None) == written).then_some(()));
    }
    written
}

/// Writes on while the state can't be written, makes room, and expects everything once.
fn check_room_again(place: &Place, daemon: &Daemon, written: u64, make_room: impl FnOnce()) -> u64 {
    let shown = rejections(daemon, None);
    assert!(shown < written, "what can't be committed is not shown: {shown} of {written}");
    for _ in 0..20 {
        place.append(&expired_at(now()));
    }
    until("the next failure", || {
        (daemon.metric("diag51007_commit_failures_total").unwrap_or_default() >= 3.0).then_some(())
    });
    assert_eq!(rejections(daemon, None), shown, "nothing new is shown meanwhile");
    assert!(daemon.output().contains("The state can't be written"), "{}", daemon.output());
    make_room();
    until_rejections(daemon, None, written + 20);
    assert!(daemon.output().contains("can be written again"), "{}", daemon.output());
    place.append(&expired_at(now()));
    until_rejections(daemon, None, written + 21);
    written + 21
}

#[test]
fn while_the_disk_of_the_state_is_full_nothing_is_shown_and_then_everything_is_counted_once() {
    let place = Place::new();
    let state = place.path("state");
    fs::create_dir(&state).expect("a writable folder");
    let mount = format!("mount -t tmpfs -o size=8m none {}", text(&state));
    if !is_possible("mount -t tmpfs -o size=8m none /mnt") {
        return;
    }
    place.append(&expired_at(now()));
    let daemon = Daemon::start(&mut apart(&mount, &place));
    daemon.until_ready();
    until_rejections(&daemon, None, 1);
    let inside = PathBuf::from(format!("/proc/{}/root{}", daemon.id(), text(&state)));
    let filler = inside.join("filler");
    let mut file = File::create(&filler).expect("the daemon's folder");
    let full = loop {
        if let Err(error) = file.write_all(&[0; 4096]) {
            break error;
        }
    };
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    drop(file);
    let written = fill_until_a_commit_fails(&place, &daemon, 1);
    check_room_again(&place, &daemon, written, || fs::remove_file(&filler).expect("a file"));
}

#[test]
fn a_state_that_no_file_may_grow_for_is_written_when_it_may_and_survives_a_kill() {
    let place = Place::new();
    place.append(&expired_at(now()));
    // Without this the signal that comes with the refusal would end the process.
    let daemon = Daemon::start(&mut after("trap '' XFSZ", &place));
    daemon.until_ready();
    until_rejections(&daemon, None, 1);
    let pid = i32::try_from(daemon.id()).ok().and_then(Pid::from_raw);
    let grow = |current| prlimit(pid, Resource::Fsize, Rlimit { current, maximum: None }).expect("an own child");
    grow(Some(0));
    let written = fill_until_a_commit_fails(&place, &daemon, 1);
    let written = check_room_again(&place, &daemon, written, || _ = grow(None));
    daemon.signal("KILL");
    daemon.wait();
    let daemon = place.start();
    assert_eq!(rejections(&daemon, None), written);
    place.append(&expired_at(now()));
    until_rejections(&daemon, None, written + 1);
}

#[test]
fn more_files_than_may_be_open_are_all_followed_also_when_renamed_while_closed() {
    const FILES: u64 = 160;
    let place = Place::new();
    let folder = many(&place);
    let path = |n: u64| folder.join(format!("{n:03}.log"));
    (0..FILES).for_each(|n| append(&path(n), &expired_at(now())));
    let daemon = Daemon::start(&mut after("ulimit -n 128", &place));
    daemon.until_ready();
    until_rejections(&daemon, None, FILES);
    let open = || {
        let all = fs::read_dir(format!("/proc/{}/fd", daemon.id())).expect("an own child");
        let links = all.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        links.filter(|link| link.extension().is_some_and(|extension| extension == "log")).count()
    };
    assert!((1..=64).contains(&open()), "{} logs are open", open());
    for n in (0..FILES).rev() {
        append(&path(n), &expired_at(now()));
    }
    until_rejections(&daemon, None, 2 * FILES);
    assert!((1..=64).contains(&open()), "{} logs are open", open());
    for n in 0..FILES {
        let rotated = folder.join(format!("{n:03}.log.1"));
        append(&path(n), &expired_at(now()));
        fs::rename(path(n), &rotated).expect("a writable folder");
        append(&path(n), &expired_at(now()));
    }
    until_rejections(&daemon, None, 4 * FILES);
}

#[test]
fn after_the_queue_of_notifications_ran_over_everything_is_found_by_looking() {
    let queue = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").expect("Linux has inotify");
    let queue: usize = queue.trim().parse().expect("a number");
    let place = Place::new();
    let folder = many(&place);
    let path = |name: &str| folder.join(name);
    append(&path("a.log"), &expired_at(now()));
    append(&path("b.log"), &expired_at(now()));
    let daemon = place.start();
    until_rejections(&daemon, None, 2);
    daemon.signal("STOP");
    let (a, b) = (File::options().append(true).open(path("a.log")), File::options().append(true).open(path("b.log")));
    let (mut a, mut b) = (a.expect("a log"), b.expect("a log"));
    // In turns, because the kernel keeps one notification of those that repeat.
    for _ in 0..=queue / 2 {
        a.write_all(b"a quiet line\n").expect("a log");
        b.write_all(b"a quiet line\n").expect("a log");
    }
    // Of all this the daemon is told nothing.
    append(&path("a.log"), &expired_at(now()));
    fs::rename(path("b.log"), path("b.log.1")).expect("a writable folder");
    b.write_all(expired_at(now()).as_bytes()).expect("a log");
    append(&path("b.log"), &expired_at(now()));
    append(&path("c.log"), &expired_at(now()));
    daemon.signal("CONT");
    until_rejections(&daemon, None, 6);
    append(&path("c.log"), &expired_at(now()));
    until_rejections(&daemon, None, 7);
}

#[test]
fn without_notifications_files_are_polled_and_it_is_said_why() {
    let none = "echo 0 >/proc/sys/user/max_inotify_instances";
    if !is_possible(none) {
        return;
    }
    let place = Place::new();
    let folder = many(&place);
    let path = |name: &str| folder.join(name);
    append(&path("a.log"), &expired_at(now()));
    let daemon = Daemon::start(&mut apart(none, &place));
    daemon.until_ready();
    until_rejections(&daemon, None, 1);
    let output = daemon.output();
    assert!(output.contains("polled every") && output.contains("sysctl fs.inotify"), "{output}");
    append(&path("a.log"), &expired_at(now()));
    until_rejections(&daemon, None, 2);
    fs::rename(path("a.log"), path("a.log.1")).expect("a writable folder");
    append(&path("a.log.1"), &expired_at(now()));
    append(&path("a.log"), &expired_at(now()));
    append(&path("new.log"), &expired_at(now()));
    until_rejections(&daemon, None, 5);
    File::options().write(true).truncate(true).open(path("new.log")).expect("a log");
    // Other lines than the one before: the same ones would look as if one had been added.
    append(&path("new.log"), &expired_at(now().plus_millis(-60_000)).repeat(2));
    until_rejections(&daemon, None, 7);
}

#[test]
fn an_inode_that_is_used_again_is_another_file_also_after_a_restart() {
    use std::os::unix::fs::MetadataExt as _;
    let place = Place::new();
    let log = place.log();
    let inode = || fs::metadata(&log).expect("a log").ino();
    let line = expired_at(now());
    place.append(&line);
    let daemon = place.start();
    until_rejections(&daemon, None, 1);
    daemon.signal("TERM");
    assert_eq!(daemon.wait().0, Some(0));
    // The same number and the same beginning, and longer than what was read.
    let before = inode();
    let reused = (0..1000).any(|_| {
        fs::remove_file(&log).expect("a log");
        place.append(&[line.as_str(), &line, &line].concat());
        inode() == before
    });
    let daemon = place.start();
    // A file system that uses no number again can't confuse anyone; the file is another one all the same.
    until_rejections(&daemon, None, 4);
    let before = inode();
    let again = (0..1000).any(|_| {
        fs::remove_file(&log).expect("a log");
        place.append("");
        inode() == before
    });
    place.append(&line);
    until_rejections(&daemon, None, 5);
    assert!(reused || !again, "reused while it was followed, and not while nobody had it open");
}

#[test]
fn a_file_that_moves_between_watched_folders_goes_on_where_it_was() {
    let place = Place::new();
    let [from, to] = ["from", "to"].map(|name| place.path(name));
    fs::create_dir(&from).and_then(|()| fs::create_dir(&to)).expect("a writable folder");
    let all = place.path("*").join("app.log");
    place.configure(&place.usual_config().replace(text(&place.log()), text(&all)));
    append(&from.join("app.log"), &expired_at(now()));
    let daemon = place.start();
    until_rejections(&daemon, None, 1);
    fs::rename(from.join("app.log"), to.join("app.log")).expect("writable folders");
    append(&to.join("app.log"), &expired_at(now()));
    append(&from.join("app.log"), &expired_at(now()));
    until_rejections(&daemon, None, 3);
    daemon.signal("KILL");
    daemon.wait();
    // While nobody looks both change places.
    fs::rename(from.join("app.log"), place.path("aside")).expect("writable folders");
    fs::rename(to.join("app.log"), from.join("app.log")).expect("writable folders");
    fs::rename(place.path("aside"), to.join("app.log")).expect("writable folders");
    append(&to.join("app.log"), &expired_at(now()));
    append(&from.join("app.log"), &expired_at(now()));
    let daemon = place.start();
    until_rejections(&daemon, None, 5);
    assert!(daemon.get("/metrics").body.contains("\ndiag51007_lost_bytes_total{source=\"app\"} 0\n"));
}
