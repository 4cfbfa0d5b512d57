//! Logs of containers: where the runtimes put them, and how they split long lines.
#![cfg(test)]

#[path = "../support/case.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod case;
#[path = "../support/mint.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod mint;
#[path = "../support/place.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod place;
#[path = "../support/process.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod process;
#[path = "../support/recipe.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod recipe;

mod files;
mod split;
