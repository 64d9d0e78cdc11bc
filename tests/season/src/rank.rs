//! How well two orders agree.

/// Kendall's tau-b of paired values (Kendall 1945): 1 for the same order, 0 for unrelated ones, −1 for the reverse; ties
/// in either list count as neither. 0 where a list holds one value only.
pub fn kendall_tau_b(pairs: &[(f64, f64)]) -> f64 {
    let (mut concordant, mut discordant) = (0.0, 0.0);
    let (mut untied_first, mut untied_second) = (0.0, 0.0);
    for (place, a) in pairs.iter().enumerate() {
        for b in &pairs[..place] {
            let first = sign(a.0, b.0);
            let second = sign(a.1, b.1);
            untied_first += first * first;
            untied_second += second * second;
            let product = first * second;
            concordant += product.max(0.0);
            discordant -= product.min(0.0);
        }
    }
    let scale = libm::sqrt(untied_first * untied_second);
    if scale > 0.0 { (concordant - discordant) / scale } else { 0.0 }
}

fn sign(a: f64, b: f64) -> f64 {
    f64::from(u8::from(a > b)) - f64::from(u8::from(a < b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(first: &[f64], second: &[f64], expected: f64) {
        let pairs: Vec<(f64, f64)> = first.iter().copied().zip(second.iter().copied()).collect();
        let tau = kendall_tau_b(&pairs);
        assert!((tau - expected).abs() < 1e-12, "{tau} is not {expected}");
    }

    #[test]
    fn equal_and_reversed_orders() {
        check(&[1.0, 2.0, 3.0], &[10.0, 20.0, 30.0], 1.0);
        check(&[1.0, 2.0, 3.0], &[30.0, 20.0, 10.0], -1.0);
        check(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0], 0.0);
        check(&[], &[], 0.0);
    }

    /// By hand: of six pairs four agree, one disagrees, one is tied in the second list: 3 / sqrt(6 × 5).
    #[test]
    fn ties_count_as_neither() {
        check(&[1.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 2.0, 3.0], 3.0 / 30.0_f64.sqrt());
    }
}
