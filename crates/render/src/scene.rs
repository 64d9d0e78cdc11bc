//! From the file's parametrisation to a scene in the unit the cameras expect.

use sn17_splat::Splats;

/// Largest edge, in scene units, of the bounding box the original validator scales objects to.
pub const BBOX_DEFAULT: f32 = 1.5;

/// Value of the spherical harmonic of degree 0, `1 / (2 √π)`.
const SH_C0: f32 = 0.282_094_8;

/// One Gaussian, ready to be projected.
#[derive(Clone, Debug, PartialEq)]
pub struct Gaussian {
    /// Centre in scene units.
    pub mean: [f32; 3],
    /// Upper triangle of the covariance matrix: xx, xy, xz, yy, yz, zz.
    pub covariance: [f32; 6],
    /// Peak opacity, 0 to 1.
    pub opacity: f32,
    /// Red, green and blue; 0 to 1 is the displayable range, values outside it are kept until the picture is clipped.
    pub color: [f32; 3],
}

impl Gaussian {
    /// Builds a Gaussian from its standard deviations along three axes and the rotation (w, x, y, z) of these axes.
    ///
    /// The quaternion need not have unit length; a zero one has no direction, and such a Gaussian is never drawn.
    pub fn new(mean: [f32; 3], scale: [f32; 3], rotation: [f32; 4], opacity: f32, color: [f32; 3]) -> Self {
        Self { mean, covariance: covariance(scale, rotation), opacity, color }
    }
}

/// A normalised scene. It cannot be malformed: what is not finite is skipped by the renderer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scene {
    /// The Gaussians in the order of the file, which breaks ties in depth.
    pub gaussians: Vec<Gaussian>,
}

/// Why splats cannot be made into a scene.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NormaliseError {
    /// There is nothing to render.
    #[error("there are no splats")]
    Empty,
    /// The arrays of the splats have different lengths.
    #[error("the splats have {splats} positions but another number of {attribute}")]
    Ragged {
        /// Number of positions.
        splats: usize,
        /// The array that differs.
        attribute: &'static str,
    },
    /// A value that has to be a finite number is not.
    #[error("splat {index} has a {attribute} that is not a finite number")]
    NotFinite {
        /// Index of the splat, from 0.
        index: usize,
        /// The attribute at fault.
        attribute: &'static str,
    },
    /// The object is a point, or so large or small that scaling it overflows.
    #[error("the object's largest extent is {extent}, it cannot be scaled to {bbox}")]
    Extent {
        /// Largest edge of the bounding box, in the file's units.
        extent: f32,
        /// The edge asked for.
        bbox: f32,
    },
}

/// Applies the activations, recentres the object and scales its largest edge to `bbox` scene units.
///
/// This is the original validator's transform with its peculiarities: the offset is **one** number, the mean over all
/// coordinates of all axes, and opacities are divided by the scale factor (then clipped to 0..=1).
///
/// # Errors
/// [`NormaliseError`] if there are no splats, if a value is not finite (scales and opacities may be infinite: the codecs
/// use that for exactly 0 and 1), or if the extent is zero or cannot be scaled.
pub fn normalise(splats: &Splats, bbox: f32) -> Result<Scene, NormaliseError> {
    check_shape(splats)?;
    check_values(splats)?;
    let extent = largest_extent(&splats.positions);
    let factor = bbox / extent;
    if !(factor > 0.0 && factor.is_finite()) {
        return Err(NormaliseError::Extent { extent, bbox });
    }
    let offset = mean_coordinate(&splats.positions);
    let gaussians = (0..splats.len())
        .map(|index| {
            Gaussian::new(
                splats.positions[index].map(|coordinate| (coordinate - offset) * factor),
                splats.scales[index].map(|log_scale| log_scale.exp() * factor),
                splats.rotations[index],
                (sigmoid(splats.opacities[index]) / factor).clamp(0.0, 1.0),
                splats.colors[index].map(|coefficient| 0.5 + SH_C0 * coefficient),
            )
        })
        .collect();
    Ok(Scene { gaussians })
}

/// The logistic function.
pub(crate) fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

fn check_shape(splats: &Splats) -> Result<(), NormaliseError> {
    let expected = splats.len();
    if expected == 0 {
        return Err(NormaliseError::Empty);
    }
    let lengths = [
        (splats.scales.len(), "scales"),
        (splats.rotations.len(), "rotations"),
        (splats.opacities.len(), "opacities"),
        (splats.colors.len(), "colours"),
    ];
    for (length, attribute) in lengths {
        if length != expected {
            return Err(NormaliseError::Ragged { splats: expected, attribute });
        }
    }
    Ok(())
}

fn check_values(splats: &Splats) -> Result<(), NormaliseError> {
    let fault = |index, attribute| Err(NormaliseError::NotFinite { index, attribute });
    for index in 0..splats.len() {
        if !splats.positions[index].iter().all(|value| value.is_finite()) {
            return fault(index, "position");
        }
        if !splats.rotations[index].iter().all(|value| value.is_finite()) {
            return fault(index, "rotation");
        }
        if !splats.colors[index].iter().all(|value| value.is_finite()) {
            return fault(index, "colour");
        }
        if splats.scales[index].iter().any(|value| value.is_nan()) {
            return fault(index, "scale");
        }
        if splats.opacities[index].is_nan() {
            return fault(index, "opacity");
        }
    }
    Ok(())
}

fn largest_extent(positions: &[[f32; 3]]) -> f32 {
    let mut low = [f32::INFINITY; 3];
    let mut high = [f32::NEG_INFINITY; 3];
    for position in positions {
        for axis in 0..3 {
            low[axis] = low[axis].min(position[axis]);
            high[axis] = high[axis].max(position[axis]);
        }
    }
    (0..3).map(|axis| high[axis] - low[axis]).fold(0.0, f32::max)
}

/// The mean over all coordinates of all axes.
///
/// The sum is exact to f32, as a parallel one nearly is; it is then multiplied by the rounded reciprocal of the count,
/// because that is how torch's CUDA kernel, which the original uses, forms a mean. The last bit shows in the pictures.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "rounding to f32 is the purpose; counts are far below 2^53"
)]
fn mean_coordinate(positions: &[[f32; 3]]) -> f32 {
    let sum: f64 = positions.iter().flatten().map(|&coordinate| f64::from(coordinate)).sum();
    sum as f32 * (1.0 / (positions.len() * 3) as f32)
}

fn covariance(scale: [f32; 3], rotation: [f32; 4]) -> [f32; 6] {
    // In f64 for the norm alone: squares of finite f32 values can overflow or vanish in f32.
    let norm = rotation.iter().map(|&part| f64::from(part) * f64::from(part)).sum::<f64>().sqrt();
    #[expect(clippy::cast_possible_truncation, reason = "parts of a unit quaternion; NaN marks a zero one")]
    let [w, x, y, z] = rotation.map(|part| (f64::from(part) / norm) as f32);

    let axes = [
        [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)],
        [2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)],
        [2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)],
    ];
    let scaled = axes.map(|row| [row[0] * scale[0], row[1] * scale[1], row[2] * scale[2]]);
    let dot = |a: usize, b: usize| {
        scaled[a][0] * scaled[b][0] + scaled[a][1] * scaled[b][1] + scaled[a][2] * scaled[b][2]
    };
    [dot(0, 0), dot(0, 1), dot(0, 2), dot(1, 1), dot(1, 2), dot(2, 2)]
}
