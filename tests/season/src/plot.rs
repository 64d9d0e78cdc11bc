//! Pictures of a comparison and of a leaderboard.

use crate::comparison::{Comparison, CurvePoint, Row, Spread};
use crate::judge::Accuracy;
use crate::leaderboard::LeaderboardPage;
use crate::svg::{Anchor, Picture, Scale, grouped};

/// Colours that stay apart for the colour-blind (Okabe and Ito 2008).
const COLOURS: [&str; 7] = ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555"];
const GREY: &str = "#d8d8d8";
/// A panel of the comparison, in pixels.
const PANEL: (f64, f64) = (470.0, 300.0);
const MARGIN: (f64, f64) = (70.0, 112.0);
/// What of a point a panel shows.
type Height = fn(&CurvePoint) -> Spread;
/// Rows of the leaderboard that are shown.
const SHOWN: usize = 25;

/// The curves of Kendall's tau-b against duels: a column for each judge, a row for each way to rank.
pub fn curves(comparison: &Comparison) -> String {
    let mut picture = Picture::new(2.0 * (PANEL.0 + MARGIN.0) + 30.0, 2.0 * (PANEL.1 + 70.0) + 90.0);
    let size = comparison.size;
    let title = format!(
        "Rank against true quality: {} miners, {} virtual hours, {} seeds (line: mean, band: range)",
        size.miners, size.hours, size.seeds
    );
    picture.words((MARGIN.0, 28.0), Anchor::Start, 17.0, "bold", &title);
    for (place, name) in (0_u32..).zip(Comparison::names()) {
        let x = MARGIN.0 + 250.0 * f64::from(place % 4);
        let y = 44.0 + 20.0 * f64::from(place / 4);
        picture.rectangle((x, y), (22.0, 4.0), colour(place));
        picture.words((x + 28.0, y + 7.0), Anchor::Start, 13.0, "normal", name);
    }
    let ways: [(&str, Height); 2] =
        [("by rating", |point| point.by_rating), ("by reward", |point| point.by_reward)];
    for (column, judge) in (0_u32..).zip([Accuracy::Flat, Accuracy::Graded]) {
        for (line, (way, value)) in (0_u32..).zip(ways) {
            let corner = (
                MARGIN.0 + f64::from(column) * (PANEL.0 + MARGIN.0),
                MARGIN.1 + f64::from(line) * (PANEL.1 + 70.0),
            );
            let rows: Vec<&Row> = comparison.rows.iter().filter(|row| row.judge == judge).collect();
            panel(&mut picture, corner, &format!("{} judge, ranked {way}", judge.name()), &rows, value);
        }
    }
    picture.close()
}

fn panel(picture: &mut Picture, (left, top): (f64, f64), title: &str, rows: &[&Row], value: Height) {
    let (right, bottom) = (left + PANEL.0, top + PANEL.1);
    let duels = |point: &CurvePoint| f64::from(u32::try_from(point.duels).unwrap_or(u32::MAX));
    let most = rows.iter().flat_map(|row| &row.curve).map(duels).fold(1.0, f64::max);
    let x = Scale { values: (0.0, most), pixels: (left, right) };
    let y = Scale { values: (0.0, 1.0), pixels: (bottom, top) };
    for tenth in 0..=10_u32 {
        let tau = f64::from(tenth) / 10.0;
        picture.line((left, y.at(tau)), (right, y.at(tau)), GREY, if tenth == 0 { 1.5 } else { 0.7 });
        if tenth % 2 == 0 {
            picture.words((left - 8.0, y.at(tau) + 4.0), Anchor::End, 12.0, "normal", &format!("{tau:.1}"));
        }
    }
    for at in x.ticks() {
        picture.words((x.at(at), bottom + 18.0), Anchor::Middle, 12.0, "normal", &grouped(at));
    }
    picture.words(
        (f64::midpoint(left, right), bottom + 36.0),
        Anchor::Middle,
        12.0,
        "normal",
        "judged duels",
    );
    picture.words((left, top - 8.0), Anchor::Start, 14.0, "bold", &format!("Kendall's tau-b, {title}"));
    for (place, row) in (0_u32..).zip(rows) {
        let points = |pick: fn(&Spread) -> f64| -> Vec<(f64, f64)> {
            row.curve.iter().map(|point| (x.at(duels(point)), y.at(pick(&value(point))))).collect()
        };
        let mut band = points(|spread| spread.max);
        band.extend(points(|spread| spread.min).into_iter().rev());
        picture.band(&band, colour(place));
        picture.polyline(&points(|spread| spread.mean), colour(place));
    }
}

fn colour(place: u32) -> &'static str {
    COLOURS[usize::try_from(place).unwrap_or(0) % COLOURS.len()]
}

/// The first rows of a leaderboard, and everybody's rating against the truth.
pub fn leaderboard(page: &LeaderboardPage) -> String {
    let rows = &page.rows[..page.rows.len().min(SHOWN)];
    let mut picture = Picture::new(1220.0, 110.0 + 22.0 * 25.0);
    let duels = grouped(f64::from(u32::try_from(page.duels).unwrap_or(u32::MAX)));
    let title = format!("Leaderboard after {} duels: the first {} of {}", duels, rows.len(), page.rows.len());
    picture.words((24.0, 30.0), Anchor::Start, 17.0, "bold", &title);
    let heads = [
        (50.0, Anchor::End, "rank"),
        (60.0, Anchor::Start, "miner"),
        (200.0, Anchor::End, "uid"),
        (300.0, Anchor::End, "rating"),
        (350.0, Anchor::End, "duels"),
        (415.0, Anchor::End, "win rate"),
        (490.0, Anchor::End, "accepted"),
        (510.0, Anchor::Start, "reward = rating × accepted in 4 h"),
    ];
    for (x, anchor, head) in heads {
        picture.words((x, 62.0), anchor, 12.0, "bold", head);
    }
    let most = rows.iter().map(|row| row.shown.reward).fold(1.0, f64::max);
    let bar = Scale { values: (0.0, most), pixels: (0.0, 170.0) };
    for (place, row) in (0_u32..).zip(rows) {
        let y = 84.0 + 22.0 * f64::from(place);
        let miner = format!("{}…{}", &row.shown.hotkey[..6], &row.shown.hotkey[row.shown.hotkey.len() - 4..]);
        let cells = [
            (50.0, Anchor::End, row.shown.rank.to_string()),
            (60.0, Anchor::Start, miner),
            (200.0, Anchor::End, row.shown.uid.to_string()),
            (300.0, Anchor::End, format!("{:.0} ± {:.0}", row.shown.rating, row.shown.deviation)),
            (350.0, Anchor::End, row.shown.duels.to_string()),
            (
                415.0,
                Anchor::End,
                row.shown.win_rate.map_or_else(String::new, |rate| format!("{:.1} %", rate * 100.0)),
            ),
            (490.0, Anchor::End, row.shown.accepted.to_string()),
        ];
        picture.rectangle((510.0, y - 12.0), (bar.at(row.shown.reward), 15.0), COLOURS[1]);
        picture.words(
            (516.0 + bar.at(row.shown.reward), y),
            Anchor::Start,
            12.0,
            "normal",
            &grouped(row.shown.reward),
        );
        for (x, anchor, cell) in cells {
            picture.words((x, y), anchor, 12.0, "normal", &cell);
        }
    }
    scatter(&mut picture, page);
    picture.close()
}

fn scatter(picture: &mut Picture, page: &LeaderboardPage) {
    let (left, right, top, bottom) = (820.0, 1190.0, 84.0, 590.0);
    let range = |values: &mut dyn Iterator<Item = f64>| {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            (low, high) = (low.min(value), high.max(value));
        }
        if low < high { (low, high) } else { (0.0, 1.0) }
    };
    let qualities = range(&mut page.rows.iter().map(|row| row.true_quality));
    let lows =
        range(&mut page.rows.iter().flat_map(|row| {
            [row.shown.rating - row.shown.deviation, row.shown.rating + row.shown.deviation]
        }));
    let x = Scale { values: qualities, pixels: (left + 6.0, right - 6.0) };
    let y = Scale { values: lows, pixels: (bottom, top) };
    picture.words(
        (left, 62.0),
        Anchor::Start,
        12.0,
        "bold",
        "every miner's rating ± deviation against its true quality",
    );
    picture.line((left, bottom), (right, bottom), "#888", 1.0);
    picture.line((left, bottom), (left, top), "#888", 1.0);
    for quality in x.ticks() {
        let at = (x.at(quality), bottom + 18.0);
        picture.words(at, Anchor::Middle, 12.0, "normal", &format!("{quality:.2}"));
    }
    for rating in y.ticks() {
        picture.line((left, y.at(rating)), (right, y.at(rating)), GREY, 0.5);
        picture.words((left - 6.0, y.at(rating) + 4.0), Anchor::End, 12.0, "normal", &grouped(rating));
    }
    picture.words(
        (f64::midpoint(left, right), bottom + 38.0),
        Anchor::Middle,
        12.0,
        "normal",
        "true quality",
    );
    for row in &page.rows {
        let at = x.at(row.true_quality);
        picture.line(
            (at, y.at(row.shown.rating - row.shown.deviation)),
            (at, y.at(row.shown.rating + row.shown.deviation)),
            GREY,
            1.0,
        );
    }
    for row in &page.rows {
        picture.dot((x.at(row.true_quality), y.at(row.shown.rating)), 2.6, COLOURS[0]);
    }
}
