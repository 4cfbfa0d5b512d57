use super::*;

fn stream() -> Stream {
    let (source, timezone) = (Arc::from("app"), Arc::from("UTC"));
    Stream { source, path: None, modified: None, timezone, offset: 0, whole: false }
}

#[test]
fn what_many_streams_keep_is_bounded_and_the_latest_keep_theirs() {
    let mut pipeline = Pipeline::new(Settings::default(), KeyRing::default());
    let line = "2026-03-01T10:00:00Z INFO a line without anything in it that matters to anyone at all\n";
    let chunk = line.repeat(150);
    let (streams, mut lines) = (4 * KEPT_IN_ALL_BYTES_MAX / chunk.len(), 0);
    for number in 0..streams {
        let id = StreamId(number as u64);
        pipeline.open(id, stream());
        let now = UnixTime::from_millis(1_772_359_200_000 + i64::try_from(number).unwrap_or_default() / 10);
        pipeline.push(id, chunk.as_bytes(), now, &mut |event| {
            if let Event::Lines { lines: more, .. } = event {
                lines += more;
            }
        });
        if number % 64 != 0 {
            continue;
        }
        let kept: usize = pipeline.feeds.values().map(|feed| feed.kept()).sum();
        assert!(kept <= KEPT_IN_ALL_BYTES_MAX + KEPT_IN_ALL_BYTES_MAX / 4 + chunk.len(), "{kept} after {number}");
    }
    assert_eq!(lines, 150 * streams as u64);
    let keeps = |number: usize| pipeline.feeds.get(&StreamId(number as u64)).is_some_and(|feed| feed.kept() > 0);
    assert!(!keeps(0) && keeps(streams - 1) && keeps(streams - 100));
}

#[test]
fn tokens_that_many_streams_keep_are_bounded_with_their_lines() {
    let mut pipeline = Pipeline::new(Settings::default(), KeyRing::default());
    let (mut diagnosed, mut pushed) = (0, 0);
    for number in 0..30 {
        let (id, now) =
            (StreamId(number), UnixTime::from_millis(1_772_359_200_000 + 1000 * i64::try_from(number).unwrap()));
        pipeline.open(id, stream());
        let mut emit = |event| diagnosed += u64::from(matches!(event, Event::Diagnosed(_)));
        for line in 0..64 {
            let what = ["INFO connects", "ERROR Twilio refused code=51007"][line % 2];
            let token = format!("eyJhbGciOiJIUzI1NiJ9.{}.{number:08}{line:035}", "QUJD".repeat(3000));
            let line = format!("{now} {what} pid={line} token={token}\n");
            pushed += line.len();
            pipeline.push(id, line.as_bytes(), now, &mut emit);
        }
        pipeline.tick(now.plus_millis(900), &mut emit);
        let kept: usize = pipeline.feeds.values().map(|feed| feed.kept()).sum();
        // Of what came since it was looked at, a token is kept with its line, and with its rejection.
        assert!(kept <= 2 * KEPT_IN_ALL_BYTES_MAX, "{kept} after {number}");
    }
    assert_eq!(diagnosed, 30 * 32);
    assert!(pushed > KEPT_IN_ALL_BYTES_MAX);
    pipeline.rest(UnixTime::from_millis(1_772_359_300_000));
    assert!(pipeline.feeds.values().all(|feed| feed.kept() == 0), "nothing is kept of silent streams");
}

#[test]
fn a_stream_that_falls_silent_after_a_refusal_forgets_its_lines() {
    let mut pipeline = Pipeline::new(Settings::default(), KeyRing::default());
    let (id, now) = (StreamId(1), UnixTime::from_millis(1_772_359_200_000));
    pipeline.open(id, stream());
    let mut events = 0;
    let mut emit = |_| events += 1;
    pipeline.push(id, b"2026-03-01T10:00:00Z ERROR twilio refused code=51007\n", now, &mut emit);
    for millis in [2, 50, 100, 120] {
        pipeline.tick(now.plus_millis(millis), &mut emit);
    }
    assert!(!pipeline.is_awake());
    assert!(pipeline.feeds.get(&id).is_some_and(|feed| feed.kept() > 0 && feed.forgettable_since().is_some()));
    pipeline.rest(now.plus_millis(20_000));
    assert!(pipeline.feeds.get(&id).is_some_and(|feed| feed.kept() == 0));
}

/// Pushes a log with a refusal and an unfinished line, says when it was written, and gives the diagnoses, and the bytes
/// that are kept.
#[track_caller]
fn reach(written_millis: i64) -> (usize, usize, bool) {
    let mut pipeline = Pipeline::new(Settings::default(), KeyRing::default());
    let (id, now) = (StreamId(1), UnixTime::from_millis(1_772_359_200_000));
    pipeline.open(id, stream());
    let mut diagnosed = 0;
    let mut emit = |event| diagnosed += usize::from(matches!(event, Event::Diagnosed(_)));
    pipeline.push(id, b"first\n2026-03-01T09:00:00Z ERROR twilio refused code=51007\nbegun", now, &mut emit);
    pipeline.reached(id, now.plus_millis(written_millis), now, &mut emit);
    let kept = pipeline.feeds.get(&id).map_or(0, |feed| feed.kept());
    (diagnosed, kept, pipeline.is_awake())
}

#[test]
fn a_file_that_was_written_long_ago_waits_for_nothing_and_keeps_only_an_unfinished_line() {
    assert_eq!(reach(-10_001), (1, 5, false));
    for millis in [-10_000, -1, 0, 5000] {
        let (diagnosed, kept, is_awake) = reach(millis);
        assert!(diagnosed == 0 && kept > 50 && is_awake, "written {millis} ms from now");
    }
}

#[test]
fn debug_shows_no_key() {
    let settings = Settings { fingerprint_key: [171; 32], ..Settings::default() };
    assert!(!format!("{settings:?} {:?}", Pipeline::new(settings.clone(), KeyRing::default())).contains("171, 171"));
}

#[test]
fn a_stream_that_forgot_its_lines_goes_on_counting_them() {
    let mut pipeline = Pipeline::new(Settings::default(), KeyRing::default());
    let (id, now) = (StreamId(1), UnixTime::from_millis(1_772_359_200_000));
    pipeline.open(id, stream());
    let mut found = Vec::new();
    let mut emit = |event| {
        if let Event::Diagnosed(diagnosis) = event {
            found.push((diagnosis.line, diagnosis.offset));
        }
    };
    let lines = "first\n2026-03-01T10:00:00Z error twilio code=51007\nbegun";
    pipeline.push(id, lines.as_bytes(), now, &mut emit);
    pipeline.tick(now.plus_millis(200), &mut emit);
    if let Some(feed) = pipeline.feeds.get_mut(&id) {
        feed.forget(200);
    }
    pipeline.push(id, b" and ended\n2026-03-01T10:00:00Z error twilio code=51007\n", now, &mut emit);
    pipeline.finish(id, now, &mut emit);
    assert_eq!(found, [(2, 6), (4, 67)]);
}

/// A log up to which everything was read, and where to go on.
fn checkpoint_of(chunks: &[&str]) -> Checkpoint {
    let mut pipeline = Pipeline::new(Settings::default(), KeyRing::default());
    let (id, now) = (StreamId(1), UnixTime::from_millis(1_772_359_200_000));
    pipeline.open(id, stream());
    for chunk in chunks {
        pipeline.push(id, chunk.as_bytes(), now, &mut drop);
    }
    pipeline.checkpoint(id).unwrap()
}

#[test]
fn a_checkpoint_knows_only_the_region_before_what_is_read_again() {
    let rejected = |rest: &str| format!("2026-03-01T10:00:00Z Twilsock W: Init rejected by server: {rest}\n");
    let first = rejected("{\"errorCode\":51007}");
    let endpoint = "2026-03-01T10:00:00Z Twilsock D: socket opened wss://tsock.ie1.twilio.com/v3/wsconnect\n";
    assert_eq!(checkpoint_of(&[&first, endpoint, &rejected("{\"errorCode\":51007}")]).region, None);
    let later = "INFO a quiet line\n".repeat(2000);
    let settled = checkpoint_of(&[endpoint, &first, &later]);
    assert_eq!((settled.sightings.len(), settled.region.as_deref()), (0, Some("ie1")));
}

#[test]
fn a_checkpoint_knows_its_line_when_all_lines_that_are_kept_lie_before_an_open_object() {
    let quiet = |lines: usize| "2026-03-01T10:00:00Z INFO a quiet line\n".repeat(lines);
    let object =
        format!("2026-03-01T10:00:00Z ERROR TwilioError code=51007 {{\n{}", "  member: 'of it',\n".repeat(1000));
    let kept = 400 + blocks::BLOCK_LINES_MAX + 1;
    for before in [kept - 1, kept, kept + 1] {
        let found = checkpoint_of(&[&quiet(1000), &format!("{}{object}", quiet(before))]);
        let skipped = found.resume / quiet(1).len() as u64;
        assert_eq!(found.line, skipped + 1, "{before} quiet lines");
    }
}

#[test]
fn the_token_of_a_split_line_is_found_as_far_as_that_of_another() {
    let token = crate::token::mint::good();
    let (head, tail) = token.split_at(40);
    let found = |pieces: &[String], distance: usize, chunk: usize| {
        let line = |kind: &str, text: &str| format!("2026-03-01T10:00:00.123456789Z stdout {kind} {text}\n");
        let mut log = line("F", "ERROR twilio refused code=51007");
        log.push_str(&line("F", "INFO a quiet line").repeat(distance - 1));
        match pieces {
            [whole] => log.push_str(&line("F", whole)),
            pieces => pieces.iter().enumerate().for_each(|(at, piece)| {
                log.push_str(&line(if at + 1 == pieces.len() { "F" } else { "P" }, piece));
            }),
        }
        log.push_str(&line("F", "INFO a quiet line").repeat(50));
        let mut pipeline = Pipeline::new(Settings::default(), KeyRing::default());
        let (id, now) = (StreamId(1), UnixTime::from_millis(1_772_359_200_000));
        pipeline.open(id, Stream { whole: true, ..stream() });
        let mut has_token = Vec::new();
        let mut emit = |event| {
            if let Event::Diagnosed(diagnosis) = event {
                has_token.push(diagnosis.token.is_some());
            }
        };
        log.as_bytes().chunks(chunk).for_each(|chunk| pipeline.push(id, chunk, now, &mut emit));
        pipeline.finish(id, now, &mut emit);
        has_token
    };
    for (distance, is_near) in [(199, true), (200, true), (201, false)] {
        for chunk in [usize::MAX, 64] {
            let whole = found(&[format!("token={token}")], distance, chunk);
            let split = found(&[format!("token={head}"), tail.to_owned()], distance, chunk);
            assert_eq!((whole, split), (vec![is_near], vec![is_near]), "{distance} lines away, in chunks of {chunk}");
        }
    }
}

#[test]
fn an_export_of_the_journal_is_read_on_where_it_was_left_wherever_that_is() {
    let entry = |number: u64, message: &str| {
        let time = 1_772_359_200_000_000 + number * 10_000_000;
        let mut entry =
            format!("__CURSOR=s=1;i={number}\n__REALTIME_TIMESTAMP={time}\n_PID=51007\nMESSAGE\n").into_bytes();
        entry.extend((message.len() as u64).to_le_bytes());
        entry.extend(message.as_bytes());
        entry.extend(b"\n\n");
        entry
    };
    let messages = ["first\n\nand second", "Twilio error {\n  code: 51007\n}", "10 bytes…", "Twilio\ncode=51007"];
    let log = (0..).zip(messages).map(|(number, message)| entry(number, message)).collect::<Vec<_>>().concat();
    for cut in 0..=log.len() {
        let (id, now) = (StreamId(1), UnixTime::from_millis(1_772_359_300_000));
        let mut found = Vec::new();
        let mut emit = |event| {
            if let Event::Diagnosed(diagnosis) = event {
                found.push((diagnosis.line, diagnosis.at.to_string()));
            }
        };
        let mut before = Pipeline::new(Settings::default(), KeyRing::default());
        before.open(id, stream());
        before.push(id, &log[..cut], now, &mut emit);
        let checkpoint = before.suspend(id, now, &mut emit).unwrap();
        let from = checkpoint.resume;
        let mut after = Pipeline::new(Settings::default(), KeyRing::default());
        after.resume(id, Stream { offset: from, ..stream() }, checkpoint);
        after.push(id, &log[usize::try_from(from).unwrap()..], now, &mut emit);
        after.finish(id, now, &mut emit);
        let expected = [(2, "2026-03-01T10:00:10Z".to_owned()), (4, "2026-03-01T10:00:30Z".to_owned())];
        assert_eq!(found, expected, "cut after byte {cut}");
    }
}

#[test]
fn a_token_before_a_rotation_is_found_for_the_refusal_after_it() {
    let mut pipeline = Pipeline::new(Settings::default(), KeyRing::default());
    let (old, new, now) = (StreamId(1), StreamId(2), UnixTime::from_millis(1_772_359_200_000));
    let of_file = || Stream { path: Some(Arc::from("app.log")), ..stream() };
    let mut found = Vec::new();
    let mut emit = |event| {
        if let Event::Diagnosed(diagnosis) = event {
            found.push((diagnosis.line, diagnosis.cause, diagnosis.token.map(|token| token.found)));
        }
    };
    pipeline.open(old, of_file());
    pipeline.push(old, b"one\n2026-03-01T10:00:00Z connecting, access token: undefined\n", now, &mut emit);
    pipeline.open(new, of_file());
    pipeline.succeed(new, old);
    pipeline.finish(old, now, &mut emit);
    pipeline.push(new, b"2026-03-01T10:00:00.030Z ERROR twilio refused code=51007\n", now, &mut emit);
    assert_eq!(pipeline.checkpoint(new).map(|checkpoint| (checkpoint.resume, checkpoint.line)), Some((0, 1)));
    pipeline.push(new, b"2026-03-01T10:10:00Z ERROR twilio refused code=51007\n", now, &mut emit);
    pipeline.finish(new, now, &mut emit);
    assert_eq!(
        found,
        [
            (1, crate::cause::Cause::NotAToken, Some(crate::diagnosis::Found::Before(1))),
            (2, crate::cause::Cause::NoToken, None)
        ]
    );
}

#[test]
fn a_log_in_utf_16_is_read_as_it_is_in_utf_8_and_where_it_was_left() {
    let text = "\u{feff}one\r\n2026-03-01T10:00:00Z ERROR twilio refused, code=51007 token=undefined\r\n";
    let log: Vec<u8> = text.repeat(2).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (id, now) = (StreamId(1), UnixTime::from_millis(1_772_359_200_000));
    for cut in (0..log.len()).step_by(7) {
        let mut found = Vec::new();
        let mut emit = |event| {
            if let Event::Diagnosed(diagnosis) = event {
                found.push((diagnosis.line, diagnosis.offset, diagnosis.cause));
            }
        };
        let mut pipeline = Pipeline::new(Settings::default(), KeyRing::default());
        pipeline.open(id, stream());
        let (head, tail) = log.split_at_checked(cut).unwrap_or_default();
        pipeline.push(id, head, now, &mut emit);
        let checkpoint = pipeline.suspend(id, now, &mut emit).unwrap_or_default();
        let resume = usize::try_from(checkpoint.resume).unwrap_or_default();
        let mut again = Pipeline::new(Settings::default(), KeyRing::default());
        again.resume(id, stream(), checkpoint);
        again.push(id, log.get(resume..cut).unwrap_or_default(), now, &mut emit);
        again.push(id, tail, now, &mut emit);
        again.finish(id, now, &mut emit);
        let not_a_token = crate::cause::Cause::NotAToken;
        let half = log.len() as u64 / 2;
        assert_eq!(found, [(2, 12, not_a_token), (4, 12 + half, not_a_token)], "left behind byte {cut}");
    }
}

#[test]
fn a_message_that_is_known_to_be_the_connections_own_is_found_farther_back() {
    let token = crate::token::mint::good();
    let found = |name: &str, reply: &str, distance: usize, chunk: usize| {
        let line =
            |name: &str, millis: usize, text: &str| format!("{name}2026-03-01T10:00:00.{millis:03}Z Twilsock {text}\n");
        let init = |id: &str| {
            format!(
                "D: send request: TWILSOCK V3.0 9{{\"id\":\"{id}\",\"method\":\"init\",\"token\":\"{token}\",\"payload_size\":0}}"
            )
        };
        let (own, other) = ("TM00000000-0000-4000-8000-000000000001", "TM00000000-0000-4000-8000-000000000002");
        let quiet = |count: usize| line("chat-2 | ", 1, "T: connecting to socket").repeat(count);
        let log = [
            line(name, 0, "D: socket opened"),
            line(name, 0, &init(own)),
            quiet(distance - 2),
            line("chat-2 | ", 1, &init(other)),
            line(name, 50, &reply.replace("OWN", own)),
            quiet(700),
            line(name, 60, &reply.replace("OWN", own)),
        ]
        .concat();
        let mut pipeline = Pipeline::new(Settings::default(), KeyRing::default());
        let (id, now) = (StreamId(1), UnixTime::from_millis(1_772_359_200_000));
        pipeline.open(id, Stream { whole: true, ..stream() });
        let mut found = Vec::new();
        let mut emit = |event| {
            if let Event::Diagnosed(diagnosis) = event {
                found.push(diagnosis.token.is_some());
            }
        };
        log.as_bytes().chunks(chunk).for_each(|chunk| pipeline.push(id, chunk, now, &mut emit));
        pipeline.finish(id, now, &mut emit);
        found
    };
    let rejected = "W: Init rejected by server: {\"code\":401,\"status\":\"UNAUTHORIZED\",\"errorCode\":51007}";
    let replied = "D: receive reply: {\"id\":\"OWN\",\"status\":{\"code\":401,\"errorCode\":51007}}";
    for (name, reply, distance, is_found) in [
        ("chat-1 | ", rejected, 400, true),
        ("chat-1 | ", rejected, 401, false),
        ("chat-1 | ", replied, 400, true),
        ("chat-1 | ", replied, 401, false),
    ] {
        for chunk in [usize::MAX, 64, 16 << 10] {
            let found = found(name, reply, distance, chunk);
            assert_eq!(found, vec![is_found, false], "{reply} {distance} lines away, in chunks of {chunk}");
        }
    }
}
