//! The open incidents: what happened and what to do, as many as there is room for.

use ratatui::style::Stylize;
use ratatui::text::Line;

use crate::report::page::{counted, wrapped};

use super::super::snapshot::Incident;

/// Incidents that are told at most; how many there are is said.
const TOLD: usize = 3;
/// The label of what to do; what happened stands as far to the right.
const LABEL: &str = "Do  ";

/// The incidents that fit, each whole.
#[derive(Debug, Default)]
pub(super) struct Told<'a> {
    pub(super) lines: Vec<Line<'static>>,
    pub(super) incidents: Vec<&'a Incident>,
}

impl Told<'_> {
    /// Whether what to do about a cause is said.
    pub(super) fn has_remedy_of(&self, cause: &str) -> bool {
        self.incidents.iter().any(|one| one.cause == cause)
    }
}

/// Tells the first incidents in so many columns and rows. One for which there is no room to say what happened at least
/// says what to do.
pub(super) fn told<'a>(incidents: &'a [Incident], now: &str, columns: u16, rows: usize) -> Told<'a> {
    let mut told = Told::default();
    for one in incidents.iter().take(TOLD) {
        let room = rows.saturating_sub(told.lines.len());
        let head = head(one, now, columns);
        let what = indented(&one.what, columns, "    ");
        let remedy = indented(&one.remedy, columns, LABEL);
        if head.len() + what.len() + remedy.len() <= room {
            told.lines.extend(head.into_iter().chain(what).chain(remedy));
        } else if head.len() + remedy.len() <= room {
            told.lines.extend(head.into_iter().chain(remedy));
        } else {
            break;
        }
        told.incidents.push(one);
    }
    told
}

/// Which incident it is, in a second line what does not fit into the first.
fn head(one: &Incident, now: &str, columns: u16) -> Vec<Line<'static>> {
    let product = if one.product == "unknown" { String::new() } else { format!("{} · ", one.product) };
    let facts = format!("{product}{} since {}", counted(one.count, "refusal", "refusals"), since(&one.start, now));
    let title = Line::from(vec!["! ".red(), one.title.clone().bold()]);
    let mut whole = title.clone();
    whole.extend(["  ".into(), facts.clone().dim()]);
    if whole.width() <= usize::from(columns) {
        vec![whole]
    } else {
        vec![title, Line::from(format!("    {facts}")).dim()]
    }
}

/// A time of today, or else a day.
fn since(start: &str, now: &str) -> String {
    let day = |time: &str| time.split_once('T').map(|(day, _)| day.to_owned());
    match start.split_once('T') {
        Some((of, time)) if day(now).is_some_and(|today| today == of) => {
            time.split(['.', 'Z']).next().unwrap_or_default().to_owned()
        }
        Some((of, _)) => of.to_owned(),
        None => start.to_owned(),
    }
}

/// A text in lines, after a label or as far to the right.
fn indented(text: &str, columns: u16, label: &'static str) -> Vec<Line<'static>> {
    let room = usize::from(columns).saturating_sub(LABEL.len());
    let lines = wrapped(text, room, room).into_iter().enumerate();
    lines.map(|(at, line)| Line::from(vec![if at == 0 { label } else { "    " }.dim(), line.into()])).collect()
}
