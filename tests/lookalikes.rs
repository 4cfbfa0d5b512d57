//! Some megabytes of numbers that look like Twilio's codes, in all the company that other programs give them, from a
//! fixed sequence: not one is a refusal, and one real refusal among them is found.
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

use case::{Run, usual_keyring};

/// Bytes of noise.
const NOISE_BYTES: usize = 4 << 20;

/// Lines with `N`, the number, and `R`, some other number. `T` is a time of day.
const TEMPLATES: &[&str] = &[
    // ids, ports, sizes, durations
    "2026-03-01T10:T.000Z info order N shipped",
    "2026-03-01T10:T.000Z info order #N shipped to 12 N Street, Sioux City, IA N",
    "2026-03-01T10:T.000Z info listening on 0.0.0.0:N",
    "2026-03-01T10:T.000Z error connect ECONNREFUSED 10.0.0.7:N",
    "2026-03-01T10:T.000Z error: read ECONNRESET at TLSWrap.onStreamRead (node:internal/stream:N:20)",
    "2026-03-01T10:T.000Z warn error rate N ppm, threshold R",
    "2026-03-01T10:T.000Z error took N ms",
    "2026-03-01T10:T.000Z error: N rows failed",
    "2026-03-01T10:T.000Z error: wrote N bytes of R",
    "2026-03-01T10:T.000Z info pid=N ppid=R uid=N",
    "2026-03-01T10:T.000Z error in worker N: out of memory",
    "2026-03-01T10:T.000Z error job_id=N failed",
    "2026-03-01T10:T.000Z error: line N: unexpected token",
    // codes of another kind
    "2026-03-01T10:T.000Z info sms body=\"Your code is N\" to=+1555R",
    "2026-03-01T10:T.000Z info twilio sms sent: Your verification code is N. Do not share it",
    "2026-03-01T10:T.000Z info Twilio Verify: \"N is your Acme code\" status=delivered",
    "2026-03-01T10:T.000Z info twilio message body: Your Acme security code: N",
    "2026-03-01T10:T.000Z info twilio message body: Use code N to log in",
    "2026-03-01T10:T.000Z info sms body: Login code: N",
    "2026-03-01T10:T.000Z info sms body: Your one-time code: N",
    "2026-03-01T10:T.000Z info sms body: G-N is your verification code",
    "2026-03-01T10:T.000Z info zip_code=N city=\"Sioux City\"",
    "{\"time\":\"2026-03-01T10:T.000Z\",\"zip\":\"N\",\"zipCode\":\"N\",\"postal_code\":N,\"areaCode\":N}",
    "{\"time\":\"2026-03-01T10:T.000Z\",\"msg\":\"coupon\",\"couponCode\":\"N\",\"promo_code\":\"N\",\"discount_code\":N}",
    "{\"time\":\"2026-03-01T10:T.000Z\",\"msg\":\"otp\",\"otpCode\":\"N\",\"passcode\":\"N\",\"verificationCode\":\"N\"}",
    "{\"time\":\"2026-03-01T10:T.000Z\",\"productCode\":\"N\",\"sku_code\":\"N\",\"countryCode\":N,\"branchCode\":\"N\"}",
    "2026-03-01T10:T.000Z info short code N is in use by Twilio",
    "2026-03-01T10:T.000Z info exit code N",
    "2026-03-01T10:T.000Z info process exited with code N",
    // prices, percentages, coordinates
    "2026-03-01T10:T.000Z info total: $N.00 (N,R JPY)",
    "2026-03-01T10:T.000Z info price N.50 EUR, rate 0.N, 1.N, N%",
    "2026-03-01T10:T.000Z info lat=42.N lon=-96.N",
    "2026-03-01T10:T.000Z info call +1 515 N, tel:+1-515-N",
    // hex, hashes, times
    "2026-03-01T10:T.000Z info commit Nabcdef0Nabcdef0Nabcdef0Nabcdef0Nabcde",
    "2026-03-01T10:T.000Z info trace=ab12Ncd34 span=00N0",
    "2026-03-01T10:T.000Z info error_id=Na7c-4e error-ref: N-4411",
    "2026-03-01T10:T.N7Z info tick",
    "1772N10 info epoch 17723N9200 1772359N200",
    // other vendors
    "StripeCardError: Your card was declined. (request req_N) at /srv/node_modules/stripe/lib/Error.js:N:12",
    "{\"time\":\"2026-03-01T10:T.000Z\",\"vendor\":\"plaid\",\"error_type\":\"ITEM_ERROR\",\"request_id\":\"N\",\"amount\":N}",
    "2026-03-01T10:T.000Z botocore.exceptions.ClientError: An error occurred (ThrottlingException) RequestId: N",
    "ZoomApiError: Zoom error N: Meeting token rejected",
    "{\"time\":\"2026-03-01T10:T.000Z\",\"vendor\":\"zoom\",\"code\":N,\"message\":\"Invalid meeting\"}",
    "{\"time\":\"2026-03-01T10:T.000Z\",\"stripe\":{\"error\":{\"code\":N,\"type\":\"api_error\"}}}",
    "2026-03-01T10:T.000Z Plaid error code: N",
    "2026-03-01T10:T.000Z ORA-N: unique constraint violated",
    "2026-03-01T10:T.000Z MySQL ERROR 1045 (28000): Access denied; thread N",
    "2026-03-01T10:T.000Z kernel: [N.123456] usb 1-1: device descriptor read/64, error -71",
    "2026-03-01T10:T.000Z HRESULT: 0xN error 0x800N",
    // access logs, tables, metrics
    "10.1.2.3 - - [01/Mar/2026:10:T +0000] \"GET /v1/items/N?code=abc HTTP/1.1\" 200 N \"-\" \"Mozilla/5.0\"",
    "10.1.2.3 - - [01/Mar/2026:10:T +0000] \"GET /zip?zipcode=N HTTP/1.1\" 200 R \"-\" \"curl/8\"",
    "10.1.2.3 - - [01/Mar/2026:10:T +0000] \"GET /docs/api/errors/N HTTP/1.1\" 200 R \"https://www.twilio.com/docs/errors/N\" \"x\"",
    "INSERT INTO orders (id, user_id, total) VALUES (N, R, N);",
    "UPDATE accounts SET balance = N WHERE id = R; -- N rows",
    " N | alice | 2026-03-01 | R",
    "N,alice,chat,2026-03-01,R,N",
    "http_requests_total{code=\"200\",method=\"post\"} N",
    "http_errors_total{app=\"gw\"} N",
    "go_memstats_alloc_bytes N",
    "error_count N",
    "errors: N",
    "total errors N, warnings R",
    // models, limits, pages, ranges and files, as they stand in public sources and logs
    "2026-03-01T10:T.000Z warn iscsi: MaxRecvDataSegmentLength (N) is too big",
    "2026-03-01T10:T.000Z info gpu 0: Radeon RV280 (N), vendor ATI (R)",
    "2026-03-01T10:T.000Z info profile: handle_error (N samples, 0.3 %)",
    "2026-03-01T10:T.000Z error: N occurrences, R hits",
    "<tr><td>size</td><td><span class=\"code\">N</span></td></tr>",
    "<p>A text such as <code>N</code> or <code>R</code>.</p>",
    "accepts error = N..60000 and codes = [N..R]",
    "#error N.c: unknown target",
    "2026-03-01T10:T.000Z error N.log: no such file",
    "2026-03-01T10:T.000Z sh -c perror N",
    "D3DERR_INSUFFICIENTVIDEOMEMORY = 0x88980097, HTTP_E_STATUS_UNAUTHORIZED = 0x80190191, N",
    // Twilio's other errors
    "2026-03-01T10:T.000Z error TwilioRestException: HTTP 401 error: Unable to create record: Authenticate code 20003",
    "2026-03-01T10:T.000Z error Twilio error 21211: The 'To' number +1515N is not a valid phone number",
    "{\"time\":\"2026-03-01T10:T.000Z\",\"code\":20404,\"message\":\"The requested resource /Services/ISN was not found\",\"more_info\":\"https://www.twilio.com/docs/errors/20404\",\"status\":404}",
    "2026-03-01T10:T.000Z warn twilio message SMN undelivered, ErrorCode=30007",
    "2026-03-01T10:T.000Z Twilsock W: Init rejected by server: {\"code\":429,\"status\":\"TOO_MANY_REQUESTS\",\"errorCode\":51201}",
    "2026-03-01T10:T.000Z Twilsock E: Server closed connection: {\"code\":410,\"status\":\"GONE\",\"errorCode\":51006}",
    "[TwilioVoice][Device] Received error:  ConnectionError: ConnectionError (53000): Raised whenever a signaling connection error occurs",
    "2026-03-01T10:T.000Z info see https://www.twilio.com/docs/api/errors/N and https://support.example.com/N",
    "2026-03-01T10:T.000Z info twilio call CA0000000000000000000000000000N duration=N price=-0.N",
    "2026-03-01T10:T.000Z error twilio webhook took N ms, attempt R",
    "2026-03-01T10:T.000Z info twilio queue depth: N; twilio port N; twilio batch N",
];

/// 51007, the companion codes that are likeliest elsewhere, and numbers that hold them.
const NUMBERS: [&str; 8] = ["51007", "51007", "20101", "20104", "31205", "51119", "1510070", "551007"];

/// A full-period sequence with a fixed seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }

    fn line(&mut self) -> String {
        let template = TEMPLATES[self.below(TEMPLATES.len())];
        let number = NUMBERS[self.below(NUMBERS.len())];
        let time = format!("{:02}:{:02}", self.below(60), self.below(60));
        let other = (10_000 + self.below(49_000)).to_string();
        let is_place = |text: &str, at: usize| {
            let beside = |at: Option<usize>| at.and_then(|at| text.as_bytes().get(at)).copied().unwrap_or(b' ');
            let (before, after) = (beside(at.checked_sub(1)), beside(Some(at + 1)));
            !before.is_ascii_uppercase() && !after.is_ascii_alphabetic()
                || before == b'0' && !after.is_ascii_uppercase()
        };
        let mut out = String::new();
        for (at, letter) in template.char_indices() {
            match letter {
                'N' if is_place(template, at) => out.push_str(number),
                'R' if is_place(template, at) => out.push_str(&other),
                'T' if template.get(..at).is_some_and(|head| head.ends_with("10:")) => out.push_str(&time),
                letter => out.push(letter),
            }
        }
        out
    }
}

fn noise(chance: &mut Chance, bytes: usize) -> String {
    let mut log = String::with_capacity(bytes + 256);
    while log.len() < bytes {
        log.push_str(&chance.line());
        log.push('\n');
    }
    log
}

#[test]
fn no_template_is_a_refusal_with_any_number() {
    let mut chance = Chance(51007);
    let mut false_sightings = Vec::new();
    for _ in 0..TEMPLATES.len() * NUMBERS.len() * 8 {
        let line = chance.line();
        if !Run::plain(format!("{line}\n").into_bytes(), usual_keyring()).diagnose([]).is_empty() {
            false_sightings.push(line);
        }
    }
    false_sightings.sort();
    false_sightings
        .dedup_by_key(|line| line.split(|c: char| c.is_ascii_digit()).map(str::to_owned).collect::<String>());
    assert!(false_sightings.is_empty(), "\n{}", false_sightings.join("\n"));
}

#[test]
fn megabytes_of_noise_hold_the_one_refusal_that_was_put_there() {
    let mut chance = Chance(7);
    let before = noise(&mut chance, NOISE_BYTES / 2);
    let refusal = "2026-03-01T10:00:00Z error Twilio error code=51007 \"Token authentication is rejected\"\n";
    let after = noise(&mut chance, NOISE_BYTES / 2);
    let line = before.lines().count() as u64 + 1;
    let run = Run::plain([before, refusal.to_owned(), after].concat().into_bytes(), usual_keyring());
    let found: Vec<_> = run.diagnose((1 << 16..run.log.len()).step_by(1 << 16)).iter().map(|d| d.line).collect();
    assert_eq!(found, [line]);
}

/// The ways in which SDKs, servers and applications write a code, beside Twilio. `N` is the number.
const NOTATIONS: [&str; 8] = [
    "2026-03-01T10:00:00Z Twilsock W: Init rejected by server: {\"code\":401,\"status\":\"UNAUTHORIZED\",\"errorCode\":N}",
    "2026-03-01T10:00:00Z {\"vendor\":\"twilio\",\"err\":{\"code\":\"N\",\"status\":401}}",
    "2026-03-01T10:00:00Z error Twilio error N: Authentication failed",
    "2026-03-01T10:00:00Z POST /twilio/debugger?AccountSid=AC00000000000000000000000000000001&ErrorCode=N&LogLevel=ERROR",
    "2026-03-01T10:00:00Z {\"payload\":\"{\\\"error_code\\\":\\\"N\\\",\\\"service\\\":\\\"twilio\\\"}\"}",
    "2026-03-01T10:00:00Z Error Domain=com.twilio.voice.error Code=N \"Twilio Error N\"",
    "APP twilio connectionError {\n  message: 'Connection error: Authentication failed',\n  httpStatusCode: 401,\n  errorCode: N\n}",
    "2026-03-01T10:00:00Z TwilioError N: The authorization with Token failed",
];

#[test]
fn every_code_that_counts_is_one_rejection_in_every_notation_and_no_other_is_any() {
    let list: serde_json::Value = serde_json::from_str(include_str!("data/error-codes.json")).expect("JSON");
    let mut wrong = Vec::new();
    for row in list["codes"].as_array().expect("a list") {
        let number = row["code"].to_string();
        let expected = usize::from(row["counts"] == true);
        for notation in NOTATIONS {
            let line = notation.replace('N', &number).replace(&format!("U{number}AUTHORIZED"), "UNAUTHORIZED");
            let found = Run::plain(format!("{line}\n").into_bytes(), usual_keyring()).diagnose([]);
            let codes: Vec<_> =
                found.iter().filter_map(|diagnosis| diagnosis.code).map(|code| code.to_string()).collect();
            if found.len() != expected || codes.iter().any(|code| *code != number) {
                wrong.push(format!("{} of {expected}: {line}", found.len()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
