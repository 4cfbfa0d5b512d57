//! Twilio's signature: what the official helper libraries signed is accepted, and nothing else is.
#![cfg(test)]

#[path = "support/signed.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod signed;

use diag51007::source::twilio::address::Address;
use diag51007::source::twilio::form::Form;
use diag51007::source::twilio::signature::{Presented, SETTINGS, SIGNATURE, Unsigned, Verifier};

use signed::{BASE, SHARED_KEY, Signed, TOKEN, all};

fn verifier() -> Verifier {
    Verifier::default()
        .with_auth_token(b"ffffffffffffffffffffffffffffffff")
        .with_auth_token(TOKEN.as_bytes())
        .with_shared_key(Some("webhooks_sharedkey_1"), SHARED_KEY.as_bytes())
}

fn check(verifier: &Verifier, delivery: &Signed) -> Result<(), Unsigned> {
    let (path, query) = match delivery.path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (delivery.path.as_str(), None),
    };
    let Ok(address) = Address::parse(&format!("{BASE}{path}")) else { return Err(Unsigned::Wrong) };
    let urls = address.signed(query);
    let presented = Presented { signature: delivery.header(SIGNATURE), settings: delivery.header(SETTINGS) };
    if delivery.is_form() {
        let form = Form::read(&delivery.body).ok_or(Unsigned::Wrong)?;
        return verifier.form(&urls, &form, presented);
    }
    verifier.body(&urls, query, &delivery.body, presented)
}

#[test]
fn what_the_official_libraries_signed_is_accepted() {
    let all = all();
    assert!(all.len() >= 13);
    for delivery in all {
        assert_eq!(check(&verifier(), &delivery), Ok(()), "{}", delivery.name);
    }
}

/// A generator that gives the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Every byte with each of its bits turned, and with a few others in its place.
fn changes(text: &[u8], random: &mut Random) -> Vec<Vec<u8>> {
    let mut changed = Vec::new();
    for at in 0..text.len() {
        let bits = (0..8).map(|bit| text[at] ^ (1 << bit));
        let others: Vec<u8> = (0..4).map(|_| random.next().to_le_bytes()[0]).chain(*b"&=+ %").collect();
        for byte in bits.chain(others).filter(|byte| *byte != text[at]) {
            let mut copy = text.to_vec();
            copy[at] = byte;
            changed.push(copy);
        }
    }
    changed
}

#[test]
fn with_one_byte_changed_anywhere_nothing_is_accepted() {
    let (verifier, mut random) = (verifier(), Random(51007));
    let mut tried = 0;
    for delivery in all() {
        let refused = |changed: &Signed, what: &str| {
            assert!(check(&verifier, changed).is_err(), "{}: {what}: {changed:?}", delivery.name);
        };
        for body in changes(&delivery.body, &mut random) {
            refused(&Signed { body, ..delivery.clone() }, "body");
            tried += 1;
        }
        for path in changes(delivery.path.as_bytes(), &mut random) {
            let Ok(path) = String::from_utf8(path) else { continue };
            refused(&Signed { path, ..delivery.clone() }, "path");
        }
        for (at, (name, value)) in delivery.headers.iter().enumerate() {
            if name == "Content-Type" {
                continue;
            }
            for value in changes(value.as_bytes(), &mut random) {
                let Ok(value) = String::from_utf8(value) else { continue };
                // The rule of the official libraries: upper and lower case of the algorithm are the same.
                if value.eq_ignore_ascii_case(&delivery.headers[at].1) && name.ends_with("Settings") {
                    continue;
                }
                let mut changed = delivery.clone();
                changed.headers[at].1 = value;
                refused(&changed, name);
            }
        }
    }
    assert!(tried > 50_000, "{tried}");
}

#[test]
fn the_reason_is_told() {
    let all = all();
    let (form, event) = (&all[0], &all[4]);
    let without = |delivery: &Signed, name: &str| {
        let mut delivery = delivery.clone();
        delivery.headers.retain(|(key, _)| key != name);
        delivery
    };
    assert_eq!(check(&verifier(), &without(form, "X-Twilio-Signature")), Err(Unsigned::Absent));
    assert_eq!(check(&Verifier::default(), form), Err(Unsigned::Wrong));
    let other = Signed { body: b"[]".to_vec(), ..event.clone() };
    assert_eq!(check(&verifier(), &other), Err(Unsigned::OtherBody));
    let settings = ("X-Twilio-Webhooks-Signature-Settings".to_owned(), "key=x,algorithm=HMAC_MD5".to_owned());
    let mut odd = form.clone();
    odd.headers.push(settings);
    assert_eq!(check(&verifier(), &odd), Err(Unsigned::Algorithm));
    let shared = &all[3];
    let only = Verifier::default().with_shared_key(None, SHARED_KEY.as_bytes());
    assert_eq!((check(&only, shared), check(&only, form)), (Ok(()), Err(Unsigned::Wrong)));
    let named = Verifier::default().with_shared_key(Some("another"), SHARED_KEY.as_bytes());
    assert_eq!(check(&named, shared), Err(Unsigned::Wrong));
}

#[test]
fn a_body_that_is_not_in_the_signed_url_is_not_signed() {
    // The same URL and key, as for a form: a form without pairs.
    let form = &all()[0];
    let key = Verifier::default().with_auth_token(TOKEN.as_bytes());
    let urls = Address::parse(BASE).expect("a URL").signed(None);
    let presented = Presented { signature: form.header(SIGNATURE), settings: None };
    assert_eq!(key.body(&urls, None, b"{}", presented), Err(Unsigned::Wrong));
}

#[test]
fn debug_shows_no_key() {
    let shown = format!("{:?} {:?}", verifier(), Form::read(b"Payload=not-for-showing"));
    assert_eq!(shown, "Verifier(5 keys) Some(Form(1 pairs))");
}
