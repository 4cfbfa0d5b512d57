use std::fmt::Write as _;

use super::*;

fn completion(zone: &str) -> Completion {
    let near = UnixTime::parse("2026-01-10T00:00:00Z").unwrap();
    Completion { zone: TimeZone::get(zone).unwrap(), near, after: None }
}

#[track_caller]
fn check(line: &str, expected: &str) {
    let found = find(line.as_bytes()).and_then(|stamp| stamp.complete(&completion("UTC")));
    assert_eq!(found.map_or("none".to_owned(), |time| time.to_string()), expected, "{line}");
}

#[test]
fn the_usual_formats_are_read() {
    check("2026-11-24T02:43:39.228Z Twilsock W: Init", "2026-11-24T02:43:39.228Z");
    check("2026-11-24 02:43:39,228 ERROR [main] c.e.Gateway - x", "2026-11-24T02:43:39.228Z");
    check("2026-11-24T02:43:39+01:00 x", "2026-11-24T01:43:39Z");
    check("24.11.2026 02:43:39,228 x", "2026-11-24T02:43:39.228Z");
    check("24.11.2026, 02:43:39 x", "2026-11-24T02:43:39Z");
    check("24.13.2026 02:43:39 x", "none");
    check("version 24.11.2026 x", "none");
    check("Nov 24, 2026 @ 02:43:39.228", "2026-11-24T02:43:39.228Z");
    check("2018-03-12 09:57:07.517080-0700 ChatQuickstart[36885:11843149]", "2018-03-12T16:57:07.517Z");
    check("[2019-03-12 16:48:14.069] [rtd] [WARNING]", "2019-03-12T16:48:14.069Z");
    check("2026/03/01 12:00:00 [error] 1#1: *7", "2026-03-01T12:00:00Z");
    check("10.2.3.7 - - [01/Mar/2026:12:00:05 +0000] \"POST /x\"", "2026-03-01T12:00:05Z");
    check("Tue Nov 24 02:36:35 2026 x", "2026-11-24T02:36:35Z");
    check("Tue, 24 Nov 2026 02:36:35 GMT x", "2026-11-24T02:36:35Z");
    check("11/24/2026, 2:36:35 PM x", "2026-11-24T14:36:35Z");
    check("Nov 24, 2026 12:36:35 AM x", "2026-11-24T00:36:35Z");
    check("Nov 24 2026 02:36:35 GMT+0100    error", "2026-11-24T01:36:35Z");
    check("20261124T024339Z x", "2026-11-24T02:43:39Z");
    check("I, [2026-11-24T02:43:39.123456 #12]  INFO -- : x", "2026-11-24T02:43:39.123Z");
}

#[test]
fn the_more_exact_of_two_times_before_a_line_is_read() {
    check("2026-03-01 10:00:00 +00:00: 2026-03-01T10:00:00.995Z Twilsock W: x", "2026-03-01T10:00:00.995Z");
    check("2026-03-01T10:00:00: 2026-03-01T10:00:00.995Z Twilsock W: x", "2026-03-01T10:00:00.995Z");
    check("2026-03-01 10:00:00 [2026-03-01T09:00:00.995-01:00] x", "2026-03-01T10:00:00.995Z");
    check("2026-03-01T10:00:00.100Z 2026-03-01T10:00:00.995Z x", "2026-03-01T10:00:00.100Z");
    check("2026-03-01 10:00:00 +00:00: 2026-03-01 10:00:00 x", "2026-03-01T10:00:00Z");
    check("2026-03-01 10:00:00 until 2026-03-01T11:00:00.000Z x", "2026-03-01T10:00:00Z");
}

#[test]
fn a_missing_year_is_the_nearest() {
    check("Dec 31 23:59:59 host app[1]: x", "2025-12-31T23:59:59Z");
    check("Jan  2 00:00:01 host app[1]: x", "2026-01-02T00:00:01Z");
    check("12-28 15:28:06.892 6320-9244/com.app D/OkHttp: x", "2025-12-28T15:28:06.892Z");
    check("E0112 16:48:14.069123       1 main.go:1] x", "2026-01-12T16:48:14.069Z");
}

#[test]
fn a_time_without_a_zone_is_in_the_given_zone() {
    let stamp = find(b"2026-07-01 12:00:00 x").unwrap();
    let time = stamp.complete(&completion("Europe/Berlin")).unwrap();
    assert_eq!(time.to_string(), "2026-07-01T10:00:00Z");
}

#[test]
fn of_day_and_month_in_numbers_the_order_that_is_nearest_is_meant() {
    check("02/01/2026, 14:02:11 x", "2026-01-02T14:02:11Z");
    check("01/02/2026 2:02:11 PM x", "2026-01-02T14:02:11Z");
    check("24/11/2026 14:02:11 x", "2026-11-24T14:02:11Z");
    check("24-11-2026 14:02:11 x", "2026-11-24T14:02:11Z");
    check("02/01/26 14:02:11 x", "2026-01-02T14:02:11Z");
    check("26/01/12 14:02:11 x", "2026-01-12T14:02:11Z");
    check("13/14/2026 14:02:11 x", "none");
}

#[test]
fn what_is_no_time_is_not_taken_for_one() {
    for line in [
        "order 51007 from 10.0.0.1:8080",
        "99-99 99:99:99",
        "2026-13-41T00:00:00Z",
        "",
        "took 12:00:00 x",
        "1:02:03 x",
        "10:20:30:40:50:60 x",
        "25:00:00 x",
        "14:02 x",
        "14:02:11x",
        "10:00:00/5 x",
        "cue 00:00:12,345 --> 00:00:14,000",
    ] {
        check(line, "none");
    }
}

/// A time of day, with when the stream was written and the last time known before.
#[track_caller]
fn check_day(clock: &str, written: &str, after: Option<&str>, zone: &str, expected: &str) {
    let time = |text| UnixTime::parse(text).unwrap();
    let completion = Completion { zone: TimeZone::get(zone).unwrap(), near: time(written), after: after.map(time) };
    let moment = find(clock.as_bytes()).and_then(|stamp| stamp.moment(&completion)).unwrap();
    assert_eq!((moment.time.to_string().as_str(), moment.is_dateless), (expected, true), "{clock}");
}

#[test]
fn a_missing_day_is_that_of_the_stream() {
    let noon = "2026-03-01T12:00:00Z";
    check_day("11:59:59 x", noon, None, "UTC", "2026-03-01T11:59:59Z");
    check_day("13:00:00 x", noon, None, "UTC", "2026-03-01T13:00:00Z");
    check_day("13:00:01 x", noon, None, "UTC", "2026-02-28T13:00:01Z");
    check_day("12:30:00 x", noon, None, "Europe/Berlin", "2026-03-01T11:30:00Z");
    check_day("02:00:00 x", noon, None, "Asia/Tokyo", "2026-02-28T17:00:00Z");
    check_day("23:59:59.5Z x", "2026-03-01T00:00:10Z", None, "Asia/Tokyo", "2026-02-28T23:59:59.500Z");
}

#[test]
fn a_missing_day_follows_on_the_last_time_known() {
    let noon = "2026-03-03T12:00:00Z";
    check_day("10:00:00 x", noon, Some("2026-03-01T09:59:00Z"), "UTC", "2026-03-01T10:00:00Z");
    check_day("09:58:00 x", noon, Some("2026-03-01T09:59:00Z"), "UTC", "2026-03-01T09:58:00Z");
    check_day("00:00:01 x", noon, Some("2026-03-01T23:59:59Z"), "UTC", "2026-03-02T00:00:01Z");
    check_day("14:00:00 x", noon, Some("2026-03-03T11:59:00Z"), "UTC", "2026-03-02T14:00:00Z");
    check_day("08:00:00 x", noon, Some("2026-03-01T09:59:00Z"), "UTC", "2026-03-02T08:00:00Z");
}

/// What each of the loggers in wide use prints by default at 14:02:11 on Sunday, 2026-03-01, read with the time that the
/// line tells: the file was written that evening.
const LOGGERS: &[(&str, &str, &str)] = &[
    // Java
    ("logback, Log4j 2", "14:02:11.123 [main] ERROR com.acme.Bridge - x", "14:02:11.123"),
    ("WildFly", "14:02:11,123 ERROR [com.acme.Bridge] (default task-1) x", "14:02:11.123"),
    ("Log4j 1", "2026-03-01 14:02:11,123 ERROR Bridge:42 - x", "14:02:11.123"),
    ("Spring Boot", "2026-03-01T14:02:11.123Z ERROR 1234 --- [main] c.acme.Bridge : x", "14:02:11.123"),
    ("java.util.logging", "Mar 01, 2026 2:02:11 PM com.acme.Bridge run", "14:02:11"),
    ("Tomcat", "01-Mar-2026 14:02:11.123 SEVERE [main] com.acme.Bridge.run x", "14:02:11.123"),
    ("WebSphere", "[3/1/26 14:02:11:123 UTC] 00000001 SystemOut     O x", "14:02:11.123"),
    ("Liberty", "[3/1/26, 14:02:11:123 UTC] 00000021 com.acme.Bridge E x", "14:02:11.123"),
    ("WebLogic", "####<Mar 1, 2026 2:02:11 PM UTC> <Error> <HTTP> x", "14:02:11"),
    ("Akka", "[ERROR] [03/01/2026 14:02:11.123] [acme-dispatcher-5] [akka://acme] x", "14:02:11.123"),
    // .NET
    ("Serilog console", "[14:02:11 ERR] x", "14:02:11"),
    ("Serilog file", "2026-03-01 14:02:11.123 +00:00 [ERR] x", "14:02:11.123"),
    ("NLog", "2026-03-01 14:02:11.1234|ERROR|Acme.Bridge|x", "14:02:11.123"),
    ("log4net", "2026-03-01 14:02:11,123 [1] ERROR Acme.Bridge - x", "14:02:11.123"),
    (".NET console", "14:02:11 fail: Acme.Bridge[0]", "14:02:11"),
    ("IIS", "2026-03-01 14:02:11 10.0.0.1 POST /token - 443 - 10.0.0.2", "14:02:11"),
    // JavaScript
    ("pino-pretty", "[14:02:11.123] ERROR (1234): x", "14:02:11.123"),
    ("bunyan short", "14:02:11.123Z ERROR acme: x", "14:02:11.123"),
    ("bunyan long", "[2026-03-01T14:02:11.123Z] ERROR: acme/1234 on web-1: x", "14:02:11.123"),
    ("vite", "2:02:11 PM [vite] x", "14:02:11"),
    ("vite, node 20", "2:02:11\u{202f}PM [vite] x", "14:02:11"),
    ("tsc --watch", "[2:02:11 PM] x", "14:02:11"),
    ("gulp", "[14:02:11] x", "14:02:11"),
    ("NestJS", "[Nest] 1234  - 03/01/2026, 2:02:11 PM   ERROR [Bridge] x", "14:02:11"),
    ("consola", "[error] [2:02:11 PM] x", "14:02:11"),
    ("log4js", "[2026-03-01T14:02:11.123] [ERROR] default - x", "14:02:11.123"),
    ("tslog", "2026-03-01 14:02:11.123\tERROR\t[acme] x", "14:02:11.123"),
    ("debug", "Sun, 01 Mar 2026 14:02:11 GMT acme:bridge x", "14:02:11"),
    ("Chrome, Firefox", "14:02:11.123 bridge.js:42 x", "14:02:11.123"),
    ("Chromium", "[1234:5678:0301/140211.123456:ERROR:CONSOLE(42)] x", "14:02:11.123"),
    ("Date, de-DE", "1.3.2026, 14:02:11 x", "14:02:11"),
    ("Date, en-GB", "01/03/2026, 14:02:11 x", "14:02:11"),
    ("Date, ja-JP", "2026/3/1 14:02:11 x", "14:02:11"),
    ("Date.toString()", "Sun Mar 01 2026 14:02:11 GMT+0000 (Coordinated Universal Time) x", "14:02:11"),
    ("Vercel", "14:02:11.12  ERROR x", "14:02:11.120"),
    // Python
    ("logging", "2026-03-01 14:02:11,123 - acme.bridge - ERROR - x", "14:02:11.123"),
    ("loguru", "2026-03-01 14:02:11.123 | ERROR    | acme.bridge:run:42 - x", "14:02:11.123"),
    ("structlog", "2026-03-01 14:02:11 [error    ] x", "14:02:11"),
    ("gunicorn", "[2026-03-01 14:02:11 +0000] [123] [ERROR] x", "14:02:11"),
    ("celery", "[2026-03-01 14:02:11,123: ERROR/MainProcess] x", "14:02:11.123"),
    ("Airflow", "[2026-03-01, 14:02:11 UTC] {bridge.py:42} ERROR - x", "14:02:11"),
    ("Django", "[01/Mar/2026 14:02:11] \"POST /token HTTP/1.1\" 401 58", "14:02:11"),
    ("rich", "[14:02:11] ERROR    x    bridge.py:42", "14:02:11"),
    // Ruby, PHP, Perl
    ("Ruby Logger", "E, [2026-03-01T14:02:11.123456 #1234] ERROR -- : x", "14:02:11.123"),
    ("Sidekiq", "2026-03-01T14:02:11.123Z pid=1234 tid=abc class=Bridge ERROR: x", "14:02:11.123"),
    ("Monolog", "[2026-03-01T14:02:11.123456+00:00] acme.ERROR: x {} []", "14:02:11.123"),
    ("Laravel", "[2026-03-01 14:02:11] production.ERROR: x", "14:02:11"),
    ("error_log", "[01-Mar-2026 14:02:11 UTC] PHP Fatal error:  x", "14:02:11"),
    ("php -S", "[Sun Mar  1 14:02:11 2026] x", "14:02:11"),
    ("Log::Log4perl", "2026/03/01 14:02:11 ERROR> bridge.pl:42 main:: - x", "14:02:11"),
    // Go
    ("log", "2026/03/01 14:02:11 x", "14:02:11"),
    ("log, microseconds", "2026/03/01 14:02:11.123456 bridge.go:42: x", "14:02:11.123"),
    ("slog", "time=2026-03-01T14:02:11.123Z level=ERROR msg=x", "14:02:11.123"),
    ("zap", "2026-03-01T14:02:11.123Z\terror\tbridge/bridge.go:42\tx", "14:02:11.123"),
    ("zerolog console", "2:02PM ERR x", "14:02:00"),
    ("charmbracelet", "2026/03/01 14:02:11 ERRO x", "14:02:11"),
    ("logrus", "ERRO[2026-03-01T14:02:11Z] x", "14:02:11"),
    ("klog", "E0301 14:02:11.123456   12345 bridge.go:42] x", "14:02:11.123"),
    ("glog", "E20260301 14:02:11.123456 12345 bridge.cc:42] x", "14:02:11.123"),
    // Rust, Elixir, Erlang, Dart
    ("tracing", "2026-03-01T14:02:11.123456Z ERROR acme::bridge: x", "14:02:11.123"),
    ("env_logger", "[2026-03-01T14:02:11Z ERROR acme::bridge] x", "14:02:11"),
    ("Elixir", "14:02:11.123 [error] x", "14:02:11.123"),
    ("Erlang", "=ERROR REPORT==== 1-Mar-2026::14:02:11.123456 ===", "14:02:11.123"),
    ("Dart logging", "SEVERE: 2026-03-01 14:02:11.123456: x", "14:02:11.123"),
    // Phones
    ("logcat time", "03-01 14:02:11.123 E/Bridge( 1234): x", "14:02:11.123"),
    ("logcat threadtime", "03-01 14:02:11.123  1234  5678 E Bridge  : x", "14:02:11.123"),
    ("logcat long", "[ 03-01 14:02:11.123  1234: 5678 E/Bridge   ]", "14:02:11.123"),
    ("logcat year, zone", "2026-03-01 14:02:11.123 +0000  1234  5678 E Bridge: x", "14:02:11.123"),
    ("Android Studio", "2026-03-01 14:02:11.123  1234-5678  Bridge  com.acme.app  E  x", "14:02:11.123"),
    ("NSLog", "2026-03-01 14:02:11.123456+0000 Acme[1234:567890] x", "14:02:11.123"),
    (
        "log stream",
        "2026-03-01 14:02:11.123456+0000 0x1a2b     Error       0x0     1234   0    Acme: x",
        "14:02:11.123",
    ),
    ("log stream compact", "2026-03-01 14:02:11.123 E  Acme[1234:567890] x", "14:02:11.123"),
    ("fastlane", "[14:02:11]: x", "14:02:11"),
    // Servers and platforms
    ("nginx", "2026/03/01 14:02:11 [error] 1#1: *7 x", "14:02:11"),
    ("Apache", "[Sun Mar 01 14:02:11.123456 2026] [proxy:error] [pid 1:tid 2] x", "14:02:11.123"),
    ("HAProxy", "haproxy[1]: 10.0.0.1:4242 [01/Mar/2026:14:02:11.123] web app/a1 0/0/0/5/5 401 58", "14:02:11.123"),
    ("PostgreSQL", "2026-03-01 14:02:11.123 UTC [1234] ERROR:  x", "14:02:11.123"),
    ("Lambda", "2026-03-01T14:02:11.123Z\t0b9c2f6e-7c1d-4c7e-9b1a-000000000001\tERROR\tx", "14:02:11.123"),
    ("Lambda, Python", "[ERROR]\t2026-03-01T14:02:11.123Z\t0b9c2f6e-7c1d-4c7e-9b1a-000000000001\tx", "14:02:11.123"),
    ("Heroku", "2026-03-01T14:02:11.123456+00:00 app[web.1]: x", "14:02:11.123"),
    ("Azure App Service", "2026-03-01T14:02:11.123456789Z x", "14:02:11.123"),
    ("Cisco", "Mar  1 2026 14:02:11: %ASA-3-x", "14:02:11"),
    ("syslog", "Mar  1 14:02:11 web-1 acme[1234]: x", "14:02:11"),
    ("journalctl short-precise", "Mar 01 14:02:11.123456 web-1 acme[1234]: x", "14:02:11.123"),
    ("journalctl short-full", "Sun 2026-03-01 14:02:11 UTC web-1 acme[1234]: x", "14:02:11"),
    ("date", "Sun Mar  1 14:02:11 UTC 2026 x", "14:02:11"),
    ("date, en_US", "Sun Mar  1 02:02:11 PM UTC 2026 x", "14:02:11"),
    ("date, en_GB", "Sun  1 Mar 14:02:11 UTC 2026 x", "14:02:11"),
    ("PowerShell", "Sunday, March 1, 2026 2:02:11 PM x", "14:02:11"),
    ("PostgreSQL abroad", "2026-03-01 06:02:11.123 PST [1234] ERROR:  x", "14:02:11.123"),
    ("date abroad", "Sun Mar  1 15:02:11 CET 2026 x", "14:02:11"),
    ("Redis", "1:M 01 Mar 2026 14:02:11.123 # x", "14:02:11.123"),
    ("Fortinet", "date=2026-03-01 time=14:02:11 devname=x", "14:02:11"),
    ("Event Viewer", "\"2026-03-01\",\"14:02:11\",x", "14:02:11"),
    ("rich, dates", "[03/01/26 14:02:11] ERROR    x", "14:02:11"),
    ("Spark", "26/03/01 14:02:11 ERROR Bridge: x", "14:02:11"),
    ("Oracle", "2026-Mar-01 14:02:11 x", "14:02:11"),
    ("a table", "2026-03-01,14:02:11,x", "14:02:11"),
    ("Salesforce", "14:02:11.123 (123456789)|USER_DEBUG|[42]|ERROR|x", "14:02:11.123"),
];

#[test]
fn what_loggers_print_by_default_is_read() {
    let near = UnixTime::parse("2026-03-01T20:00:00Z").unwrap();
    let completion = Completion { zone: TimeZone::UTC, near, after: None };
    let mut wrong = String::new();
    for (logger, line, expected) in LOGGERS {
        let expected = format!("2026-03-01T{expected}Z");
        let found = find(line.as_bytes()).and_then(|stamp| stamp.complete(&completion));
        let found = found.map_or("none".to_owned(), |time| time.to_string());
        if found != expected {
            _ = writeln!(wrong, "{logger}: expected {expected}, but found {found}: {line}");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
