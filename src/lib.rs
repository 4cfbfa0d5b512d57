//! diag51007.
pub mod cause;
pub mod code;
pub mod config;
pub mod diagnosis;
pub mod expose;
pub mod finding;
pub mod keyring;
pub mod ledger;
pub mod pipeline;
pub mod product;
pub mod source;
pub mod time;
pub mod token;
pub mod validate;
