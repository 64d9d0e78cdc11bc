//! From the file's parameters to scene units.

use sn17_render::{NormaliseError, normalise};
use sn17_splat::Splats;

use crate::fixtures;

fn two(a: [f32; 3], b: [f32; 3]) -> Splats {
    Splats {
        positions: vec![a, b],
        scales: vec![[-1.0, -2.0, -3.0]; 2],
        rotations: vec![[2.0, 0.0, 0.0, 0.0]; 2],
        opacities: vec![0.0, f32::INFINITY],
        colors: vec![[0.0, 1.0, -10.0]; 2],
        ..Splats::default()
    }
}

fn close(found: f32, expected: f32) {
    assert!((found - expected).abs() <= 1e-6 * expected.abs().max(1.0), "{found}, not {expected}");
}

#[test]
fn offset_is_one_number_and_opacity_is_divided_by_the_scale() {
    // The mean over all six coordinates is 2, the largest extent 4, hence the factor 0.5.
    let scene = normalise(&two([0.0, 1.0, 2.0], [4.0, 3.0, 2.0]), 2.0).unwrap();
    let [first, second] = &scene.gaussians[..] else { panic!("two Gaussians") };
    for (found, expected) in first.mean.iter().zip([-1.0, -0.5, 0.0]) {
        close(*found, expected);
    }
    for (found, expected) in second.mean.iter().zip([1.0, 0.5, 0.0]) {
        close(*found, expected);
    }
    close(first.opacity, 1.0);
    close(second.opacity, 1.0);
    let squares = [-1.0_f32, -2.0, -3.0].map(|log| (log.exp() * 0.5).powi(2));
    for (found, expected) in first.covariance.iter().zip([squares[0], 0.0, 0.0, squares[1], 0.0, squares[2]])
    {
        close(*found, expected);
    }
    for (found, expected) in first.color.iter().zip([0.5, 0.782_094_8, -2.320_948]) {
        close(*found, expected);
    }

    let scene = normalise(&two([0.0, 1.0, 2.0], [4.0, 3.0, 2.0]), 8.0).unwrap();
    close(scene.gaussians[0].opacity, 0.25);
    close(scene.gaussians[1].opacity, 0.5);
}

#[test]
fn hamburger_is_scaled_as_by_the_original() {
    let Some(splats) = fixtures::splats("hamburger.ply") else { return };
    let scene = normalise(&splats, 1.5).unwrap();
    let span = |axis: usize| {
        let values = scene.gaussians.iter().map(|gaussian| gaussian.mean[axis]);
        values.clone().fold(f32::MIN, f32::max) - values.fold(f32::MAX, f32::min)
    };
    for (axis, expected) in [0.9585, 0.8064, 0.9961].into_iter().enumerate() {
        assert!((span(axis) / 1.50588 - expected).abs() < 1e-4, "axis {axis}: {}", span(axis));
    }
}

#[test]
fn degenerate_objects_are_refused() {
    let check = |splats: &Splats, expected: NormaliseError| {
        assert_eq!(normalise(splats, 1.5).unwrap_err(), expected, "{expected}");
    };
    check(&Splats::default(), NormaliseError::Empty);
    check(&two([1.0; 3], [1.0; 3]), NormaliseError::Extent { extent: 0.0, bbox: 1.5 });
    check(&two([f32::MIN; 3], [f32::MAX; 3]), NormaliseError::Extent { extent: f32::INFINITY, bbox: 1.5 });
    check(&two([0.0; 3], [1e-40; 3]), NormaliseError::Extent { extent: 1e-40, bbox: 1.5 });
    check(&two([0.0; 3], [f32::NAN; 3]), NormaliseError::NotFinite { index: 1, attribute: "position" });

    let good = two([0.0; 3], [1.0; 3]);
    for bbox in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert!(normalise(&good, bbox).is_err(), "box {bbox}");
    }
    type Poison = fn(&mut Splats);
    let poisoned: [(Poison, &str); 4] = [
        (|splats| splats.rotations[1][2] = f32::INFINITY, "rotation"),
        (|splats| splats.colors[1][0] = f32::NAN, "colour"),
        (|splats| splats.scales[1][1] = f32::NAN, "scale"),
        (|splats| splats.opacities[1] = f32::NAN, "opacity"),
    ];
    for (poison, attribute) in poisoned {
        let mut splats = good.clone();
        poison(&mut splats);
        check(&splats, NormaliseError::NotFinite { index: 1, attribute });
    }
    let mut ragged = good;
    ragged.opacities.pop();
    check(&ragged, NormaliseError::Ragged { splats: 2, attribute: "opacities" });
}
