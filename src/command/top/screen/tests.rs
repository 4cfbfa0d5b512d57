//! The screen as a person sees it, as golden files.

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::super::snapshot::{Alert, CauseRow, Incident, SourceRow};
use super::*;

fn cause(id: &str, title: &str, count: u64, recent: u64, share: f64) -> CauseRow {
    let remedy = "Fetch a new token and call updateToken when the SDK says that the old one is about to expire.";
    CauseRow { id: id.to_owned(), title: title.to_owned(), remedy: remedy.to_owned(), count, recent, share }
}

fn rejection(number: usize) -> Rejection {
    let (cause, title) = if number.is_multiple_of(3) {
        ("wrong_secret", "Signed with the wrong secret")
    } else {
        ("expired", "Access Token expired")
    };
    Rejection {
        id: number.to_string(),
        at: format!("2026-11-24T02:{:02}:39.228Z", number % 60),
        cause: cause.to_owned(),
        title: title.to_owned(),
        remedy: "Put the exact secret of the key into the token server, and restart it.".to_owned(),
        product: "chat".to_owned(),
        source: "gateway".to_owned(),
        place: format!("/var/log/app/chat.log:{number}"),
        key: "SK00000000000000000000000000000001".to_owned(),
        findings: vec![
            "expected exp after 2026-11-24T02:43:39Z, but found 2026-11-24T01:43:35Z (3604 s before)".to_owned(),
        ],
    }
}

fn source(name: &str, is_up: bool) -> SourceRow {
    let last_error = if is_up { "" } else { "permission denied" }.to_owned();
    SourceRow { name: name.to_owned(), is_up, is_caught_up: true, unread_bytes: 0, last_error }
}

fn busy() -> Snapshot {
    let causes = vec![
        cause("expired", "Access Token expired", 2600, 310, 0.87),
        cause("wrong_secret", "Signed with the wrong secret", 390, 41, 0.13),
        cause("no_token", "No token in the log", 10, 0, 0.003),
    ];
    Snapshot {
        at: "2026-11-24T02:43:40.1Z".to_owned(),
        minutes: 351,
        hour: 3000,
        main: causes.first().cloned(),
        causes,
        products: vec![("chat".to_owned(), 2900), ("video".to_owned(), 100)],
        keys: vec![("SK00000000000000000000000000000001".to_owned(), 3000)],
        sources: vec![source("gateway", true), source("worker", false)],
        rejections: (0..200).rev().map(rejection).collect(),
        alerts: vec![Alert {
            name: "ExpirySpike".to_owned(),
            is_firing: true,
            summary: "Clients send expired Access Tokens in a burst".to_owned(),
        }],
        incidents: vec![
            incident("expired", "Access Token expired", "2026-11-24T01:58:02Z", 2600),
            incident("wrong_secret", "Signed with the wrong secret", "2026-11-23T22:10:41Z", 390),
        ],
    }
}

fn incident(cause: &str, title: &str, start: &str, count: u64) -> Incident {
    Incident {
        cause: cause.to_owned(),
        title: title.to_owned(),
        product: "chat".to_owned(),
        start: start.to_owned(),
        count,
        what: "310 different tokens of 298 identities came 3 min to 2 h after they had expired, all of key \
               SK00000000000000000000000000000001: clients keep their tokens for too long."
            .to_owned(),
        remedy: "Fetch a new token and call updateToken when the SDK says that the old one is about to expire."
            .to_owned(),
    }
}

fn drawn(screen: &mut Screen, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    terminal.draw(|frame| screen.draw(frame)).expect("drawn");
    terminal.backend().to_string()
}

fn screen(snapshot: Snapshot) -> Screen {
    Screen::new("127.0.0.1:15107".to_owned(), snapshot)
}

#[test]
fn a_busy_daemon_on_a_small_terminal() {
    insta::assert_snapshot!(drawn(&mut screen(busy()), 80, 24));
}

#[test]
fn a_busy_daemon_on_a_large_terminal() {
    insta::assert_snapshot!(drawn(&mut screen(busy()), 130, 36));
}

#[test]
fn open_incidents_on_a_narrow_terminal() {
    let calm = Snapshot { alerts: Vec::new(), main: busy().causes.get(2).cloned(), ..busy() };
    insta::assert_snapshot!(drawn(&mut screen(calm), 44, 40));
}

#[test]
fn incidents_that_find_no_room_are_counted() {
    let many = (0..9).map(|n| incident("expired", "Access Token expired", "2026-11-24T01:58:02Z", 100 - n)).collect();
    let mut screen = screen(Snapshot { incidents: many, ..busy() });
    let large = drawn(&mut screen, 130, 60);
    assert!(large.contains("9 incidents open") && large.contains("Incidents, 3 of 9"), "{large}");
    let small = drawn(&mut screen, 80, 14);
    assert!(small.contains("9 incidents open") && !small.contains("Incidents,"), "{small}");
    assert!(small.contains("Do      Fetch a new token"), "{small}");
}

#[test]
fn a_quiet_daemon() {
    let quiet = Snapshot { at: "2026-11-24T02:43:40Z".to_owned(), sources: busy().sources, ..Snapshot::default() };
    insta::assert_snapshot!(drawn(&mut screen(quiet), 80, 24));
}

#[test]
fn an_opened_rejection_and_a_filter() {
    let mut screen = screen(busy());
    for key in [KeyCode::Down, KeyCode::Char('c'), KeyCode::Down, KeyCode::Enter] {
        assert!(screen.press(key).is_continue());
    }
    insta::assert_snapshot!(drawn(&mut screen, 80, 24));
    assert!(screen.press(KeyCode::Esc).is_continue(), "closes");
    assert!(screen.press(KeyCode::Esc).is_continue(), "shows all causes");
    assert!(screen.press(KeyCode::Esc).is_break(), "ends");
}

#[test]
fn a_selected_rejection_stays_selected_when_others_come() {
    let mut screen = screen(busy());
    assert!(screen.press(KeyCode::Down).is_continue());
    assert!(screen.press(KeyCode::Down).is_continue());
    let selected = screen.selected().cloned();
    let mut later = busy();
    later.rejections.insert(0, rejection(777));
    screen.update(Ok(later));
    assert_eq!(screen.selected().cloned(), selected);
    screen.update(Err("127.0.0.1:15107 can't be asked: connection refused".to_owned()));
    assert!(drawn(&mut screen, 80, 24).contains("not connected, as of 02:43:40 UTC"));
}

#[test]
fn no_size_is_too_small_to_draw() {
    for width in [0, 1, 5, 20, 79, 300] {
        for height in [0, 1, 2, 5, 10, 23, 100] {
            let mut screen = screen(busy());
            assert!(screen.press(KeyCode::End).is_continue());
            assert!(screen.press(KeyCode::Enter).is_continue());
            if width > 0 && height > 0 {
                drawn(&mut screen, width, height);
            }
        }
    }
}
