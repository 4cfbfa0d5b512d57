//! diag51007.
pub mod cause;
pub mod classify;

pub mod code;
pub mod config;
pub mod diagnosis;
pub mod finding;
pub mod keyring;
pub mod pipeline;
pub mod product;
pub mod source;
pub mod time;
pub mod token;
pub mod validate;
