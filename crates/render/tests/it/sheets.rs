//! Pictures made of several views, and PNG.

use sn17_render::{DUEL_VIEWS, Frame, contact_sheet, duel_grid};

fn flat(size: u32, value: u8) -> Frame {
    Frame { width: size, height: size, pixels: vec![value; (size * size * 3) as usize] }
}

fn at(frame: &Frame, x: u32, y: u32) -> u8 {
    frame.pixels[((y * frame.width + x) * 3) as usize]
}

#[test]
fn duel_grid_shows_four_views_around_a_black_gap() {
    let views = DUEL_VIEWS.map(|view| flat(518, 100 + view as u8));
    let grid = duel_grid(views.each_ref());
    assert_eq!((grid.width, grid.height), (1041, 1041), "size");
    for (view, x, y) in [(1, 0, 0), (5, 523, 0), (9, 0, 523), (13, 523, 523)] {
        for (dx, dy) in [(0, 0), (517, 0), (0, 517), (517, 517)] {
            assert_eq!(at(&grid, x + dx, y + dy), 100 + view, "view {view} at {dx}, {dy}");
        }
    }
    for gap in 518..523 {
        for along in [0, 300, 520, 1040] {
            assert_eq!((at(&grid, gap, along), at(&grid, along, gap)), (0, 0), "gap at {gap}, {along}");
        }
    }
}

#[test]
fn contact_sheet_reduces_all_views() {
    let views: Vec<Frame> = (0..16).map(|view| flat(518, 100 + view)).collect();
    let sheet = contact_sheet(&views);
    assert_eq!((sheet.width, sheet.height), (1036, 1036), "size");
    for view in 0..16_u32 {
        let (x, y) = (view % 4 * 259, view / 4 * 259);
        assert_eq!(u32::from(at(&sheet, x, y)), 100 + view, "first pixel of view {view}");
        assert_eq!(u32::from(at(&sheet, x + 258, y + 258)), 100 + view, "last pixel of view {view}");
    }
    let five = contact_sheet(&views[..5]);
    assert_eq!((five.width, five.height), (1036, 518), "a started row counts");
    assert_eq!(at(&five, 300, 300), 0, "empty cells are black");
    assert_eq!(contact_sheet(&[]), Frame::black(0, 0), "nothing of nothing");
}

#[test]
fn png_round_trip() {
    let pixels: Vec<u8> = (0..5 * 3 * 3).collect();
    let frame = Frame { width: 5, height: 3, pixels: pixels.clone() };
    let png = frame.to_png().unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
    let mut found = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut found).unwrap();
    assert_eq!(found, pixels, "pixels");
    assert!(Frame::black(0, 0).to_png().is_err(), "no pixels");
    assert!(Frame { width: 6, height: 3, pixels }.to_png().is_err(), "too few pixels");
}
