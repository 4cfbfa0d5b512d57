//! Deliveries that Twilio's own helper libraries signed: see the scripts beside the data.

use std::fmt::Write as _;

use serde_json::Value;

/// The Auth Token of the signatures.
pub(crate) const TOKEN: &str = "00112233445566778899aabbccddeeff";
/// The shared key of the SHA-256 signatures.
pub(crate) const SHARED_KEY: &str = "SyntheticSharedKeyNotReal0000001";
/// What stands before the path in the URLs that were signed.
pub(crate) const BASE: &str = "https://ops.example.com";

/// One delivery.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Signed {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_form(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form"))
    }

    /// The request as it goes over the wire.
    pub(crate) fn request(&self, address: &str) -> Vec<u8> {
        let mut head = format!("POST {} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n", self.path);
        for (name, value) in &self.headers {
            _ = write!(head, "{name}: {value}\r\n");
        }
        _ = write!(head, "Content-Length: {}\r\n\r\n", self.body.len());
        [head.as_bytes(), &self.body].concat()
    }
}

/// All of them: those of the Python library, then those of the Node library.
pub(crate) fn all() -> Vec<Signed> {
    let files = [include_str!("../data/signed/python.json"), include_str!("../data/signed/node.json")];
    let lists = files.map(|file| serde_json::from_str::<Vec<Value>>(file).expect("a list"));
    lists.iter().flatten().map(read).collect()
}

fn read(value: &Value) -> Signed {
    let text = |name: &str| value[name].as_str().expect("a text").to_owned();
    let headers = value["headers"].as_object().expect("headers");
    let header = |(name, value): (&String, &Value)| (name.clone(), value.as_str().expect("a text").to_owned());
    let headers = headers.iter().map(header).collect();
    Signed { name: text("name"), path: text("path"), headers, body: text("body").into_bytes() }
}
