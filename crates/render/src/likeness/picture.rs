//! A fingerprint of how an object looks.

use crate::frame::Frame;

/// Fields across and along the direction in which neighbours are compared.
const ACROSS: usize = 8;
const ALONG: usize = 5;

/// A row or column of pixels belongs to the object if this share of it, as a divisor, is not background.
const CONTENT: usize = 50;

/// Returns a difference hash (after Krawetz 2013) of a view over white: 64 bits, each telling whether a field of the
/// picture is brighter than the next one.
///
/// The picture is cut to the object first, so that moving the object in it changes little. Half of the bits compare
/// five by eight fields from left to right, half eight by five from top to bottom. Differences below one level of 255
/// count as none. Colours count by their luminance only.
pub fn picture_hash(frame: &Frame) -> u64 {
    let [columns, rows] = content(frame);
    let mut hash = 0;
    for downward in [false, true] {
        for across in 0..ACROSS {
            let bright: [u64; ALONG] = std::array::from_fn(|along| {
                if downward {
                    field(frame, part(columns, across, ACROSS), part(rows, along, ALONG))
                } else {
                    field(frame, part(columns, along, ALONG), part(rows, across, ACROSS))
                }
            });
            for pair in bright.windows(2) {
                hash = hash << 1 | u64::from(pair[0] > pair[1] + LEVEL);
            }
        }
    }
    hash
}

/// Counts the bits in which two hashes differ, 0 to 64.
pub fn picture_distance(a: u64, b: u64) -> u32 {
    (a ^ b).count_ones()
}

/// The columns and the rows that hold the object, ends excluded; all of them if nothing is seen.
fn content(frame: &Frame) -> [[usize; 2]; 2] {
    let (width, height) = (frame.width as usize, frame.height as usize);
    let mut columns = vec![0_usize; width];
    let mut rows = vec![0_usize; height];
    for (number, pixel) in frame.pixels.as_chunks::<3>().0.iter().enumerate() {
        if pixel.iter().any(|&value| value < u8::MAX) {
            columns[number % width] += 1;
            rows[number / width] += 1;
        }
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

/// One level of 255, in the unit of [`field`].
const LEVEL: u64 = 1_000;

/// Mean luminance of a field, in thousandths of a level.
fn field(frame: &Frame, [left, right]: [usize; 2], [top, bottom]: [usize; 2]) -> u64 {
    let mut sum = 0;
    for line in top..bottom {
        let start = line * frame.width as usize;
        for pixel in frame.pixels[(start + left) * 3..(start + right) * 3].as_chunks::<3>().0 {
            sum += pixel.iter().zip(LUMINANCE).map(|(&value, weight)| u64::from(value) * weight).sum::<u64>();
        }
    }
    sum / ((right - left) * (bottom - top)).max(1) as u64
}
