//! What a browser makes of the page, on good days and on bad ones.
#![cfg(test)]

#[path = "../support/chromium.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod chromium;
#[path = "../support/mint.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod mint;
#[path = "../support/place.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod place;
#[path = "../support/process.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod process;
#[path = "../support/service.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod service;

mod browser;
mod hostile;
