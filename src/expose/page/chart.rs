//! Rejections over time by cause, as bars, and the table of causes that is their legend.
//!
//! The bars are plain SVG, drawn on the server. Five causes at most have a colour of their own: more could not be told
//! apart. The table says the same in numbers, for those who can't see the bars.

use std::cmp::Reverse;
use std::fmt::{self, Write};

use crate::cause::Cause;
use crate::ledger::window::series::Slot;
use crate::ledger::window::{Tally, Window};

use super::Scene;
use super::filter::Range;
use super::html::{Clock, Escaped, Grouped, Prose, Share};

/// Causes with a colour of their own.
const COLOURED: usize = 5;
/// Causes that are listed at once; the others are folded away.
const LISTED: usize = 8;
/// Width of a slot in the drawing, the gap included, and height of the drawing.
const SLOT: f64 = 10.0;
const HEIGHT: f64 = 100.0;
/// What is there is seen, however small beside the rest.
const BAR_MIN: f64 = 1.5;

/// Which colour belongs to which cause: the most frequent have one, in the order of the taxonomy, so that a colour
/// stays where it is while numbers change.
struct Colours(Vec<Cause>);

impl Colours {
    fn of(counts: &[(Cause, u64)]) -> Self {
        let mut causes: Vec<Cause> = counts.iter().take(COLOURED).map(|(cause, _)| *cause).collect();
        causes.sort_unstable();
        Self(causes)
    }

    /// A number from 0; [`COLOURED`] is that of all others.
    fn at(&self, cause: Cause) -> usize {
        self.0.iter().position(|own| *own == cause).unwrap_or(COLOURED)
    }
}

pub(super) fn write(page: &mut String, scene: &Scene<'_>) -> fmt::Result {
    let range = scene.filter.range;
    let series = scene.view.series(range.width_seconds(), range.slots(), scene.now);
    let mut counts: Vec<(Cause, u64)> = Cause::ALL
        .map(|cause| (cause, series.iter().map(|slot| slot.causes.at(cause).unwrap_or(0)).sum()))
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .collect();
    counts.sort_by_key(|(_, count)| Reverse(*count));
    let colours = Colours::of(&counts);
    page.write_str("<section id=\"causes\" data-part>\n<div class=\"head\"><h2>Rejections by cause</h2>\n")?;
    write_ranges(page, scene)?;
    page.write_str("</div>\n")?;
    if let Some(cause) = scene.filter.cause {
        let all = scene.filter.cause(None);
        writeln!(
            page,
            "<p class=\"only\">Only <b>{}</b> is shown. <a id=\"show-all\" data-filter href=\"{all}\">Show all causes</a></p>",
            Escaped(cause.title())
        )?;
    }
    write_bars(page, scene, &series, &colours)?;
    write_table(page, scene, &counts, &colours)?;
    page.write_str("</section>\n")
}

fn write_ranges(page: &mut String, scene: &Scene<'_>) -> fmt::Result {
    page.write_str("<nav class=\"ranges\" aria-label=\"Stretch of time\">")?;
    for range in Range::ALL {
        let link = scene.filter.range(range);
        let current = if range == scene.filter.range { " aria-current=\"true\"" } else { "" };
        write!(page, "<a id=\"range-{id}\" data-filter href=\"{link}\"{current}>{id}</a>", id = range.id())?;
    }
    page.write_str("</nav>\n")
}

/// The least of 2, 4, 6, 10, 20, … that is no less than `most`.
fn ceiling(most: u64) -> u64 {
    let mut ten: u64 = 1;
    loop {
        if let Some(step) = [2, 4, 6, 10].iter().map(|step| ten.saturating_mul(*step)).find(|step| *step >= most) {
            return step;
        }
        ten = ten.saturating_mul(10);
    }
}

#[expect(clippy::cast_precision_loss, reason = "heights in a drawing")]
fn write_bars(page: &mut String, scene: &Scene<'_>, series: &[Slot], colours: &Colours) -> fmt::Result {
    let (range, only) = (scene.filter.range, scene.filter.cause);
    let shown = |slot: &Slot| only.map_or(slot.rejections, |cause| slot.causes.at(cause).unwrap_or(0));
    let all: u64 = series.iter().map(shown).sum();
    let peak = series.iter().max_by_key(|slot| (shown(slot), slot.start));
    let most = peak.map_or(0, shown);
    let top = ceiling(most);
    write!(
        page,
        "<figure>\n<ol class=\"y\" aria-hidden=\"true\"><li>{}</li><li>{}</li><li>0</li></ol>\n",
        Grouped(top),
        Grouped(top / 2)
    )?;
    let width = SLOT * series.len() as f64;
    write!(page, "<svg viewBox=\"0 0 {width} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"")?;
    write!(page, "Rejections in the last {}: {} in all", range.name(), Grouped(all))?;
    if let Some(peak) = peak.filter(|_| most > 0) {
        let start = Clock { at: peak.start, now: scene.now };
        write!(page, ", at most {} in {}, from {start} on", Grouped(most), range.slot())?;
    }
    write!(page, "\">\n<path class=\"grid\" d=\"M0 0H{width}M0 50H{width}M0 100H{width}\"/>\n")?;
    for (at, slot) in series.iter().enumerate().filter(|(_, slot)| shown(slot) > 0) {
        let x = SLOT * at as f64 + 1.0;
        page.write_str("<g>")?;
        write_tip(page, scene, slot, shown(slot))?;
        let mut y = HEIGHT;
        for (colour, count) in stacked(slot, only, colours) {
            let height = (HEIGHT * count as f64 / top as f64).max(BAR_MIN);
            y -= height;
            write!(page, "<rect class=\"c{colour}\" x=\"{x}\" y=\"{y:.2}\" width=\"8\" height=\"{height:.2}\"/>")?;
        }
        page.write_str("</g>\n")?;
    }
    page.write_str("</svg>\n<ol class=\"x\" aria-hidden=\"true\">")?;
    for slot in series.iter().step_by(series.len().div_ceil(4).max(1)) {
        write!(page, "<li>{:.5}</li>", Clock { at: slot.start, now: slot.start }.to_string())?;
    }
    page.write_str("<li>now</li></ol>\n</figure>\n")
}

/// The counts of a bar from the bottom up, by colour.
fn stacked(slot: &Slot, only: Option<Cause>, colours: &Colours) -> Vec<(usize, u64)> {
    let mut sums = [0; COLOURED + 1];
    for (cause, count) in slot.causes.iter().filter(|(cause, _)| only.is_none_or(|only| only == *cause)) {
        if let Some(sum) = sums.get_mut(colours.at(cause)) {
            *sum += count;
        }
    }
    sums.into_iter().enumerate().filter(|(_, count)| *count > 0).collect()
}

/// What a pointer on a bar is told.
fn write_tip(page: &mut String, scene: &Scene<'_>, slot: &Slot, all: u64) -> fmt::Result {
    write!(page, "<title>{}: {}", Clock { at: slot.start, now: scene.now }, Grouped(all))?;
    let mut causes: Vec<_> = slot.causes.iter().collect();
    causes.sort_by_key(|(_, count)| Reverse(*count));
    causes.retain(|(cause, _)| scene.filter.cause.is_none_or(|only| only == *cause));
    for (cause, count) in causes {
        write!(page, "\n{} {}", Grouped(count), Escaped(cause.title()))?;
    }
    page.write_str("</title>")
}

fn write_table(page: &mut String, scene: &Scene<'_>, counts: &[(Cause, u64)], colours: &Colours) -> fmt::Result {
    let range = scene.filter.range;
    if counts.is_empty() {
        return writeln!(page, "<p class=\"empty\">Nothing was refused in the last {}.</p>", range.name());
    }
    let recent = Window::from_seconds(300).map_or_else(Tally::default, |five| scene.view.tally(five, scene.now));
    let all = counts.iter().map(|(_, count)| count).sum();
    let (shown, folded) = counts.split_at_checked(LISTED).unwrap_or((counts, &[]));
    write_rows(page, scene, shown, colours, (&recent, all))?;
    if !folded.is_empty() {
        writeln!(page, "<details id=\"more-causes\"><summary>{} more causes</summary>", folded.len())?;
        write_rows(page, scene, folded, colours, (&recent, all))?;
        page.write_str("</details>\n")?;
    }
    Ok(())
}

fn write_rows(
    page: &mut String,
    scene: &Scene<'_>,
    rows: &[(Cause, u64)],
    colours: &Colours,
    (recent, all): (&Tally, u64),
) -> fmt::Result {
    let range = scene.filter.range;
    write!(
        page,
        "<table class=\"causes\">\n<thead><tr><th scope=\"col\">Cause</th>\
         <th scope=\"col\">What to do</th>\
         <th scope=\"col\" class=\"n\">5 min</th><th scope=\"col\" class=\"n\">{}</th>\
         <th scope=\"col\" class=\"n\">Share</th></tr></thead>\n<tbody>\n",
        range.id()
    )?;
    for (cause, count) in rows {
        let is_only = scene.filter.cause == Some(*cause);
        let link = scene.filter.cause((!is_only).then_some(*cause));
        let minutes = recent.causes.at(*cause).map_or(0, |seen| seen.count);
        write!(
            page,
            "<tr{}><th scope=\"row\"><svg class=\"key\" viewBox=\"0 0 1 1\" aria-hidden=\"true\">\
             <rect class=\"c{}\" width=\"1\" height=\"1\"/></svg>\
             <a id=\"cause-{id}\" data-filter href=\"{link}\"{}>{}</a> <code>{id}</code></th><td class=\"remedy\">{}</td>",
            if scene.filter.cause.is_some() && !is_only { " class=\"dim\"" } else { "" },
            colours.at(*cause),
            if is_only { " aria-current=\"true\"" } else { "" },
            Escaped(cause.title()),
            Prose(cause.remedy()),
            id = cause.id(),
        )?;
        writeln!(
            page,
            "<td class=\"n{}\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            if minutes == 0 { " zero" } else { "" },
            Grouped(minutes),
            Grouped(*count),
            Share { part: *count, all },
        )?;
    }
    page.write_str("</tbody>\n</table>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_ends_at_an_even_round_number() {
        for (most, expected) in [(0, 2), (1, 2), (3, 4), (5, 6), (7, 10), (11, 20), (61, 100), (101, 200), (3000, 4000)]
        {
            assert_eq!(ceiling(most), expected, "{most}");
        }
        assert!(ceiling(u64::MAX) == u64::MAX);
    }

    #[test]
    fn the_most_frequent_causes_have_a_colour_and_keep_it() {
        let counts = |order: [usize; 6]| order.map(|at| (Cause::ALL[at], 1));
        let (one, other) = (Colours::of(&counts([4, 2, 0, 1, 3, 9])), Colours::of(&counts([0, 1, 2, 3, 4, 9])));
        for cause in Cause::ALL {
            assert_eq!(one.at(cause), other.at(cause));
        }
        assert_eq!((one.at(Cause::ALL[0]), one.at(Cause::ALL[9])), (0, COLOURED));
    }
}
