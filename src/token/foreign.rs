//! Tells the JWTs of others, such as what an application's own users sign in with, from Access Tokens, be these as faulty
//! as can be.

use super::{Buffer, Claim, Ending, Field, Form, Parts, USUAL_HEADERS, read_bytes};

/// Whether this is a readable JWT of which nothing at all is as in a token of Twilio's: neither type, nor key, account,
/// grants, or what legacy tokens have.
pub fn is_foreign(raw: &[u8]) -> bool {
    let header = Parts::split(raw).header;
    if USUAL_HEADERS.iter().any(|usual| usual.as_bytes() == header) {
        return false;
    }
    let mut buffer = Buffer::default();
    let token = read_bytes(raw, Ending::Closed, &mut buffer);
    let (Form::Whole, Some(jwt)) = (&token.form, &token.jwt) else { return false };
    let is_there = |field: &Field| *jwt.claims.value(*field) != Claim::Missing;
    let is_sid = |(field, prefix): &(Field, &str)| {
        jwt.claims.value(*field).text().is_some_and(|text| text.trim_start().starts_with(prefix))
    };
    let keys = [(Field::Iss, "SK"), (Field::Iss, "AC"), (Field::Sub, "AC"), (Field::Sub, "SK"), (Field::Jti, "SK")];
    let is_typed = jwt.claims.value(Field::Cty).text().is_some_and(|text| text.contains("twilio"));
    let members = [Field::Twr, Field::Grants, Field::Identity, Field::Policies];
    let is_legacy = jwt.claims.value(Field::Scope).text().is_some_and(|text| text.starts_with("scope:"));
    !is_typed && !is_legacy && !members.iter().any(is_there) && !keys.iter().any(is_sid)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(header: &Value, payload: &Value, expected: bool) {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signature = URL_SAFE_NO_PAD.encode([7; 32]);
        let raw = format!("{}.{}.{signature}", part(header), part(payload));
        assert_eq!(is_foreign(raw.as_bytes()), expected, "{header} {payload}");
    }

    #[test]
    fn a_token_with_anything_of_twilios_is_not_foreign() {
        let plain = json!({"alg": "HS256", "typ": "JWT"});
        check(&plain, &json!({"sub": "123", "iat": 1, "exp": 2}), true);
        check(&json!({"alg": "RS256", "kid": "a"}), &json!({"iss": "https://example.com/", "scope": "openid"}), true);
        check(&json!({"alg": "HS256", "cty": "twilio-fpa;v=1"}), &json!({}), false);
        check(&json!({"alg": "HS256", "twr": "us1"}), &json!({}), false);
        for payload in [
            json!({"iss": "SK00000000000000000000000000000001"}),
            json!({"iss": "ACxxxx"}),
            json!({"sub": "AC00000000000000000000000000000001"}),
            json!({"grants": null}),
            json!({"grants": {"identity": "x"}}),
            json!({"scope": "scope:client:incoming?clientName=x"}),
            json!({"policies": []}),
        ] {
            check(&plain, &payload, false);
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_foreign() {
        for raw in ["", "undefined", "eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJIUzI1NiJ9.e30", "eyJhbGciOiJIUzI1NiJ9.e30."] {
            assert!(!is_foreign(raw.as_bytes()), "{raw}");
        }
    }
}
