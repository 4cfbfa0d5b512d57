//! A scan's counts in the Prometheus text format, under the daemon's own names: for the textfile collector.
//!
//! Counters only; histograms and everything that moves with time are the daemon's.

use std::fmt::{self, Write};

use crate::cause::Cause;
use crate::diagnosis::{Basis, Check, SkipReason, TokenState};
use crate::product::Product;
use crate::report::tally::Tally;

/// Renders every counter; each child of a closed list is there, at 0 if need be.
pub fn render(tally: &Tally, source: &str) -> String {
    let mut text = String::new();
    // Writing into a String can't fail.
    _ = write_all(&mut text, tally, source);
    text
}

fn write_all(out: &mut String, tally: &Tally, source: &str) -> fmt::Result {
    let source = label(source);
    family(out, "rejections_total", "counter", "Refused connections, each counted once.")?;
    for product in Product::ALL {
        for cause in Cause::ALL {
            let count = tally.by_product(product, cause);
            let (product, cause) = (product.id(), cause.id());
            let labels = format!("{{source=\"{source}\",product=\"{product}\",cause=\"{cause}\"}}");
            writeln!(out, "diag51007_rejections_total{labels} {count}")?;
        }
    }
    family(out, "rejections_by_code_total", "counter", "Refused connections by Twilio code.")?;
    for (code, count) in tally.codes() {
        let code = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        writeln!(out, "diag51007_rejections_by_code_total{{code=\"{code}\"}} {count}")?;
    }
    family(out, "rejections_by_basis_total", "counter", "Refused connections by what the diagnosis rests on.")?;
    for basis in Basis::ALL {
        let count = tally.by_basis(basis);
        writeln!(out, "diag51007_rejections_by_basis_total{{basis=\"{}\"}} {count}", basis.id())?;
    }
    family(out, "findings_total", "counter", "Faults of tokens, several a token.")?;
    for cause in Cause::ALL {
        let count = tally.findings.of(cause);
        writeln!(out, "diag51007_findings_total{{cause=\"{}\"}} {count}", cause.id())?;
    }
    family(out, "tokens_total", "counter", "Tokens of refused connections by what became of them.")?;
    for state in TokenState::ALL {
        let count = tally.tokens.of(state);
        writeln!(out, "diag51007_tokens_total{{source=\"{source}\",state=\"{}\"}} {count}", state.id())?;
    }
    family(out, "checks_skipped_total", "counter", "Checks that were not made, and why.")?;
    for check in Check::ALL {
        for reason in SkipReason::ALL {
            let count = tally.skipped.of((check, reason));
            let (check, reason) = (check.id(), reason.id());
            writeln!(out, "diag51007_checks_skipped_total{{check=\"{check}\",reason=\"{reason}\"}} {count}")?;
        }
    }
    for (name, help, value) in [
        ("sightings_total", "Prints of refusals, before coalescing.", tally.sightings),
        ("exposed_tokens_total", "Tokens that stood in the log while still valid.", tally.exposed),
        ("lines_total", "Lines read.", tally.lines()),
        ("lines_truncated_total", "Lines longer than is looked at.", tally.truncated()),
        ("read_bytes_total", "Bytes read, after decompression.", tally.bytes()),
    ] {
        family(out, name, "counter", help)?;
        writeln!(out, "diag51007_{name}{{source=\"{source}\"}} {value}")?;
    }
    family(out, "source_errors_total", "counter", "Errors of a source.")?;
    writeln!(out, "diag51007_source_errors_total{{source=\"{source}\",kind=\"payload\"}} {}", tally.misfits())?;
    if let Some(last) = tally.last {
        family(out, "last_rejection_timestamp_seconds", "gauge", "Time of the last refused connection.")?;
        writeln!(out, "diag51007_last_rejection_timestamp_seconds {}", last.as_seconds_f64())?;
    }
    Ok(())
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(out, "# HELP diag51007_{name} {help}\n# TYPE diag51007_{name} {kind}")
}

fn label(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
