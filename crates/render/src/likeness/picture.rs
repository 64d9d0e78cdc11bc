//! A fingerprint of how an object looks.

use crate::render::View;

/// Fields across and along the direction in which neighbours are compared.
const ACROSS: usize = 8;
const ALONG: usize = 5;

/// A row or column of pixels belongs to the object if this share of it, as a divisor, shows the object.
const CONTENT: usize = 50;

/// A pixel shows the object if at least this share of the background is hidden there.
const COVERED: f32 = 0.5;

/// And if a channel is darker than this, of 255: pale plates around the object are not seen over white.
const PALE: u8 = 247;

/// Returns a difference hash (after Krawetz 2013) of a view over white: 64 bits, each telling whether a field of the
/// picture is brighter than the next one.
///
/// A pixel that is hardly covered or hardly dark is taken for white background: a haze around the object is seen by
/// nobody, and would be the cheapest way to another hash. The picture is then cut to the object, so that moving the
/// object in it changes little. Half of the bits compare five by eight fields from left to right, half eight by five from
/// top to bottom. Differences below one level of 255 count as none. Colours count by their luminance only.
pub fn picture_hash(view: &View) -> u64 {
    let (width, luminances) = luminances(view);
    let [columns, rows] = content(width, &luminances);
    let field = |columns, rows| field(width, &luminances, columns, rows);
    let mut hash = 0;
    for downward in [false, true] {
        for across in 0..ACROSS {
            let bright: [u64; ALONG] = std::array::from_fn(|along| {
                if downward {
                    field(part(columns, across, ACROSS), part(rows, along, ALONG))
                } else {
                    field(part(columns, along, ALONG), part(rows, across, ACROSS))
                }
            });
            for pair in bright.windows(2) {
                hash = hash << 1 | u64::from(pair[0] > pair[1] + LEVEL);
            }
        }
    }
    hash
}

/// The picture's width, and for each pixel the luminance of the object in thousandths of a level, or [`BLANK`].
fn luminances(view: &View) -> (usize, Vec<u64>) {
    let pixels = view.frame.pixels.as_chunks::<3>().0.iter().zip(&view.coverage);
    let luminance = |(pixel, covered): (&[u8; 3], &f32)| {
        if *covered >= COVERED && pixel.iter().any(|&value| value < PALE) {
            pixel.iter().zip(LUMINANCE).map(|(&value, weight)| u64::from(value) * weight).sum()
        } else {
            BLANK
        }
    };
    (view.frame.width as usize, pixels.map(luminance).collect())
}

/// The columns and the rows that hold the object, ends excluded; all of them if nothing is seen.
fn content(width: usize, luminances: &[u64]) -> [[usize; 2]; 2] {
    let height = luminances.len() / width.max(1);
    let mut columns = vec![0_usize; width];
    let mut rows = vec![0_usize; height];
    for (number, _) in luminances.iter().enumerate().filter(|&(_, &luminance)| luminance != BLANK) {
        columns[number % width] += 1;
        rows[number / width] += 1;
    }
    let range = |counts: &[usize], across: usize| {
        let holds = |count: &usize| count * CONTENT > across;
        match (counts.iter().position(holds), counts.iter().rposition(holds)) {
            (Some(first), Some(last)) => [first, last + 1],
            _ => [0, counts.len()],
        }
    };
    [range(&columns, height), range(&rows, width)]
}

/// One of `count` equal parts of a range.
fn part([start, end]: [usize; 2], number: usize, count: usize) -> [usize; 2] {
    [start + number * (end - start) / count, start + (number + 1) * (end - start) / count]
}

/// Weights of red, green and blue in luminance, ITU-R BT.601, in thousandths.
const LUMINANCE: [u64; 3] = [299, 587, 114];

/// One level of 255, in thousandths.
const LEVEL: u64 = 1_000;

/// The luminance of the background, which no pixel of the object has.
const BLANK: u64 = 255 * LEVEL;

/// Mean luminance of a field, in thousandths of a level.
fn field(width: usize, luminances: &[u64], [left, right]: [usize; 2], [top, bottom]: [usize; 2]) -> u64 {
    let lines = (top..bottom).map(|line| &luminances[line * width + left..line * width + right]);
    lines.flatten().sum::<u64>() / ((right - left) * (bottom - top)).max(1) as u64
}
