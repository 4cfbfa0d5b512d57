//! What was built: version, revision and compiler.

/// Version of the crate.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Commit that was built, or `unknown` outside a checkout.
pub const REVISION: &str = env!("DIAG51007_REVISION");
/// Version of the compiler, such as `1.95.0`, or `unknown`.
pub const RUST_VERSION: &str = env!("DIAG51007_RUST_VERSION");
/// Version and revision in one word, as `--version` prints them.
pub const LONG: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("DIAG51007_REVISION"), ")");
