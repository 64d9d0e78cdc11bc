//! From the raw figures of the rendered views to the four metrics and the one score of a splat.
//!
//! Parity with the original's validation service is the aim, its quirks included. Where the original computes
//! NaN (and so rejects the splat without saying why), a metric or the score is 0 here.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// The original overwrites outliers with this value and then drops every equal value, real ones included.
const OUTLIER_SENTINEL: f64 = -1.0;

/// The numbers of the score; the defaults are the original validation service's (2.4.0).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricRules {
    /// The weight of the image quality.
    pub iqa_weight: f64,
    /// The weight of the alignment with the prompt.
    pub alignment_weight: f64,
    /// The weight of the structural similarity of neighbouring views, after its curve.
    pub ssim_weight: f64,
    /// The weight of the perceptual similarity of neighbouring views, multiplied by its own curve.
    pub lpips_weight: f64,
    /// The curve over the structural similarity.
    pub ssim_curve: Sigmoid,
    /// The curve over the perceptual similarity.
    pub lpips_curve: Sigmoid,
    /// An alignment below this scores 0 whatever the other metrics say.
    pub alignment_min: f64,
    /// The cosine of a text prompt that counts as an alignment of 1; above zero.
    pub text_alignment_scale: f64,
    /// The filter in front of the geometric means.
    pub outliers: OutlierRules,
}

impl Default for MetricRules {
    fn default() -> Self {
        Self {
            iqa_weight: 0.75,
            alignment_weight: 0.2,
            ssim_weight: 0.025,
            lpips_weight: 0.025,
            ssim_curve: Sigmoid { steepness: 35.0, midpoint: 0.83 },
            lpips_curve: Sigmoid { steepness: 30.0, midpoint: 0.7 },
            alignment_min: 0.3,
            text_alignment_scale: 0.35,
            outliers: OutlierRules::default(),
        }
    }
}

/// A logistic curve from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sigmoid {
    /// Four times the slope at the midpoint.
    pub steepness: f64,
    /// Where the curve passes one half.
    pub midpoint: f64,
}

impl Sigmoid {
    /// The curve's value at `x`, in 0..=1.
    pub fn at(self, x: f64) -> f64 {
        1.0 / (1.0 + libm::exp(-self.steepness * (x - self.midpoint)))
    }
}

/// The numbers of the outlier filter; the defaults are those of pytod 0.0.3's nearest-neighbour detector.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutlierRules {
    /// A value's outlier score is its distance to the neighbour of this rank, itself not counted; at least 1.
    pub neighbours: usize,
    /// The share of values expected to be outliers, in 0..=1: scores above that upper quantile are dropped.
    pub contamination: f64,
}

impl Default for OutlierRules {
    fn default() -> Self {
        Self { neighbours: 5, contamination: 0.1 }
    }
}

/// What the models say about each view, or each pair of neighbouring views, before any aggregation.
///
/// The original has 16 views, and 16 cyclic pairs (i, i + 1 mod 16).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawViews {
    /// Per view: cosine between the embeddings of the view and of the prompt, in -1..=1.
    pub cosines: Vec<f64>,
    /// Per view: image quality, in 0..=1.
    pub iqa: Vec<f64>,
    /// Per pair: perceptual distance (LPIPS), 0 for equal views.
    pub lpips: Vec<f64>,
    /// Per pair: structural similarity (SSIM), 1 for equal views.
    pub ssim: Vec<f64>,
}

/// What a splat was made from; the two kinds scale their alignment differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptKind {
    /// A sentence.
    Text,
    /// A picture.
    Image,
}

/// The four metrics of a splat, each 0 (worst) upwards; always finite when made by [`Metrics::from_views`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// Agreement with the prompt, in 0..=1 for images; for texts it can exceed 1.
    pub alignment: f64,
    /// Image quality, in 0..=1.
    pub iqa: f64,
    /// Perceptual similarity of neighbouring views: 1 minus the mean distance.
    pub lpips: f64,
    /// Structural similarity of neighbouring views, in 0..=1.
    pub ssim: f64,
}

impl Metrics {
    /// Aggregates the figures of all views.
    ///
    /// A list that is empty or holds a value that is not finite tells of a broken model run, not of a splat:
    /// every metric is 0 then, and so is the score.
    pub fn from_views(views: &RawViews, prompt: PromptKind, rules: &MetricRules) -> Self {
        let lists = [&views.cosines, &views.iqa, &views.lpips, &views.ssim];
        if lists.iter().any(|list| list.is_empty() || list.iter().any(|value| !value.is_finite())) {
            return Self::default();
        }
        let mut cosines = keep_inliers(&views.cosines, &rules.outliers);
        let alignment = match prompt {
            PromptKind::Text => {
                for cosine in &mut cosines {
                    *cosine = cosine.clamp(0.0, 1.0);
                }
                geometric_mean(&cosines) / rules.text_alignment_scale
            }
            PromptKind::Image => geometric_mean(&cosines),
        };
        // A pair of equal views that survives the filter makes this mean 0 and the metric perfect, as it does
        // in the original, whose first and last views are the same picture.
        let distance = geometric_mean(&keep_inliers(&views.lpips, &rules.outliers));
        let metrics = Self {
            alignment,
            iqa: arithmetic_mean(&views.iqa),
            lpips: 1.0 - distance,
            ssim: geometric_mean(&keep_inliers(&views.ssim, &rules.outliers)),
        };
        // Only figures far outside their ranges can overflow a mean.
        if metrics.is_finite() { metrics } else { Self::default() }
    }

    fn is_finite(&self) -> bool {
        [self.alignment, self.iqa, self.lpips, self.ssim].iter().all(|metric| metric.is_finite())
    }
}

/// The score of a splat from its metrics: 0 below the least alignment, else the weighted sum.
///
/// It is 0 as well when a metric is not a finite number.
pub fn score(metrics: &Metrics, rules: &MetricRules) -> f64 {
    let Metrics { alignment, iqa, lpips, ssim } = *metrics;
    if !metrics.is_finite() || alignment < rules.alignment_min {
        return 0.0;
    }
    rules.iqa_weight * iqa
        + rules.alignment_weight * alignment
        + rules.ssim_weight * rules.ssim_curve.at(ssim)
        + rules.lpips_weight * lpips * rules.lpips_curve.at(lpips)
}

/// The values that are no outliers, in ascending order, so that the order of the views has no influence.
///
/// A value is an outlier when its distance to the neighbour of rank `rules.neighbours` lies strictly above
/// the upper quantile `rules.contamination` of those distances (numpy's linear interpolation). Fewer values
/// than a rank needs are all kept; the original cannot rate them.
pub fn keep_inliers(values: &[f64], rules: &OutlierRules) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    if sorted.len() > rules.neighbours {
        let distances = neighbour_distances(&sorted, rules.neighbours);
        let threshold = quantile(&distances, 1.0 - rules.contamination);
        let mut position = 0;
        sorted.retain(|_| {
            let is_outlier = distances[position] > threshold;
            position += 1;
            !is_outlier
        });
    }
    sorted.retain(|&value| value.total_cmp(&OUTLIER_SENTINEL).is_ne());
    sorted
}

/// The geometric mean; 0 when the list is empty or holds a value of 0 or below.
///
/// With a zero the original's logarithm is -infinity, which gives 0 too; a negative value makes it NaN there.
pub fn geometric_mean(values: &[f64]) -> f64 {
    if values.is_empty() || values.iter().any(|&value| value <= 0.0) {
        return 0.0;
    }
    let logarithms: f64 = values.iter().map(|&value| libm::log(value)).sum();
    libm::exp(logarithms / length(values))
}

fn arithmetic_mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / length(values)
}

/// For each of the `sorted` values, the distance to its neighbour of the given rank.
///
/// The list is longer than the rank.
fn neighbour_distances(sorted: &[f64], rank: usize) -> Vec<f64> {
    let distance_from = |&value: &f64| {
        let mut distances: Vec<f64> = sorted.iter().map(|other| libm::fabs(value - other)).collect();
        // The value itself is at index 0, so the neighbour of rank k is at index k.
        *distances.select_nth_unstable_by(rank, f64::total_cmp).1
    };
    sorted.iter().map(distance_from).collect()
}

/// The quantile `fraction` of a list that is not empty, with numpy's rule "linear" and its rounding.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the position is clamped to 0..=len - 1 first, and a float converts with saturation"
)]
fn quantile(values: &[f64], fraction: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let last = sorted.len() - 1;
    let position = fraction * (length(values) - 1.0);
    let below = (libm::floor(position).max(0.0) as usize).min(last);
    let above = (below + 1).min(last);
    let (low, high) = (sorted[below], sorted[above]);
    let part = position - libm::floor(position);
    if part >= 0.5 { high - (high - low) * (1.0 - part) } else { low + (high - low) * part }
}

#[expect(clippy::cast_precision_loss, reason = "lists hold tens of views")]
fn length(values: &[f64]) -> f64 {
    values.len() as f64
}

#[cfg(test)]
mod tests {
    extern crate std;

    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn near(actual: f64, expected: f64) {
        assert!((actual - expected).abs() < 1e-12, "{actual} is not {expected}");
    }

    fn metrics(iqa: f64, alignment: f64, ssim: f64, lpips: f64) -> Metrics {
        Metrics { alignment, iqa, lpips, ssim }
    }

    /// A splat whose cosines have one far value on each side, and whose first pair of views is one picture.
    fn plausible_views() -> RawViews {
        RawViews {
            cosines: vec![
                0.3, 0.3047, 0.3108, 0.05, 0.3167, 0.32, 0.3247, 0.3308, 0.3348, 0.9, 0.34, 0.3447, 0.3508,
                0.3548, 0.3567, 0.36,
            ],
            iqa: vec![0.8; 16],
            lpips: vec![
                0.0, 0.08, 0.101, 0.122, 0.095, 0.116, 0.089, 0.11, 0.083, 0.104, 0.125, 0.098, 0.119, 0.092,
                0.113, 0.086,
            ],
            ssim: vec![
                1.0, 0.9, 0.91, 0.92, 0.93, 0.908, 0.918, 0.928, 0.906, 0.916, 0.926, 0.904, 0.914, 0.924,
                0.902, 0.912,
            ],
        }
    }

    #[test]
    fn the_score_formula() {
        let rules = MetricRules::default();
        near(score(&metrics(0.85, 0.9, 0.92, 0.95), &rules), 0.865_209_589_552_361_4);
        near(score(&metrics(0.5, 0.8, 0.9, 0.9), &rules), 0.580_458_402_249_376_3);
        near(score(&metrics(1.0, 1.0, 1.0, 1.0), &rules), 0.999_931_938_441_542_2);
        near(score(&metrics(0.0, 0.3, 0.0, 0.0), &rules), 0.060_000_000_000_006_05);
        near(score(&metrics(1.0, 0.2999, 1.0, 1.0), &rules), 0.0);
    }

    #[test]
    fn a_metric_that_is_no_number_scores_zero() {
        let rules = MetricRules::default();
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for position in 0..4 {
                let mut values = [0.9; 4];
                values[position] = bad;
                let [iqa, alignment, ssim, lpips] = values;
                near(score(&metrics(iqa, alignment, ssim, lpips), &rules), 0.0);
            }
        }
    }

    /// Expected values: an independent computation with numpy 2 (sort, percentile, log, exp).
    #[test]
    fn the_views_of_a_text_and_of_an_image_prompt() {
        let rules = MetricRules::default();
        let text = Metrics::from_views(&plausible_views(), PromptKind::Text, &rules);
        near(text.alignment, 0.947_283_931_077_965_5);
        near(text.iqa, 0.8);
        near(text.lpips, 0.898_797_095_047_952_5);
        near(text.ssim, 0.913_387_495_858_932_9);
        let image = Metrics::from_views(&plausible_views(), PromptKind::Image, &rules);
        near(image.alignment, 0.331_549_375_877_287_9);
        assert_eq!((image.iqa, image.lpips, image.ssim), (text.iqa, text.lpips, text.ssim));
    }

    #[test]
    fn cosines_at_or_below_zero_give_no_alignment() {
        let rules = MetricRules::default();
        for low in [0.0, -0.05] {
            // Six equal low values are each other's neighbours, so the filter keeps them.
            let mut views = plausible_views();
            views.cosines[..6].fill(low);
            for prompt in [PromptKind::Text, PromptKind::Image] {
                let metrics = Metrics::from_views(&views, prompt, &rules);
                near(metrics.alignment, 0.0);
                near(score(&metrics, &rules), 0.0);
            }
        }
    }

    #[test]
    fn text_cosines_above_one_are_clipped_before_scaling() {
        let views = RawViews { cosines: vec![1.5; 16], ..plausible_views() };
        near(Metrics::from_views(&views, PromptKind::Text, &MetricRules::default()).alignment, 1.0 / 0.35);
        near(Metrics::from_views(&views, PromptKind::Image, &MetricRules::default()).alignment, 1.5);
    }

    #[test]
    fn equal_views_that_survive_the_filter_make_the_perceptual_similarity_perfect() {
        let mut views = plausible_views();
        views.lpips[..6].fill(0.0);
        near(Metrics::from_views(&views, PromptKind::Text, &MetricRules::default()).lpips, 1.0);
    }

    #[test]
    fn a_broken_model_run_has_no_metrics() {
        let rules = MetricRules::default();
        let spoil = |edit: fn(&mut RawViews)| {
            let mut views = plausible_views();
            edit(&mut views);
            let metrics = Metrics::from_views(&views, PromptKind::Text, &rules);
            assert_eq!(metrics, Metrics::default());
            near(score(&metrics, &rules), 0.0);
        };
        spoil(|views| views.cosines.clear());
        spoil(|views| views.iqa.clear());
        spoil(|views| views.cosines[3] = f64::NAN);
        spoil(|views| views.iqa[0] = f64::INFINITY);
        spoil(|views| views.lpips[15] = f64::NEG_INFINITY);
        spoil(|views| views.ssim[7] = f64::NAN);
    }

    /// Expected values: an independent computation with numpy 2.
    #[test]
    fn the_filter_drops_what_lies_far_from_its_fifth_neighbour() {
        let rules = OutlierRules::default();
        let seven = [0.5, 0.366_337, 0.732_673, 0.599_01, 0.465_347, 0.831_683, 0.698_02];
        assert_eq!(keep_inliers(&seven, &rules), [0.465_347, 0.5, 0.599_01, 0.698_02, 0.732_673, 0.831_683]);
        assert_eq!(
            keep_inliers(&plausible_views().cosines, &rules),
            [
                0.3, 0.3047, 0.3108, 0.3167, 0.32, 0.3247, 0.3308, 0.3348, 0.34, 0.3447, 0.3508, 0.3548,
                0.3567, 0.36
            ]
        );
        assert_eq!(keep_inliers(&[0.7; 16], &rules), [0.7; 16]);
    }

    #[test]
    fn the_filter_keeps_short_lists_and_loses_the_sentinel() {
        let rules = OutlierRules::default();
        assert_eq!(keep_inliers(&[], &rules), []);
        assert_eq!(keep_inliers(&[9.0, 0.1, 0.2, 0.3, 0.4], &rules), [0.1, 0.2, 0.3, 0.4, 9.0]);
        assert_eq!(keep_inliers(&[0.2, -1.0, 0.1], &rules), [0.1, 0.2]);
        assert_eq!(keep_inliers(&[-1.0; 16], &rules), []);
        assert_eq!(keep_inliers(&[f64::NAN; 16], &rules).len(), 16);
    }

    #[test]
    fn quantiles_interpolate_as_numpy_does() {
        let values = [3.0, 1.0, 4.0, 1.5, 9.0, 2.6];
        near(quantile(&values, 0.9), 6.5);
        near(quantile(&values, 0.3), 2.05);
        near(quantile(&values, 1.0), 9.0);
        near(quantile(&values, 0.0), 1.0);
    }

    #[test]
    fn geometric_means() {
        near(geometric_mean(&[2.0, 8.0]), 4.0);
        near(geometric_mean(&[2.0, 0.0]), 0.0);
        near(geometric_mean(&[2.0, -8.0]), 0.0);
        near(geometric_mean(&[]), 0.0);
    }

    fn any_values() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(-1.0..=1.0, 0..40)
    }

    fn values_and_shuffled() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
        any_values().prop_flat_map(|values| (Just(values.clone()), Just(values).prop_shuffle()))
    }

    proptest! {
        #[test]
        fn the_order_of_the_views_has_no_influence((values, shuffled) in values_and_shuffled()) {
            let rules = OutlierRules::default();
            prop_assert_eq!(keep_inliers(&values, &rules), keep_inliers(&shuffled, &rules));
        }

        #[test]
        fn the_filter_drops_at_most_its_share(values in any_values()) {
            let kept = keep_inliers(&values, &OutlierRules::default()).len();
            prop_assert!(kept + values.len().div_ceil(10) >= values.len());
        }

        #[test]
        fn any_figures_at_all_give_a_finite_score(
            cosines in prop::collection::vec(any::<f64>(), 0..20),
            lpips in prop::collection::vec(any::<f64>(), 0..20),
            is_text in any::<bool>(),
        ) {
            let views = RawViews { iqa: cosines.clone(), ssim: lpips.clone(), cosines, lpips };
            let prompt = if is_text { PromptKind::Text } else { PromptKind::Image };
            let rules = MetricRules::default();
            prop_assert!(score(&Metrics::from_views(&views, prompt, &rules), &rules).is_finite());
        }

        #[test]
        fn a_better_metric_never_lowers_the_score(
            values in prop::array::uniform4(0.3..=1.0),
            position in 0..4_usize,
            gain in 0.0..=0.5,
        ) {
            let rules = MetricRules::default();
            let score_of = |[iqa, alignment, ssim, lpips]: [f64; 4]| {
                score(&metrics(iqa, alignment, ssim, lpips), &rules)
            };
            let mut better = values;
            better[position] += gain;
            prop_assert!(score_of(better) >= score_of(values));
        }
    }
}
