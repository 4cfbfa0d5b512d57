//! Files.
pub mod archive;
mod disk;
pub mod follow;
