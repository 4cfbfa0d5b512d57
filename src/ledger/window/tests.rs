use super::*;

/// The last moment of a second, so that windows begin with a bucket.
const NOW: UnixTime = UnixTime::from_millis(1_795_488_029_999);

fn rejection(seconds_ago: i64) -> Counted<'static> {
    Counted {
        at: NOW.plus_millis(-seconds_ago * 1000),
        cause: Cause::NoToken,
        product: Product::Chat,
        code: CodeLabel::None,
        source: 0,
        key: KeyLabel::None,
        skipped: &[],
    }
}

#[track_caller]
fn check(seconds_ago: &[i64], window: &str, expected: u64) {
    let mut windows = Windows::new(NOW);
    for ago in seconds_ago {
        windows.count(&rejection(*ago), NOW);
    }
    let window = Window::parse(window).expect("a window");
    assert_eq!(windows.tally(window, NOW).rejections, expected);
}

#[test]
fn a_window_holds_what_happened_in_it_to_the_second() {
    check(&[0], "1s", 1);
    check(&[1], "1s", 0);
    check(&[59, 60, 61], "1m", 1);
    check(&[299, 300], "5m", 1);
    check(&[3599, 3600], "1h", 1);
    check(&[86_399], "24h", 1);
    check(&[86_401], "24h", 0);
}

#[test]
fn a_clock_that_is_ahead_counts_as_now() {
    check(&[-30], "1s", 1);
    check(&[-86_401], "24h", 0);
}

#[test]
fn the_order_of_arrival_does_not_matter() {
    check(&[86_000, 5, 40_000, 0, 5, 3000], "24h", 6);
    check(&[0, 5, 3000, 40_000], "1h", 3);
}

#[test]
fn a_ring_that_has_gone_round_forgets_what_is_out_of_reach() {
    let mut windows = Windows::new(NOW);
    windows.count(&rejection(0), NOW);
    let later = NOW.plus_millis(2 * 86_400_000);
    let one = Counted { at: later, ..rejection(0) };
    windows.count(&one, later);
    let day = Window::parse("1d").expect("a window");
    assert_eq!(windows.tally(day, later).rejections, 1);
    assert_eq!(windows.tally(day, later.plus_millis(86_400_000 + 60_000)).rejections, 0);
}

#[test]
fn first_and_last_are_the_times_of_the_events() {
    let mut windows = Windows::new(NOW);
    for ago in [7, 90, 12] {
        windows.count(&rejection(ago), NOW);
    }
    let seen = windows.tally(Window::default(), NOW).causes.at(Cause::NoToken).expect("seen");
    assert_eq!(seen, Seen { count: 3, first: rejection(90).at, last: rejection(7).at });
}

#[test]
fn the_baseline_is_the_mean_of_the_day_before_once_an_hour_is_known() {
    let hour = 3600;
    let mut windows = Windows::new(NOW.plus_millis(-(hour + 298) * 1000));
    assert_eq!(windows.baseline(Window::default(), NOW).rejections, None);
    (0..24).for_each(|i| windows.count(&rejection(400 + i * 100), NOW));
    (0..50).for_each(|_| windows.count(&rejection(10), NOW));
    let windows = Windows { since: NOW.plus_millis(-(2 * hour + 299) * 1000), ..windows };
    let baseline = windows.baseline(Window::default(), NOW);
    assert_eq!((baseline.observed_seconds, baseline.rejections), (2 * hour, Some(1.0)));
    let day = Window::from_seconds(WINDOW_SECONDS_MAX).expect("a window");
    assert_eq!(windows.baseline(day, NOW).rejections, None);
}

#[test]
fn durations_are_read_as_prometheus_writes_them() {
    for (text, seconds) in [("1s", 1), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("1d", 86_400), ("1000ms", 1)] {
        assert_eq!(Window::parse(text).map(Window::seconds), Ok(seconds), "{text}");
    }
    for text in ["", "5", "m", "5 m", "5m5m", "5s1m", "-5m", "5x", "1.5m", "1s1ms", "5m\u{e9}"] {
        assert!(matches!(Window::parse(text), Err(WindowError::Syntax(_))), "{text}");
    }
    for text in ["0s", "500ms", "25h", "1w", "99999999999999999999s"] {
        assert!(matches!(Window::parse(text), Err(WindowError::Range(_))), "{text}");
    }
    assert_eq!(
        Window::parse("five").expect_err("no window").to_string(),
        "expected a duration in whole seconds, such as `5m` or `1h30m`, but found `five`"
    );
}

#[test]
fn a_window_prints_as_it_reads() {
    for text in ["1s", "5m", "1h30m", "1d", "23h59m59s"] {
        assert_eq!(Window::parse(text).expect("a window").to_string(), text);
    }
}
