//! Bytes that no logger should write, through the core: no panic, bounded results, the same however they are cut.
#![cfg(test)]

#[path = "support/case.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod case;
#[path = "support/mint.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod mint;
#[path = "support/recipe.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod recipe;

use diag51007::token::{self, Buffer, Claim, Ending, Field, Form};
use proptest::prelude::*;

use case::{Run, usual_keyring};
use recipe::expand;

/// What follows the hostile bytes must still be found.
const REFUSAL: &str = "\n2026-03-01T10:00:00Z error Twilio error code=51007 \"Token authentication is rejected\" \
                       token={{token exp=\"2026-03-01T09:58:30Z\"}}\n";
/// Larger than any limit of a line.
const HUGE_BYTES: usize = 8 << 20;

/// The hostile bytes, then a refusal, in blocks: the refusal is found, and so are so many others.
#[track_caller]
fn check(what: &str, mut log: Vec<u8>, others: usize) {
    log.extend_from_slice(expand(REFUSAL).as_bytes());
    let run = Run::plain(log, usual_keyring());
    let found = run.diagnose((1 << 16..run.log.len()).step_by(1 << 16));
    assert_eq!(found.len(), others + 1, "{what}: {:?}", found.iter().map(|d| (d.line, d.cause)).collect::<Vec<_>>());
    let last = found.last().expect("the refusal");
    assert_eq!(last.cause.id(), "expired", "{what}");
    assert_eq!(run.diagnose([]), found, "{what}: in one piece");
}

#[test]
fn a_line_longer_than_the_limit_does_not_hide_the_next() {
    check("letters", vec![b'x'; HUGE_BYTES], 0);
    check("token letters", [b"eyJ".repeat(HUGE_BYTES / 3), b".".repeat(9)].concat(), 0);
    check("quotes", vec![b'"'; HUGE_BYTES], 0);
    check("backslashes", vec![b'\\'; HUGE_BYTES], 0);
    check("digits", b"51007".repeat(HUGE_BYTES / 5), 0);
}

#[test]
fn nuls_and_broken_utf_8_are_no_obstacle() {
    check("NULs", vec![0; 1 << 20], 0);
    check("0xff", vec![0xff; 1 << 20], 0);
    check("around a refusal", b"\0\0\xff\xfe error Twilio error code=51007 \xc3\x28\n".to_vec(), 1);
}

#[test]
fn deep_json_is_no_obstacle() {
    check("arrays", b"[".repeat(1 << 20), 0);
    check("objects", b"{\"a\":".repeat(1 << 18), 0);
    let nested = format!("{}{}", "{\"a\":".repeat(100_000), "1}".repeat(100_000));
    check("a deep line with a code", format!("{nested} Twilio error code=51007").into_bytes(), 1);
}

#[test]
fn a_token_of_a_megabyte_is_a_finding() {
    let token = format!("{}.{}.{}", "eyJhbGciOiJIUzI1NiJ9", "e30".repeat(350_000), "x".repeat(43));
    check("token", format!("Twilio error code=51007 token={token}\n").into_bytes(), 1);
}

/// Inputs on which a search that begins anew for each hit, key or line takes minutes.
#[test]
fn what_stands_there_ten_thousand_times_is_looked_at_once() {
    let refused = "2026-03-01T10:00:00Z error Twilio error 51007 ";
    for unit in
        ["token=", "token={", "token=[", "token=(", "token=Promise {", "access_token=", "jtiS", ",20101", "code=20101 "]
    {
        check(unit, format!("{refused}{}\n", unit.repeat((1 << 19) / unit.len())).into_bytes(), 1);
    }
    check("codes of nobody", format!("{}\n", "code=20101 ".repeat(50_000)).into_bytes(), 0);
    check("digits", "51007".repeat(100_000).into_bytes(), 0);
    check("padding", format!("{refused}token=eyJ{}\n", "=".repeat(16_000)).repeat(20).into_bytes(), 20);
    check("brackets that close", "} 51007 twilio error\n".repeat(20_000).into_bytes(), 0);
    let beginnings = format!("eyJ{}.\n", "c".repeat(40)).repeat(100);
    check("beginnings of tokens", format!("{refused}\n{beginnings}").repeat(20).into_bytes(), 20);
}

#[test]
fn a_multi_line_object_without_an_end_is_no_obstacle() {
    check("object", format!("Twilsock D: receive reply: {{\n{}", "  a: 1,\n".repeat(100_000)).into_bytes(), 0);
    check("brackets", b"x {\n".repeat(100_000), 0);
    let piece = b"2026-03-01T10:00:00.123456789Z stdout P   Twilio error code=51007\n";
    check("pieces of a line", piece.repeat(2_000), 1_936);
}

/// Pieces of which hostile logs are made: more of them mean something than random bytes would.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let fixed: Vec<Vec<u8>> = [
        "\n",
        "\r\n",
        " ",
        "\"",
        "\\\"",
        "{",
        "}",
        "[",
        "error code=51007",
        "\"errorCode\":51007",
        "Twilsock W: Init rejected by server: ",
        "Twilsock D: send request: TWILSOCK V3.0 9{\"method\":\"init\",\"token\":\"",
        "2026-03-01T10:00:00Z ",
        "{\"log\":\"",
        "\\n\",\"stream\":\"stdout\",\"time\":\"2026-03-01T10:00:00Z\"}\n",
        "2026-03-01T10:00:00.0Z stdout P ",
        "2026-03-01T10:00:00.0Z stdout F ",
        "<131>1 2026-03-01T10:00:00Z h a 1 - - ",
        "{\"level\":50,\"time\":1772359200000,\"msg\":\"",
        "APP x {\n  errorCode: 51007\n}\n",
        "Traceback (most recent call last):\n  File \"x.py\", line 3\n    raise E(\"error code 51007\")\n",
        "x.ChatError: Twilio error 51007: Token authentication is rejected\n",
        "2026-03-01 10:00:00,000 ERROR gw.chat: Twilio error 51007\n",
        "\u{1b}[31m",
        "\\u001b[0m",
        "SyncError: Updated token was rejected by server (status: 400, code: 51130)\n",
        "jti={{SK1}}-1772359140 ",
        "***",
        "…",
        "{{token}}",
        "{{token cut=40}}",
        "{{token exp=\"2026-03-01T09:58:30Z\"}}",
    ]
    .map(|text| expand(text).into_bytes())
    .into();
    prop_oneof![
        9 => proptest::sample::select(fixed),
        1 => proptest::collection::vec(any::<u8>(), 1..8),
    ]
}

#[test]
fn logs_that_once_depended_on_their_cuts_no_longer_do() {
    let object = "APP x {\n  errorCode: 51007\n}\n";
    let unfinished = "Twilsock D: send request: TWILSOCK V3.0 9{\"method\":\"init\",\"token\":\"";
    for log in [
        format!("{object}{unfinished}{object}"),
        format!("{object}error code=51007 {}\n", expand("{{token}}")),
        format!("error code=51007\n{object}{}\n", expand("{{token}}")),
        format!("x.E: Twilio error 51007\n{0}\n{object}{0} {object}", expand("{{token}}")),
    ] {
        let run = Run::plain(log.into_bytes(), usual_keyring());
        let whole = run.diagnose([]);
        assert_eq!(run.diagnose(1..run.log.len()), whole, "{}", String::from_utf8_lossy(&run.log));
        for cut in 1..run.log.len() {
            assert_eq!(run.diagnose([cut]), whole, "cut after byte {cut}: {}", String::from_utf8_lossy(&run.log));
        }
    }
}

proptest! {
    // The seed is fixed, so that a commit is either good or bad; PROPTEST_CASES=10000 looks further.
    #![proptest_config(ProptestConfig {
        rng_seed: proptest::test_runner::RngSeed::Fixed(51007),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_same_bytes_give_the_same_diagnoses_however_they_are_cut(
        pieces in proptest::collection::vec(piece(), 0..40),
        places in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let run = Run::plain(pieces.concat(), usual_keyring());
        let whole = run.diagnose([]);
        let mut cuts: Vec<usize> = places.iter().map(|place| place.index(run.log.len() + 1)).collect();
        cuts.sort_unstable();
        prop_assert_eq!(&run.diagnose(cuts), &whole);
        prop_assert_eq!(&run.diagnose(1..run.log.len().max(1)), &whole);
        let ids: std::collections::BTreeSet<_> = whole.iter().map(|diagnosis| diagnosis.id.clone()).collect();
        prop_assert_eq!(ids.len(), whole.len(), "one diagnosis a rejection");
    }

    #[test]
    fn what_was_minted_is_read_back(jti in any::<String>(), identity in any::<String>(), exp in any::<i64>()) {
        let mut draft = mint::Draft::valid_at(mint::REFUSED_AT);
        draft.payload.insert("jti".to_owned(), jti.clone().into());
        draft.payload.insert("exp".to_owned(), exp.into());
        draft.payload.insert("grants".to_owned(), serde_json::json!({ "identity": identity }));
        let (minted, mut buffer) = (draft.sign(), Buffer::default());
        let token = token::read_bytes(minted.as_bytes(), Ending::Closed, &mut buffer);
        prop_assert_eq!(&token.form, &Form::Whole);
        let claims = &token.jwt.as_ref().expect("a whole token").claims;
        prop_assert_eq!(claims.value(Field::Jti).text(), Some(jti.as_str()));
        prop_assert_eq!(claims.value(Field::Identity).text(), Some(identity.as_str()));
        prop_assert_eq!(claims.value(Field::Exp), &Claim::Integer(exp));
    }
}
