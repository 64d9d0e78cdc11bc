//! Pictures made of several views.

use crate::frame::Frame;

/// The views, as indices among the sixteen, that the judge of a duel sees: azimuths 24°, 120°, 216° and 312°.
pub const DUEL_VIEWS: [usize; 4] = [1, 5, 9, 13];

const DUEL_GAP_PX: u32 = 5;
const SHEET_COLUMNS: usize = 4;
const SHEET_CELL_PX: u32 = 260;

/// Composes the picture a judge compares: the [`DUEL_VIEWS`] in reading order, two by two, with a black gap of 5 px.
///
/// Views of 518 px give 1041×1041 px, as in the original.
pub fn duel_grid(views: [&Frame; DUEL_VIEWS.len()]) -> Frame {
    grid(&views, 2, DUEL_GAP_PX)
}

/// Composes an overview of any number of views in reading order, four in a row, each reduced to at most 260 px.
pub fn contact_sheet(views: &[Frame]) -> Frame {
    let cells: Vec<Frame> = views.iter().map(|view| shrink(view, SHEET_CELL_PX)).collect();
    grid(&cells.iter().collect::<Vec<_>>(), SHEET_COLUMNS, 0)
}

fn grid(cells: &[&Frame], columns: usize, gap: u32) -> Frame {
    let width = cells.iter().map(|cell| cell.width).max().unwrap_or(0);
    let height = cells.iter().map(|cell| cell.height).max().unwrap_or(0);
    let (across, down) = (columns.min(cells.len()), cells.len().div_ceil(columns));
    let mut sheet = Frame::black(edge(across, width, gap), edge(down, height, gap));
    let (mut column, mut left, mut top) = (0, 0, 0);
    for cell in cells {
        sheet.paste(cell, left, top);
        column += 1;
        left += width + gap;
        if column == columns {
            (column, left) = (0, 0);
            top += height + gap;
        }
    }
    sheet
}

/// Length of `count` cells with gaps between them.
fn edge(count: usize, cell: u32, gap: u32) -> u32 {
    (0..count).fold(0, |length, number| length + cell + if number == 0 { 0 } else { gap })
}

/// Reduces a picture so that neither edge exceeds `edge_max`, by averaging the pixels under each new one.
fn shrink(frame: &Frame, edge_max: u32) -> Frame {
    let divisor = frame.width.max(frame.height).div_ceil(edge_max).max(1);
    let mut small = Frame::black(frame.width / divisor, frame.height / divisor);
    let (step, stride, small_width) = (divisor as usize, frame.width as usize * 3, small.width as usize);
    for (number, pixel) in small.pixels.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        let (left, top) = (number % small_width * step * 3, number / small_width * step);
        for (channel, value) in pixel.iter_mut().enumerate() {
            let mut sum = 0_usize;
            for row in top..top + step {
                for column in 0..step {
                    sum += usize::from(frame.pixels[row * stride + left + column * 3 + channel]);
                }
            }
            *value = u8::try_from(sum / (step * step)).expect("a mean of bytes is a byte");
        }
    }
    small
}
