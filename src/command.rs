//! The commands.

pub mod scan;
