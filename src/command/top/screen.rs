//! The screen: what is drawn where, and what keys do. Pure: a snapshot and keys in, cells out.

mod incidents;

use std::ops::ControlFlow;

use ratatui::Frame;
use ratatui::crossterm::event::KeyCode;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, List, ListItem, ListState, Paragraph, Row, Table, Wrap};

use crate::report::page::{counted, grouped};

use super::snapshot::{Rejection, Snapshot};
use incidents::Told;

/// The width of a bar of a share, in columns.
const BAR: u16 = 10;
/// The width of a number, in columns.
const NUMBER: u16 = 9;
/// The length of a SID.
const SID_BYTES: usize = 34;
/// Rows of causes at most.
const CAUSES: usize = 8;
/// Below this many columns, products and keys are left out.
const WIDE: u16 = 110;

/// Below this many columns, what is said at a glance is broken into more lines.
const NARROW: u16 = 72;
/// Rows that incidents leave to the others besides alerts: head, glance, a cause, the latest, sources and keys.
const OTHERS: u16 = 13;

/// The state of the screen.
#[derive(Debug)]
pub(super) struct Screen {
    daemon: String,
    snapshot: Snapshot,
    /// Why there is nothing newer.
    trouble: Option<String>,
    /// Only this cause is listed.
    only: Option<String>,
    list: ListState,
    is_open: bool,
}

impl Screen {
    pub(super) fn new(daemon: String, snapshot: Snapshot) -> Self {
        Self { daemon, snapshot, trouble: None, only: None, list: ListState::default(), is_open: false }
    }

    /// Takes over what the daemon said; the selected rejection stays selected.
    pub(super) fn update(&mut self, answer: Result<Snapshot, String>) {
        match answer {
            Ok(snapshot) => {
                let selected = self.selected().map(|rejection| rejection.id.clone());
                self.snapshot = snapshot;
                self.trouble = None;
                let place = selected.and_then(|id| self.listed().position(|rejection| rejection.id == id));
                self.list.select(place);
                self.is_open &= place.is_some();
            }
            Err(why) => self.trouble = Some(why),
        }
    }

    /// What a key does; breaks to end.
    #[expect(clippy::wildcard_enum_match_arm, reason = "keys of a library, of which most mean nothing here")]
    pub(super) fn press(&mut self, key: KeyCode) -> ControlFlow<()> {
        match key {
            KeyCode::Esc if self.is_open => self.is_open = false,
            KeyCode::Esc if self.only.is_some() => self.filter(None),
            KeyCode::Esc | KeyCode::Char('q') => return ControlFlow::Break(()),
            KeyCode::Down | KeyCode::Char('j') => self.move_by(1),
            KeyCode::Up | KeyCode::Char('k') => self.move_by(-1),
            KeyCode::PageDown => self.move_by(10),
            KeyCode::PageUp => self.move_by(-10),
            KeyCode::Home | KeyCode::Char('g') => self.move_by(isize::MIN),
            KeyCode::End | KeyCode::Char('G') => self.move_by(isize::MAX),
            KeyCode::Enter => self.is_open = !self.is_open && self.selected().is_some(),
            KeyCode::Char('c') => {
                let cause = self.selected().map(|rejection| rejection.cause.clone());
                self.filter(if self.only.is_some() { None } else { cause });
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn filter(&mut self, cause: Option<String>) {
        self.only = cause;
        self.is_open = false;
        self.list.select(None);
    }

    fn listed(&self) -> impl Iterator<Item = &Rejection> {
        let only = self.only.as_deref();
        self.snapshot.rejections.iter().filter(move |rejection| only.is_none_or(|cause| rejection.cause == cause))
    }

    fn selected(&self) -> Option<&Rejection> {
        self.list.selected().and_then(|at| self.listed().nth(at))
    }

    fn move_by(&mut self, by: isize) {
        let Some(last) = self.listed().count().checked_sub(1) else { return };
        let at = match self.list.selected() {
            Some(at) => at.saturating_add_signed(by).min(last),
            None if by > 1 => last,
            None => 0,
        };
        self.list.select(Some(at));
    }

    pub(super) fn draw(&mut self, frame: &mut Frame<'_>) {
        let area = frame.area();
        let height = area.height;
        let alerts = u16::try_from(self.snapshot.alerts.len().min(3)).unwrap_or(3);
        let room = (height / 3).min(height.saturating_sub(OTHERS + alerts)).saturating_sub(1);
        let told = incidents::told(&self.snapshot.incidents, &self.snapshot.at, area.width, usize::from(room));
        let is_told = self.snapshot.main.as_ref().is_some_and(|main| told.has_remedy_of(&main.id));
        let advice = match &self.snapshot.main {
            Some(_) if !is_told => 2,
            _ => 0,
        };
        // On a narrow terminal numbers have a line of their own, and what alerts and advice say is broken.
        let broken = if area.width < NARROW { 1 + alerts + advice } else { 0 };
        let glance = 2 + alerts + advice + broken;
        let trouble = u16::try_from(told.lines.len()).unwrap_or(room);
        let trouble = trouble + u16::from(trouble > 0);
        let causes = u16::try_from(self.snapshot.causes.len().min(CAUSES)).unwrap_or(1);
        let causes = causes.min(height.saturating_sub(8 + glance + trouble).max(1));
        let causes = if causes == 0 { 0 } else { causes + 2 };
        let rows = [1, glance, trouble, causes].map(Constraint::Length);
        let [head, glance, trouble, middle, latest, sources, keys] = Layout::vertical(rows.into_iter().chain([
            Constraint::Min(3),
            Constraint::Length(1),
            Constraint::Length(1),
        ]))
        .areas(area);
        self.draw_head(frame, head);
        self.draw_glance(frame, glance, is_told);
        let Told { lines, incidents } = told;
        let title = match self.snapshot.incidents.len() {
            all if all > incidents.len() => format!("Incidents, {} of {all}", incidents.len()),
            _ => "Incidents".to_owned(),
        };
        if !lines.is_empty() {
            frame.render_widget(Paragraph::new(lines).block(titled(&title)), trouble);
        }
        if middle.width >= WIDE {
            let [left, right] =
                Layout::horizontal([Constraint::Min(60), Constraint::Length(40)]).spacing(2).areas(middle);
            self.draw_causes(frame, left);
            self.draw_shares(frame, right);
        } else {
            self.draw_causes(frame, middle);
        }
        self.draw_latest(frame, latest);
        self.draw_sources(frame, sources);
        let help = if self.is_open {
            "esc close  ↑↓ next  q quit"
        } else {
            "↑↓ select  ⏎ open  c only this cause  q quit"
        };
        frame.render_widget(Line::from(help).dim(), keys);
        if self.is_open {
            self.draw_open(frame, latest.union(middle).union(trouble));
        }
    }

    fn draw_head(&self, frame: &mut Frame<'_>, area: Rect) {
        let at = self.snapshot.at.split_once('T').map_or("", |(_, time)| time.split(['.', 'Z']).next().unwrap_or(""));
        let left = Line::from(vec!["diag51007".bold(), format!("  {}", self.daemon).dim()]);
        let right = match &self.trouble {
            Some(_) => Span::styled(format!("not connected, as of {at} UTC"), Style::new().fg(Color::Yellow)),
            None => format!("{at} UTC").dim(),
        };
        frame.render_widget(left, area);
        frame.render_widget(Line::from(right).right_aligned(), area);
    }

    /// What is wrong and, unless an incident `is_told` that says it, what to do.
    fn draw_glance(&self, frame: &mut Frame<'_>, area: Rect, is_told: bool) {
        let Snapshot { minutes, hour, main, alerts, incidents, .. } = &self.snapshot;
        let firing = alerts.iter().filter(|alert| alert.is_firing).count();
        let (said, colour) = match (firing, minutes) {
            (0, 0) => ("Quiet".to_owned(), Color::Green),
            (0, _) => ("Connections are being refused".to_owned(), Color::Red),
            (1, _) => ("1 alert is firing".to_owned(), Color::Red),
            (n, _) => (format!("{n} alerts are firing"), Color::Red),
        };
        let open = match incidents.len() as u64 {
            0 => String::new(),
            n => format!(", {} open", counted(n, "incident", "incidents")),
        };
        let said = Span::styled(said, Style::new().fg(colour).add_modifier(Modifier::BOLD));
        let numbers = format!("{} in 5 min, {} in 1 hour", grouped(*minutes), grouped(*hour));
        let mut lines = if area.width < NARROW {
            vec![Line::from(said), Line::from(numbers)]
        } else {
            vec![Line::from(vec![said, format!("   {numbers}{open}").into()])]
        };
        for alert in alerts.iter().take(3) {
            let mark = if alert.is_firing { "! ".red() } else { "~ ".yellow() };
            lines.push(Line::from(vec![mark, alert.name.clone().bold(), format!(" {}", alert.summary).into()]));
        }
        if let Some(main) = main {
            lines.push(Line::from(vec![
                "Mostly  ".dim(),
                main.title.clone().bold(),
                format!(", {:.0} %", main.share * 100.0).into(),
            ]));
            if !is_told {
                lines.push(Line::from(vec!["Do      ".dim(), main.remedy.clone().into()]));
            }
        } else {
            lines.push(Line::from("No connection was refused in the last hour.").dim());
        }
        frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), area);
    }

    fn draw_causes(&self, frame: &mut Frame<'_>, area: Rect) {
        let rows = self.snapshot.causes.iter().take(CAUSES).map(|cause| {
            let is_only = self.only.as_ref().is_some_and(|only| *only == cause.id);
            let row = Row::new([
                cause.title.clone(),
                bar(cause.share),
                number(grouped(cause.recent)),
                number(grouped(cause.count)),
            ]);
            if is_only { row.bold() } else { row }
        });
        // Where there is no room for bars, numbers say it.
        let bars = if area.width < NARROW { 0 } else { BAR };
        let widths =
            [Constraint::Min(20), Constraint::Length(bars), Constraint::Length(NUMBER), Constraint::Length(NUMBER)];
        let head = Row::new([String::new(), String::new(), number("5 min"), number("1 hour")]).dim();
        let table = Table::new(rows, widths).header(head).block(titled("Causes"));
        frame.render_widget(table, area);
    }

    fn draw_shares(&self, frame: &mut Frame<'_>, area: Rect) {
        let named = |name: &str| if name == "unknown" { "not known".to_owned() } else { shortened(name) };
        let row = |(name, count): &(String, u64)| Row::new([named(name), number(grouped(*count))]);
        let rows = self.snapshot.products.iter().take(4).chain(self.snapshot.keys.iter().take(4)).map(row);
        let widths = [Constraint::Min(10), Constraint::Length(NUMBER)];
        let head = Row::new([String::new(), number("1 hour")]).dim();
        let table = Table::new(rows, widths).header(head).block(titled("Products and keys"));
        frame.render_widget(table, area);
    }

    fn draw_latest(&mut self, frame: &mut Frame<'_>, area: Rect) {
        let title = self.only.as_ref().map_or_else(|| "Latest".to_owned(), |cause| format!("Latest, only {cause}"));
        let items: Vec<ListItem<'_>> = self.listed().map(|one| ListItem::new(summary_line(one))).collect();
        if items.is_empty() {
            let empty = Paragraph::new("None yet. A refusal shows up here as soon as it is logged.").dim();
            return frame.render_widget(empty.block(titled(&title)), area);
        }
        let list =
            List::new(items).highlight_style(Style::new().add_modifier(Modifier::REVERSED)).block(titled(&title));
        frame.render_stateful_widget(list, area, &mut self.list);
    }

    fn draw_sources(&self, frame: &mut Frame<'_>, area: Rect) {
        if let Some(trouble) = &self.trouble {
            return frame.render_widget(Line::from(trouble.clone()).yellow(), area);
        }
        let mut spans = Vec::new();
        for source in &self.snapshot.sources {
            let (colour, state) = match (source.is_up, source.is_caught_up) {
                (false, _) => (Color::Red, "down"),
                (true, false) => (Color::Yellow, "catching up"),
                (true, true) => (Color::Green, "up"),
            };
            spans.push(Span::styled("● ", Style::new().fg(colour)));
            spans.push(format!("{} {state}", source.name).into());
            if source.unread_bytes > 0 {
                spans.push(format!(", {} B behind", source.unread_bytes).dim());
            }
            if !source.is_up && !source.last_error.is_empty() {
                spans.push(format!(" ({})", source.last_error).dim());
            }
            spans.push("  ".into());
        }
        frame.render_widget(Line::from(spans), area);
    }

    fn draw_open(&self, frame: &mut Frame<'_>, area: Rect) {
        let Some(one) = self.selected() else { return };
        let mut lines = vec![Line::from(vec![one.title.clone().bold(), format!("  {}", one.cause).dim()])];
        let facts = [one.at.as_str(), &one.product, &one.source, &one.place, &one.key];
        let facts: Vec<&str> = facts.into_iter().filter(|fact| !fact.is_empty()).collect();
        lines.push(Line::from(facts.join(" · ")).dim());
        lines.push(Line::default());
        lines.extend(one.findings.iter().map(|finding| Line::from(format!("- {finding}"))));
        lines.push(Line::default());
        lines.push(Line::from(vec!["Do  ".dim(), one.remedy.clone().into()]));
        frame.render_widget(Clear, area);
        let block = Block::new().borders(Borders::ALL).border_style(Style::new().dim());
        frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).block(block), area);
    }
}

/// A number, or what stands above it, at the right of its column.
fn number(text: impl AsRef<str>) -> String {
    format!("{:>width$}", text.as_ref(), width = usize::from(NUMBER))
}

/// A SID by its beginning and its end; anything else as it is.
fn shortened(name: &str) -> String {
    match (name.get(..4), name.len().checked_sub(4).and_then(|at| name.get(at..))) {
        (Some(start), Some(end)) if name.len() == SID_BYTES => format!("{start}…{end}"),
        _ => name.to_owned(),
    }
}

fn titled(title: &str) -> Block<'static> {
    Block::new().borders(Borders::TOP).border_style(Style::new().dim()).title(format!("{title} "))
}

/// A bar of blocks; what is there is seen.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share lies between 0 and 1")]
fn bar(share: f64) -> String {
    let eighths = ((share.clamp(0.0, 1.0) * 8.0 * f64::from(BAR)).round() as usize).max(1);
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"].get(eighths % 8).copied().unwrap_or_default();
    format!("{}{rest}", "█".repeat(eighths / 8))
}

fn summary_line(one: &Rejection) -> Line<'static> {
    let time = one.at.split_once('T').map_or(one.at.as_str(), |(_, time)| time.split(['.', 'Z']).next().unwrap_or(""));
    let key = if one.key.len() == SID_BYTES { format!("  {}", shortened(&one.key)) } else { String::new() };
    let product = if one.product == "unknown" { String::new() } else { format!("{} · ", one.product) };
    Line::from(vec![
        format!("{time}  ").dim(),
        one.title.clone().into(),
        format!("  {product}{}{key}", one.source).dim(),
    ])
}

#[cfg(test)]
mod tests;
