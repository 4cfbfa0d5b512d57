//! Reading a token never panics, and what was minted is read back as it was: the first byte parts `jti` from `identity`.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diag51007::token::{Buffer, Ending, Field, Form, read_bytes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for ending in [Ending::Closed, Ending::Cut, Ending::LineEnd] {
        read_bytes(data, ending, &mut Buffer::default());
    }
    let Some((at, rest)) = data.split_first() else { return };
    let (jti, identity) = rest.split_at(usize::from(*at) % (rest.len() + 1));
    let (Ok(jti), Ok(identity)) = (std::str::from_utf8(jti), std::str::from_utf8(identity)) else { return };
    if rest.len() > 4096 {
        return;
    }
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(serde_json::json!({"alg": "HS256", "typ": "JWT", "cty": "twilio-fpa;v=1"}));
    let payload = part(serde_json::json!({"jti": jti, "exp": 7, "grants": {"identity": identity}}));
    let minted = format!("{header}.{payload}.{}", "A".repeat(43));
    let mut buffer = Buffer::default();
    let token = read_bytes(minted.as_bytes(), Ending::Closed, &mut buffer);
    assert_eq!(token.form, Form::Whole);
    let jwt = token.jwt.expect("a whole token can be read");
    assert_eq!(jwt.claims.value(Field::Jti).text(), Some(jti));
    assert_eq!(jwt.claims.value(Field::Identity).text(), Some(identity));
});
