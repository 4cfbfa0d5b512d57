//! diag51007.
pub mod cause;

pub mod classify;
pub mod code;
pub mod config;
pub mod detect;
pub mod diagnosis;
pub mod envelope;
pub mod fields;
pub mod finding;
pub mod keyring;
pub mod pair;
pub mod pipeline;
pub mod product;
pub mod source;
pub mod stamp;
pub mod time;
pub mod token;
pub mod validate;
