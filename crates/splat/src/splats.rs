//! Splats in memory.

/// Gaussian splats as decoded from a file, one entry per splat in every array, in the file's own parametrisation
/// (log scales, logit opacities, spherical-harmonics colours): activations belong to the renderer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Splats {
    /// Centres, in the object's own units.
    pub positions: Vec<[f32; 3]>,
    /// Natural logarithms of the standard deviations along the three local axes.
    pub scales: Vec<[f32; 3]>,
    /// Quaternions (w, x, y, z) as stored, not necessarily of unit length.
    pub rotations: Vec<[f32; 4]>,
    /// Logits of the opacities; infinite at exactly 0 and 1.
    pub opacities: Vec<f32>,
    /// Spherical-harmonics coefficients of degree 0 (`f_dc`) for red, green, blue.
    pub colors: Vec<[f32; 3]>,
    /// Coefficients of degrees 1 to `sh_degree`, splat after splat; within a splat, coefficient after coefficient
    /// with red, green, blue innermost. Its length is `len() * 3 * ((sh_degree + 1)² − 1)`.
    pub sh: Vec<f32>,
    /// Highest spherical-harmonics degree present, 0 to 4.
    pub sh_degree: u8,
    /// Whether the file says the splats were trained with antialiasing.
    pub antialiased: bool,
}

impl Splats {
    /// Number of splats.
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// Whether there is no splat at all.
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }
}
