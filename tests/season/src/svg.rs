//! Pictures of lines, bars and words as SVG 1.1.

use std::fmt::Write;

/// Where words stand relative to their point.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture that grows.
#[derive(Debug)]
pub(crate) struct Picture {
    body: String,
    width: f64,
    height: f64,
}

impl Picture {
    pub(crate) const fn new(width: f64, height: f64) -> Self {
        Self { body: String::new(), width, height }
    }

    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, width: f64) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.add(format_args!(
            r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke="{colour}" stroke-width="{width}"/>"#
        ));
    }

    pub(crate) fn polyline(&mut self, points: &[(f64, f64)], colour: &str) {
        let points = list(points);
        self.add(format_args!(
            r#"<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>"#
        ));
    }

    pub(crate) fn band(&mut self, points: &[(f64, f64)], colour: &str) {
        let points = list(points);
        self.add(format_args!(r#"<polygon points="{points}" fill="{colour}" fill-opacity="0.18"/>"#));
    }

    pub(crate) fn rectangle(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), colour: &str) {
        self.add(format_args!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{colour}"/>"#
        ));
    }

    pub(crate) fn dot(&mut self, (x, y): (f64, f64), radius: f64, colour: &str) {
        self.add(format_args!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="{radius}" fill="{colour}"/>"#));
    }

    /// Words on a line of their own; `style` is `normal` or `bold`.
    pub(crate) fn words(&mut self, (x, y): (f64, f64), anchor: Anchor, size: f64, style: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        self.add(format_args!(
            r##"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" font-size="{size}" font-weight="{style}" fill="#222">{text}</text>"##
        ));
    }

    /// The whole file.
    pub(crate) fn close(self) -> String {
        let Self { body, width, height } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"DejaVu Sans, Helvetica, Arial, sans-serif\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{body}</svg>\n"
        )
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.body.write_fmt(element);
        self.body.push('\n');
    }
}

/// A whole number in groups of three digits.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn list(points: &[(f64, f64)]) -> String {
    let mut text = String::new();
    for (x, y) in points {
        let _ = write!(text, "{x:.1},{y:.1} ");
    }
    text.trim_end().to_owned()
}

/// A stretch of numbers laid over a stretch of a picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// Numbers at either end.
    pub(crate) values: (f64, f64),
    /// Pixels at either end.
    pub(crate) pixels: (f64, f64),
}

impl Scale {
    /// Round numbers on it, four to nine of them: multiples of 1, 2 or 5 by a power of ten.
    pub(crate) fn ticks(&self) -> Vec<f64> {
        let (low, high) = self.values;
        let tenfold = libm::pow(10.0, libm::floor(libm::log10((high - low) / 4.0)));
        let steps = [5.0, 2.0, 1.0].map(|times| times * tenfold);
        let step = steps.into_iter().find(|step| (high - low) / step >= 4.0).unwrap_or(tenfold);
        let first = libm::ceil(low / step);
        let tick = |place: u32| (first + f64::from(place)) * step;
        (0..10).map(tick).take_while(|tick| *tick <= high).collect()
    }

    pub(crate) fn at(&self, value: f64) -> f64 {
        let share = (value - self.values.0) / (self.values.1 - self.values.0);
        self.pixels.0 + share.clamp(0.0, 1.0) * (self.pixels.1 - self.pixels.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        let ticks = |low, high| {
            let ticks = Scale { values: (low, high), pixels: (0.0, 1.0) }.ticks();
            ticks.iter().map(|tick| format!("{tick:.2}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(ticks(0.0, 2500.0), "0.00 500.00 1000.00 1500.00 2000.00 2500.00");
        assert_eq!(ticks(922.0, 2138.0), "1000.00 1200.00 1400.00 1600.00 1800.00 2000.00");
        assert_eq!(ticks(0.0, 4.0), "0.00 1.00 2.00 3.00 4.00");
        assert_eq!(ticks(0.65, 0.92), "0.65 0.70 0.75 0.80 0.85 0.90");
    }

    #[test]
    fn digits_stand_in_threes() {
        assert_eq!([0.0, 999.4, 1000.0, 91_188.0].map(grouped), ["0", "999", "1,000", "91,188"]);
    }
}
