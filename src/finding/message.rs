//! Findings in words, in one grammar: expected …, but found … (by how much).

use std::fmt;

use super::{
    Capability, Change, Finding, IDENTITY_CHARS_MAX, IdentityFault, KeyHistory, LIFETIME_SECONDS_MAX, Shown, TimeFault,
    TimeSource,
};
use crate::cause::Cause;
use crate::keyring::KeyKind;
use crate::product::Product;
use crate::time::UnixTime;
use crate::token::{Extent, Fault, Field, Instead, Missing, Part, SIGNATURE_CHARS, TOKEN_BYTES_MAX};

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAToken { found } => write!(f, "expected an Access Token, but found {}", Something(found)),
            Self::SecretAsToken { whose } => {
                write!(f, "expected an Access Token, but found {whose}, which a client has now: rotate it")
            }
            Self::CapabilityToken { found } => capability(f, *found),
            Self::Malformed { part, fault } => malformed(f, *part, *fault),
            Self::Truncated { missing } => truncated(f, *missing),
            Self::AlgorithmUnsupported { found } => write!(f, "expected `alg` HS256, but found {found}"),
            Self::HeaderInvalid { field, expected, found } => named(f, *field, expected, found),
            Self::IssuerInvalid { found } => {
                named(f, Field::Iss, "to be an API key SID (SK…)", found)?;
                kind_of_sid(f, found)
            }
            Self::AccountInvalid { found } => {
                named(f, Field::Sub, "to be an Account SID (AC…)", found)?;
                kind_of_sid(f, found)
            }
            Self::AccountMismatch { key_sid, expected, found } => {
                write!(f, "expected `sub` {expected}, which owns {key_sid}, but found {found}")
            }
            Self::KeyNotAllowed { key_sid, kind } => {
                write!(f, "expected a Main or Standard key, but found {key_sid}, {}", kind_of_key(*kind))
            }
            Self::WrongSecret { key_sid, mistake } => {
                write!(f, "expected a signature with the secret of {key_sid}, but found one made with {mistake}")
            }
            Self::Tampered { changes } => tampered(f, changes),
            Self::SignatureInvalid { key_sid, tried_all, history } => {
                signature(f, key_sid, *tried_all, history.as_ref())
            }
            Self::TimeClaimInvalid { field, fault, found } => time_claim(f, *field, *fault, found),
            Self::NotYetValid { field, valid_from, refused_at, told_by } => {
                not_yet_valid(f, *field, *valid_from, (*refused_at, *told_by))
            }
            Self::StaleReuse { expired_at, first_refused_at, times } => {
                stale(f, *expired_at, *first_refused_at, *times)
            }
            Self::LifetimeTooShort { from, lifetime_seconds } => too_short(f, *from, *lifetime_seconds),
            Self::Expired { expired_at, refused_at, told_by } => expired(f, *expired_at, *refused_at, *told_by),
            Self::LifetimeTooLong { from, lifetime_seconds } => lifetime(f, *from, *lifetime_seconds),
            Self::GrantsMissing { found } => write!(f, "expected `grants`, but found {found}"),
            Self::GrantsMalformed { field, expected, found } => at_path(f, *field, expected, found),
            Self::Duplicate { field } => write!(f, "expected one `{}`, but found several", field.path()),
            Self::IdentityMissing { found } => at_path(f, Field::Identity, "a text", found),
            Self::IdentityInvalid { fault } => identity(f, *fault),
            Self::ProductGrantMissing { product, present, elsewhere } => {
                product_grant(f, *product, present, elsewhere.as_deref())
            }
            Self::GrantIncomplete { fields, found, .. } => incomplete(f, fields, found),
            Self::GrantSidInvalid { field, found } => grant_sid(f, *field, found),
            Self::VideoRegion { found, of_key } => video_region(f, found, of_key.as_deref()),
            Self::RegionMismatch { token, key, endpoint } => region(f, token, *key, *endpoint),
            Self::Encrypted => f.write_str(
                "expected a signed token, but found an encrypted one (JWE, as Flex has them: only Twilio can read it)",
            ),
            Self::Masked { extent } => masked(f, *extent),
            Self::Cut => f.write_str("expected a whole token, but found that the logger has cut it"),
            Self::NoneFound { signature_checked, product } => none_found(f, *signature_checked, *product),
            Self::Earlier { message, .. } => f.write_str(message),
            Self::LeftOpen { code, title, causes, .. } => left_open(f, *code, title, causes),
            Self::Disagreement { code, named, shown: Cause::NoneFound } => unseen(f, *code, named.id()),
            Self::Disagreement { code, named, shown } => disagreement(f, *code, named.id(), shown.id()),
        }
    }
}

/// What was sent instead of a token, in words.
struct Something<'a>(&'a Instead);

impl fmt::Display for Something<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Instead::Empty => f.write_str("an empty text"),
            Instead::Word(word @ "[object Object]") => write!(f, "`{word}`: pass its token member, not the object"),
            Instead::Word(word) => write!(f, "`{word}`"),
            Instead::Promise => f.write_str("a promise: await it, and pass what it gives"),
            Instead::Json => f.write_str("JSON: pass the text of its token member, if it has one"),
            Instead::Quoted => f.write_str("a text in quotes: pass what is between them"),
            Instead::Bytes => f.write_str(
                "`b'…'`, a text that Python makes of bytes with `str()`: call `decode()` on what `to_jwt()` gives",
            ),
            Instead::BearerOf(word) => write!(f, "`Bearer {word}`: there was no token behind it"),
            Instead::Status(words) => write!(f, "`{words}`: the token endpoint answers with an error"),
            Instead::Bearer => f.write_str("`Bearer` and a text: pass the text only"),
            Instead::Printed => f.write_str("an object as Python prints it: pass what its `to_jwt()` gives"),
            Instead::Html => f.write_str("HTML: the token endpoint answers with a page"),
            Instead::Twiml => f.write_str("TwiML: the client asks a call webhook for its token"),
            Instead::Xml => f.write_str("XML"),
            Instead::Url => f.write_str("an address: fetch the token from it first"),
            Instead::Sid(sid) => write!(f, "the SID {sid}"),
            Instead::Hexadecimal => f.write_str(
                "32 hexadecimal digits: an Auth Token, which no client may get, or a digest that was logged instead",
            ),
            Instead::Placeholder => f.write_str("a placeholder"),
            Instead::Text(count) => write!(f, "{}", Shown::Text(*count)),
        }
    }
}

fn capability(f: &mut fmt::Formatter<'_>, found: Capability) -> fmt::Result {
    let kind = match found {
        Capability::Client => "Client",
        Capability::TaskRouter => "TaskRouter",
    };
    write!(
        f,
        "expected an Access Token with `grants`, but found a {kind} capability token with `{}`",
        found.field().name()
    )
}

fn malformed(f: &mut fmt::Formatter<'_>, part: Part, fault: Fault) -> fmt::Result {
    let part = part.path();
    match fault {
        Fault::TooLong(bytes) => write!(f, "expected a token of at most {TOKEN_BYTES_MAX} bytes, but found {bytes}"),
        Fault::Parts(count) => write!(f, "expected three parts between dots, but found {count}"),
        Fault::Empty => write!(f, "expected a {part}, but found nothing in its place"),
        Fault::Base64(at) => {
            write!(f, "expected base64url in the {part}, but found another character at its byte {at}")
        }
        Fault::Length(count) => {
            write!(f, "expected base64url in the {part}, but found {count} characters, a length that it can't have")
        }
        Fault::Json(at) => write!(f, "expected JSON in the {part}, but found something else at its decoded byte {at}"),
        Fault::JsonEnds => write!(f, "expected JSON in the {part}, but found that it ends early"),
        Fault::NotAnObject => write!(f, "expected a JSON object in the {part}, but found another value"),
        Fault::CaseFolded => f.write_str(
            "expected capital and small letters, but found one case only: something has changed all letters",
        ),
        Fault::SignatureLength(count) => {
            write!(f, "expected a signature of {SIGNATURE_CHARS} characters, but found {count}")
        }
    }
}

fn truncated(f: &mut fmt::Formatter<'_>, missing: Missing) -> fmt::Result {
    match missing {
        Missing::Header => f.write_str("expected three parts, but found an end inside the header"),
        Missing::Payload => f.write_str("expected three parts, but found an end in the payload or before it"),
        Missing::Signature => f.write_str("expected a signature, but found nothing after the payload"),
        Missing::SignatureTail(count) => write!(
            f,
            "expected a signature of {SIGNATURE_CHARS} characters, but found {count} ({} too few)",
            SIGNATURE_CHARS.saturating_sub(count)
        ),
    }
}

fn named(f: &mut fmt::Formatter<'_>, field: Field, expected: &str, found: &Shown) -> fmt::Result {
    write!(f, "expected `{}` {expected}, but found {found}", field.name())
}

fn at_path(f: &mut fmt::Formatter<'_>, field: Field, expected: &str, found: &Shown) -> fmt::Result {
    write!(f, "expected {expected} in `{}`, but found {found}", in_payload(field))
}

/// The path as a person writes it, without the part.
fn in_payload(field: Field) -> &'static str {
    field.path().strip_prefix("payload.").unwrap_or(field.path())
}

const fn kind_of_key(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Main => "a Main key",
        KeyKind::Standard => "a Standard key",
        KeyKind::Restricted => "a Restricted key",
        KeyKind::Test => "a test credential",
    }
}

fn tampered(f: &mut fmt::Formatter<'_>, changes: &[Change]) -> fmt::Result {
    f.write_str("expected the token as it was signed, but found ")?;
    list(f, changes.iter())?;
    f.write_str(if changes == [Change::Contents] {
        " (its signature, or its `jti`, belongs to a token that differs and whose signature fits)"
    } else {
        " (without that, the signature fits)"
    })
}

fn signature(f: &mut fmt::Formatter<'_>, key_sid: &str, tried_all: bool, history: Option<&KeyHistory>) -> fmt::Result {
    write!(f, "expected a signature with the secret of {key_sid}, but found another")?;
    f.write_str(if tried_all {
        ", which no known mistake with secrets explains"
    } else {
        ", and not every known mistake with secrets was tried on it"
    })?;
    let Some(KeyHistory { fitted, failed, failing_since, failing }) = history else { return Ok(()) };
    match (fitted, failed, failing) {
        (0, 0, ..=1) => write!(f, " (the first token of this key that could be checked in the last hour)"),
        (0, _, _) => write!(
            f,
            " (since {failing_since} no token of this key verifies, {failing} did not: its secret was rotated, or is \
             wrong in the key ring)"
        ),
        (1.., 0, ..=1) => write!(
            f,
            " (only this token: {fitted} {} of this key verified in the last hour, so this one was changed after \
             signing or made elsewhere)",
            if *fitted == 1 { "other" } else { "others" },
        ),
        (1.., _, ..=1) => write!(
            f,
            " (in the last hour {fitted} others of this key verified and {failed} did not: two secrets are in use, \
             perhaps on different servers)"
        ),
        (1.., _, 2..) => write!(
            f,
            " (since {failing_since} no token of this key verifies, {failing} did not, while {fitted} did in the hour \
             before: its secret was changed on the token server, or the key was replaced)"
        ),
    }
}

fn time_claim(f: &mut fmt::Formatter<'_>, field: Field, fault: TimeFault, found: &Shown) -> fmt::Result {
    write!(f, "expected `{}` in seconds since 1970, but found {found}", field.name())?;
    match (fault, found) {
        (TimeFault::Missing | TimeFault::NotANumber, _) => Ok(()),
        (TimeFault::Quoted, _) => f.write_str(" (a number in quotes)"),
        (TimeFault::Negative, Shown::Number(YEAR_1)) => f.write_str(" (the year 1: a date that was never set)"),
        (TimeFault::Negative, _) => f.write_str(" (before 1970)"),
        (TimeFault::Milliseconds, _) => f.write_str(" (1000 times too much: milliseconds)"),
        (TimeFault::FarFuture, _) => f.write_str(" (too much even for milliseconds)"),
    }
}

/// 0001-01-01, .NET's `DateTime.MinValue`.
const YEAR_1: f64 = -62_135_596_800.0;

fn not_yet_valid(
    f: &mut fmt::Formatter<'_>,
    field: Field,
    from: UnixTime,
    (refused_at, told_by): (UnixTime, TimeSource),
) -> fmt::Result {
    write!(
        f,
        "expected `{}` at or before {refused_at}, {told_by}, but found {from} ({} s after: the \
         clock that set it is fast by that or more",
        field.name(),
        from.seconds_since(refused_at),
    )?;
    // `iat` is the time of making in every library; `nbf` can be asked for.
    f.write_str(if field == Field::Nbf { ", unless it was set ahead on purpose)" } else { ")" })
}

fn expired(f: &mut fmt::Formatter<'_>, expired_at: UnixTime, refused_at: UnixTime, told_by: TimeSource) -> fmt::Result {
    write!(
        f,
        "expected `exp` after {refused_at}, {told_by}, but found {expired_at} ({} s before)",
        refused_at.seconds_since(expired_at),
    )
}

fn too_short(f: &mut fmt::Formatter<'_>, from: Field, seconds: i64) -> fmt::Result {
    write!(f, "expected `exp` minutes or hours after `{}`, but found {seconds} s: ", from.name())?;
    f.write_str(
        "every new token dies as soon, so give the library its TTL as a number of seconds (a text such as \"3600\" \
         is read as milliseconds)",
    )
}

fn stale(f: &mut fmt::Formatter<'_>, expired_at: UnixTime, first_refused_at: UnixTime, times: u32) -> fmt::Result {
    let word = if times == 1 { "time" } else { "times" };
    write!(
        f,
        "expected a new token after the refusal at {first_refused_at}, but found the same one, which expired at \
         {expired_at} (refused {times} {word} before)"
    )
}

fn lifetime(f: &mut fmt::Formatter<'_>, from: Field, seconds: i64) -> fmt::Result {
    write!(
        f,
        "expected `exp` at most {LIFETIME_SECONDS_MAX} s after `{}`, but found {seconds} s ({} s too many)",
        from.name(),
        seconds.saturating_sub(LIFETIME_SECONDS_MAX),
    )
}

fn identity(f: &mut fmt::Formatter<'_>, fault: IdentityFault) -> fmt::Result {
    match fault {
        IdentityFault::NotText(what) => write!(f, "expected a text in `grants.identity`, but found {what}"),
        IdentityFault::TooLong(count) => write!(
            f,
            "expected at most {IDENTITY_CHARS_MAX} characters in `grants.identity`, but found {count} ({} too many)",
            count.saturating_sub(IDENTITY_CHARS_MAX)
        ),
        IdentityFault::Control(at) => {
            write!(
                f,
                "expected printable characters in `grants.identity`, but found a control character at its character {at}"
            )
        }
    }
}

fn product_grant(
    f: &mut fmt::Formatter<'_>,
    product: Product,
    present: &[&'static str],
    elsewhere: Option<&str>,
) -> fmt::Result {
    let grant = match product {
        Product::Chat => "a `chat` grant",
        Product::Sync => "a `data_sync` grant",
        Product::Voice => "a `voice` grant",
        Product::Video => "a `video` grant",
        Product::TaskRouter => "a `task_router` grant",
        Product::Unknown => "the grant of a product",
    };
    write!(f, "expected {grant} in `grants`, but found ")?;
    if let Some(path) = elsewhere {
        return write!(f, "{}", Shown::Elsewhere(path.to_owned()));
    }
    if present.is_empty() {
        return f.write_str("none");
    }
    list(f, present.iter().map(|name| format!("`{name}`")))?;
    f.write_str(" only")
}

fn incomplete(f: &mut fmt::Formatter<'_>, fields: &[Field], found: &Shown) -> fmt::Result {
    f.write_str("expected ")?;
    for (at, field) in fields.iter().enumerate() {
        write!(f, "{}`{}`", if at == 0 { "" } else { " or " }, in_payload(*field))?;
    }
    write!(f, ", but found {found}")?;
    // A value that was not set is the usual reason, and leaves no trace in the token.
    if *found == Shown::Nothing { f.write_str(" (the helper libraries leave out what is not set)") } else { Ok(()) }
}

fn grant_sid(f: &mut fmt::Formatter<'_>, field: Field, found: &Shown) -> fmt::Result {
    write!(
        f,
        "expected a SID that begins with {} in `{}`, but found ",
        field.prefix().unwrap_or("AC"),
        in_payload(field)
    )?;
    write!(f, "{found}")?;
    kind_of_sid(f, found)
}

fn kind_of_sid(f: &mut fmt::Formatter<'_>, found: &Shown) -> fmt::Result {
    let Shown::Sid(sid) = found else { return Ok(()) };
    SID_KINDS.iter().find(|(prefix, _)| sid.starts_with(prefix)).map_or(Ok(()), |(_, kind)| write!(f, " ({kind})"))
}

/// What SIDs that turn up in the wrong place belong to.
const SID_KINDS: [(&str, &str); 14] = [
    ("AC", "an account"),
    ("SK", "an API key"),
    ("IS", "a Conversations or Sync service"),
    ("AP", "a TwiML app"),
    ("CR", "a push credential"),
    ("RM", "a Video room"),
    ("WS", "a TaskRouter workspace"),
    ("WK", "a TaskRouter worker"),
    ("RL", "a role"),
    ("MG", "a Messaging Service"),
    ("CH", "a conversation"),
    ("VA", "a Verify service"),
    ("ZS", "a Functions service"),
    ("VS", "a Video profile"),
];

fn video_region(f: &mut fmt::Formatter<'_>, found: &str, of_key: Option<&str>) -> fmt::Result {
    match of_key {
        Some(sid) => write!(f, "expected a key of region `us1` for Video, but found {sid} of region `{found}`"),
        None => write!(f, "expected `twr` `us1` or none for Video, but found `{found}`"),
    }
}

fn region(
    f: &mut fmt::Formatter<'_>,
    token: &Shown,
    key: Option<&'static str>,
    endpoint: Option<&'static str>,
) -> fmt::Result {
    f.write_str("expected one region, but found ")?;
    if *token == Shown::Nothing {
        f.write_str("no `twr` (which means `us1`)")?;
    } else {
        write!(f, "`twr` {token}")?;
    }
    if let Some(key) = key {
        write!(f, ", a key of region `{key}`")?;
    }
    endpoint.map_or(Ok(()), |endpoint| write!(f, ", an endpoint of region `{endpoint}`"))
}

fn masked(f: &mut fmt::Formatter<'_>, extent: Extent) -> fmt::Result {
    f.write_str(match extent {
        Extent::Whole => "expected a token, but found one that the logger has masked",
        Extent::Part => "expected a token, but found one that the logger has partly masked",
        Extent::Unsure => {
            "expected a token, but found one character over and over: the logger has masked it, or a placeholder was sent"
        }
    })
}

/// No fault, so not in the grammar of faults.
fn none_found(f: &mut fmt::Formatter<'_>, signature_checked: bool, product: Product) -> fmt::Result {
    f.write_str("every check that could be made passed; ")?;
    f.write_str(if signature_checked {
        "what is left is what only Twilio can know: whether "
    } else {
        "the signature could not be checked, and what is left is what only Twilio can know: whether "
    })?;
    f.write_str("the key still exists and is of the endpoint's region, the account is active, ")?;
    f.write_str("and the service or application of the grant belongs to that account")?;
    if product == Product::Voice {
        f.write_str(
            "; or the SDK sent `register` before its `listen` was answered, which it can do after sleep: connect again",
        )?;
    }
    Ok(())
}

fn disagreement(f: &mut fmt::Formatter<'_>, code: u32, named: &str, shown: &str) -> fmt::Result {
    write!(f, "expected `{named}`, which code {code} names, but found `{shown}` in the token")?;
    // Twilio looks at the grants only after signature and issuer.
    if matches!(code, 20106 | 51116) {
        f.write_str(
            " (the code means that Twilio found signature and issuer good: this may not be the token that was refused)",
        )?;
    }
    Ok(())
}

fn unseen(f: &mut fmt::Formatter<'_>, code: u32, named: &str) -> fmt::Result {
    write!(
        f,
        "expected `{named}`, which code {code} names, but found nothing of it in the token: another one may have been \
         refused, or Twilio knows more (a deleted key, an inactive account, a secret that was rotated)"
    )
}

fn left_open(f: &mut fmt::Formatter<'_>, code: u32, title: &str, causes: &[Cause]) -> fmt::Result {
    write!(f, "expected a token that shows what is wrong, but found code {code} alone, “{title}”, which may be ")?;
    for (at, cause) in causes.iter().enumerate() {
        let separator = match at {
            0 => "",
            _ if at + 1 == causes.len() => " or ",
            _ => ", ",
        };
        write!(f, "{separator}`{}`", cause.id())?;
    }
    f.write_str(": give the token of such a connection to `diag51007 check`")
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: impl Iterator<Item = T>) -> fmt::Result {
    for (at, item) in items.enumerate() {
        write!(f, "{}{item}", if at == 0 { "" } else { ", " })?;
    }
    Ok(())
}
