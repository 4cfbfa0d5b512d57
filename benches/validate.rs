//! The cost of judging one token: decoding, verifying, and looking for the mistake behind a bad signature.
//!
//! Every case judges the same number of different tokens, so the figures compare. `good` fits its key, `newline` was
//! signed with the key's secret and a newline, `unknown` with a secret that nothing explains: all guesses are tried.
//! `flood` is `unknown` as the core meets it, with the memory of how guessing went; `again` is `unknown` for tokens that
//! were judged before.
#![expect(clippy::expect_used, clippy::panic, reason = "a benchmark fails by panicking")]

#[path = "../tests/support/mint.rs"]
#[allow(dead_code, reason = "shared with the tests; each uses a part")]
mod mint;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use diag51007::cause::Cause;
use diag51007::diagnosis::{Fingerprint, Found};
use diag51007::finding::TimeSource;
use diag51007::keyring::{Account, Key, KeyKind, KeyRing, Secret};
use diag51007::product::Product;
use diag51007::time::UnixTime;
use diag51007::token::{Ending, Sent};
use diag51007::validate::signature::Signed;
use diag51007::validate::{Attempts, Context, validate};

use mint::{AUTH_TOKEN, Draft, REFUSED_AT, SECRET, sid};

const TOKENS: i64 = 20_000;

fn keyring() -> KeyRing {
    let key = Key {
        sid: sid("SK", "1"),
        account: Some(sid("AC", "1")),
        secret: Some(Secret::new(SECRET)),
        region: None,
        kind: KeyKind::Standard,
    };
    let account = Account { sid: sid("AC", "1"), region: None, auth_token: Some(Secret::new(AUTH_TOKEN)) };
    KeyRing::new(vec![key], vec![account])
}

/// Different tokens, signed with a secret.
fn tokens(secret: &[u8]) -> Vec<Sent> {
    let token = |number: i64| {
        let mut draft = Draft::valid_at(REFUSED_AT - 7200);
        draft.payload.insert("exp".to_owned(), (REFUSED_AT - 90 - number).into());
        draft.secret = secret.to_vec();
        Sent { raw: draft.sign().into_bytes().into(), ending: Ending::Closed }
    };
    (0..TOKENS).map(token).collect()
}

/// How much the judge remembers.
#[derive(Clone, Copy, PartialEq)]
enum Memory {
    Nothing,
    Attempts,
    Signatures,
}

fn judge(tokens: &[Sent], ring: &KeyRing, memory: Memory, expected: Cause) {
    let mut attempts = Attempts::default();
    let known = Signed::Unproved { tried_all: true };
    for sent in tokens {
        let context = Context {
            refused_at: UnixTime::from_seconds(REFUSED_AT),
            product: Product::Chat,
            endpoint_region: None,
            keyring: ring,
            leeway_seconds: 0,
            told_by: TimeSource::Line,
            refused_before: None,
            known_signature: (memory == Memory::Signatures).then_some(&known),
            attempts: (memory == Memory::Attempts).then_some(&attempts),
        };
        let verdict = validate(sent, Found::SameLine, Fingerprint([0; 8]), &context);
        if let (Some(signed), Some(key)) = (&verdict.signature, &verdict.report.key_sid) {
            attempts.note(key, signed, ring);
        }
        let cause = verdict.findings.first().map(diag51007::finding::Finding::cause);
        assert_eq!(cause, Some(expected));
        black_box(verdict);
    }
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("validate");
    group.sample_size(10).throughput(Throughput::Elements(TOKENS.unsigned_abs()));
    let newline = [SECRET.as_bytes(), b"\n"].concat();
    let unknown = b"nobody knows this one";
    let cases: [(&str, &[u8], Memory, Cause); 5] = [
        ("good", SECRET.as_bytes(), Memory::Nothing, Cause::Expired),
        ("newline", &newline, Memory::Nothing, Cause::WrongSecret),
        ("unknown", unknown, Memory::Nothing, Cause::SignatureInvalid),
        ("flood", unknown, Memory::Attempts, Cause::SignatureInvalid),
        ("again", unknown, Memory::Signatures, Cause::SignatureInvalid),
    ];
    for (name, secret, memory, expected) in cases {
        let (tokens, ring) = (tokens(secret), keyring());
        group.bench_function(name, |bencher| bencher.iter(|| judge(&tokens, &ring, memory, expected)));
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
