//! Splats in memory.

use crate::error::{Field, SplatError};

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

    /// Bytes of the arrays, 4 for each number.
    pub fn decoded_bytes(&self) -> usize {
        4 * (14 * self.len() + self.sh.len())
    }

    /// Checks that every array has one entry per splat.
    ///
    /// # Errors
    ///
    /// [`SplatError::NoSplats`], [`SplatError::Degree`] above 4, or [`SplatError::Length`] with the first array
    /// that is too long or too short.
    pub fn check(&self) -> Result<(), SplatError> {
        if self.is_empty() {
            return Err(SplatError::NoSplats);
        }
        if self.sh_degree > 4 {
            return Err(SplatError::Degree { degree: self.sh_degree, max: 4 });
        }
        let lengths = [
            (Field::Opacity, self.opacities.len(), self.len()),
            (Field::Color, self.colors.len(), self.len()),
            (Field::Scale, self.scales.len(), self.len()),
            (Field::Rotation, self.rotations.len(), self.len()),
            (Field::Sh, self.sh.len(), self.len() * sh_coefficients(self.sh_degree)),
        ];
        for (field, found, expected) in lengths {
            if found != expected {
                return Err(SplatError::Length { field, expected, found });
            }
        }
        Ok(())
    }
}

/// Numbers per splat above degree 0: three colours of `(degree + 1)² − 1` coefficients.
pub(crate) const fn sh_coefficients(degree: u8) -> usize {
    let bands = degree as usize + 1;
    3 * (bands * bands - 1)
}

/// An empty array with room for exactly `count` entries.
///
/// # Errors
///
/// [`SplatError::Memory`] instead of an abort when the system refuses.
pub(crate) fn allocate<T>(count: usize) -> Result<Vec<T>, SplatError> {
    let mut array = Vec::new();
    array
        .try_reserve_exact(count)
        .map_err(|_refused| SplatError::Memory { bytes: count.saturating_mul(size_of::<T>()) })?;
    Ok(array)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_nobody_has_is_an_error() {
        let refused = allocate::<[f32; 4]>(usize::MAX / 8).map(|array| array.len());
        assert!(matches!(refused, Err(SplatError::Memory { bytes: usize::MAX })), "{refused:?}");
    }
}
