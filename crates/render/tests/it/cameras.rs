//! Cameras against matrices of the original validator's tests.

use sn17_render::{Camera, FRONT_VIEW, JUDGE_SIZE_PX, judge_views};

/// Compares with a camera-to-world matrix, which for a rigid transform is the transpose beside the centre.
fn check_pose(camera: &Camera, camera_to_world: [[f32; 4]; 3]) {
    let rows = camera.world_to_camera;
    for axis in 0..3 {
        for column in 0..3 {
            let (found, expected) = (rows[column][axis], camera_to_world[axis][column]);
            assert!((found - expected).abs() < 1e-4, "axis {axis}, column {column}: {found}, not {expected}");
        }
        let center: f32 = (0..3).map(|row| -rows[row][axis] * rows[row][3]).sum();
        assert!((center - camera_to_world[axis][3]).abs() < 1e-4, "centre {axis}: {center}");
    }
}

#[test]
fn orbits_match_the_original_matrices() {
    check_pose(
        &Camera::orbit(0.0, 0.0, 1.0, 518),
        [[1.0, 0.0, 0.0, 0.0], [0.0, -1.0, 0.0, 0.0], [0.0, 0.0, -1.0, 1.0]],
    );
    check_pose(
        &Camera::orbit(45.0, 30.0, 1.0, 518),
        [
            [std::f32::consts::FRAC_1_SQRT_2, -0.3536, -0.6124, 0.6124],
            [0.0, -0.8660, 0.5, -0.5],
            [-std::f32::consts::FRAC_1_SQRT_2, -0.3536, -0.6124, 0.6124],
        ],
    );
}

#[test]
fn front_view_matches_the_original_matrix() {
    let expected = [
        [0.913_545, 0.0, -0.406_737, 0.0],
        [0.105_271, -0.965_926, 0.236_443, 0.0],
        [-0.392_877, -0.258_819, -0.882_417, 2.5],
    ];
    let found = judge_views()[FRONT_VIEW].world_to_camera;
    for row in 0..3 {
        for column in 0..4 {
            let (found, expected) = (found[row][column], expected[row][column]);
            assert!((found - expected).abs() < 1e-6, "({row}, {column}): {found}, not {expected}");
        }
    }
}

#[test]
fn judge_views_are_sixteen_with_both_ends_of_the_circle() {
    let views = judge_views();
    assert_eq!(views[0], views[15], "0° and 360°");
    for view in &views {
        assert_eq!(view.size_px, JUDGE_SIZE_PX, "size");
        assert!((view.focal_px - 567.0118).abs() < 1e-3, "focal length {}", view.focal_px);
        assert!((view.principal_px - 259.0).abs() < 1e-6, "principal point {}", view.principal_px);
    }
    assert!((Camera::orbit(0.0, 0.0, 1.0, 519).principal_px - 259.0).abs() < 1e-6, "rounded down");
}

#[test]
fn poles_have_a_picture_too() {
    for elevation in [-90.0, 90.0] {
        let camera = Camera::orbit(10.0, elevation, 2.0, 64);
        assert!(camera.world_to_camera.iter().flatten().all(|value| value.is_finite()), "{elevation}°");
    }
}
