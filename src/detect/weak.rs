//! Messages that others print as well: they count only where one of Twilio's SDKs says them, or where Twilio is what they
//! are about.

use memchr::memmem;

use super::sdk;

/// How far from such a message an SDK's words count, in bytes.
const NEAR: usize = 4 << 10;
/// How far before it the name of Twilio does.
const SUBJECT: usize = 64;
/// How far from the status the code of a reply stands.
const REPLY: usize = 64;

/// The status of a reply.
const STATUS: &str = "UNAUTHORIZED";
const WEAK: [&str; 3] = [STATUS, "AUTHENTICATION_FAILED", "Authentication fail"];

/// Others print this message, too.
pub(super) fn is_weak(message: &str) -> bool {
    WEAK.contains(&message)
}

/// Some such message in the text is of Twilio; `has_twilio` says whether a stretch of it holds a word of Twilio.
pub(super) fn is_of_twilio(text: &[u8], has_twilio: impl Fn(&[u8]) -> bool) -> bool {
    const EACH_MAX: usize = 16;
    WEAK.iter().any(|weak| {
        let at = memmem::find_iter(text, weak.as_bytes()).take(EACH_MAX);
        at.map(|at| (at, at + weak.len())).any(|place| counts(text, place, *weak == STATUS, &has_twilio))
    })
}

fn counts(text: &[u8], (at, end): (usize, usize), is_status: bool, has_twilio: impl Fn(&[u8]) -> bool) -> bool {
    if text.get(..at).and_then(<[u8]>::last).is_some_and(|before| before.is_ascii_alphanumeric() || *before == b'_') {
        return false;
    }
    let around = |far: usize| text.get(at.saturating_sub(far)..text.len().min(end + far)).unwrap_or_default();
    let near = around(NEAR);
    if sdk::told(near).is_of_sdk() {
        return true;
    }
    let before = text.get(at.saturating_sub(SUBJECT)..at).unwrap_or_default();
    if is_status {
        return has_code(around(REPLY)) && has_twilio(around(4 * REPLY));
    }
    memmem::find_iter(before, b"Twilio").any(|at| is_subject(before, at))
}

/// `"code":401`, as replies of Twilsock have it.
fn has_code(text: &[u8]) -> bool {
    const CODES: [&[u8]; 5] = [br#""code":401"#, br#""code": 401"#, br#"\"code\":401"#, b"code: 401", b"code:401"];
    CODES.iter().any(|code| memmem::find(text, code).is_some())
}

/// The name stands free, and not as a part of a path, a host or an address.
fn is_subject(text: &[u8], at: usize) -> bool {
    let before = text.get(..at).and_then(<[u8]>::last);
    let name = text.get(at..).unwrap_or_default();
    let length = name.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"/-_.@".contains(byte));
    !is_part(before) && !is_part(name.get(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: bool) {
        let has_twilio = |text: &[u8]| memmem::find(&text.to_ascii_lowercase(), b"twilio").is_some();
        assert_eq!(is_of_twilio(text.as_bytes(), has_twilio), expected, "{text}");
    }

    #[test]
    fn a_message_of_many_counts_where_twilio_is_what_it_is_about() {
        for line in [
            r#"Twilsock W: Init rejected by server: {"code":401,"status":"UNAUTHORIZED"}"#,
            r#"chat: twilio closed {"code":401,"status":"UNAUTHORIZED"}"#,
            "Reply status for init request is not success: 401, AUTHENTICATION_FAILED",
            "TwilioException: Authentication failed",
            "Twilsock I: connection closed by server, reason is UNAUTHORIZED",
        ] {
            check(line, true);
        }
        for line in [
            "GET /twilio/health 401 UNAUTHORIZED 12ms",
            r#"{"status":"UNAUTHORIZED","path":"/api/twilio/token","message":"login required"}"#,
            r#"{"httpStatus":"UNAUTHORIZED","error":"session expired","route":"/twilio/access-token"}"#,
            "HTTP/1.1 401 UNAUTHORIZED  X-Forwarded-Host: twilio.example.com",
            "Twilio webhook signature validation failed for /sms: 403 UNAUTHORIZED",
            "INFO twilio client connected; previous status UNAUTHORIZED cleared",
            "SIP_STATUS_UNAUTHORIZED twilio trunk 401",
            "sshd[51007]: Authentication failed for twilio from 10.0.0.1",
            "twilio-proxy: upstream smtp Authentication failed 535",
            "kafka SASL authentication failed for client twilio-events (AUTHENTICATION_FAILED)",
            "mongo: AuthenticationFailed: Authentication failed. db=twilio_logs",
            "Error: Invalid login: 535 Authentication failed: Bad username / password (sendgrid by twilio)",
            "POST /Twilio/x Authentication failed",
        ] {
            check(line, false);
        }
        check(&format!("Twilsock {}UNAUTHORIZED", " ".repeat(NEAR)), false);
    }
}
