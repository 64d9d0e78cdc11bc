//! Alternating runs of two sides, and the figures that follow.

use serde::Serialize;

use crate::machine;

/// A measurement that can be asked for by the name of any of its figures.
pub(crate) struct Benchmark {
    /// What each of its runs yields, in this order.
    pub(crate) figures: &'static [Figure],
    /// Makes what the runs need; not measured.
    pub(crate) prepare: fn(Size) -> anyhow::Result<Contest>,
}

/// One figure of a measurement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    /// Its name, as in target/report/bench.json.
    pub(crate) name: &'static str,
    /// Its unit.
    pub(crate) unit: &'static str,
    /// What is asked of it; none for one that is only reported.
    pub(crate) budget: Option<Budget>,
}

/// What is asked of a figure's median.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Budget {
    /// At least so many times the baseline.
    RatioMin(f64),
    /// At most so many times the baseline.
    RatioMax(f64),
    /// At most this, in the figure's unit.
    ValueMax(f64),
}

/// How much is measured where a budget speaks of more than a quick run can afford.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// Enough to see a change for the worse.
    Quick,
    /// What the budget speaks of.
    Full,
}

/// Two sides that take turns.
pub(crate) struct Contest {
    /// The thing measured.
    pub(crate) variant: Run,
    /// What it is compared with.
    pub(crate) baseline: Run,
    /// What the baseline is, and on which input both work.
    pub(crate) note: String,
    /// Whether the runs are of the size that the budgets speak of.
    pub(crate) is_judged: bool,
}

/// What a measurement needs and does not find: it is passed over, and this says why.
#[derive(Debug)]
pub(crate) struct Missing(pub(crate) String);

impl std::fmt::Display for Missing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Missing {}

/// Makes one run and returns its figures.
pub(crate) type Run = Box<dyn FnMut() -> anyhow::Result<Vec<f64>>>;

/// What came of one figure.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    /// The figure's name.
    pub(crate) name: &'static str,
    /// The median of the thing measured.
    pub(crate) value: f64,
    /// The unit of `value` and `baseline`.
    pub(crate) unit: &'static str,
    /// The median of the baseline.
    pub(crate) baseline: f64,
    /// The median over the pairs of runs of value / baseline.
    pub(crate) ratio: f64,
    /// The lowest and the highest of these ratios.
    pub(crate) ratio_range: [f64; 2],
    /// The range of the values as a share of their median.
    pub(crate) spread: f64,
    /// How many pairs of runs were made.
    pub(crate) runs: u32,
    /// What is asked of it, in words.
    pub(crate) budget: Option<String>,
    /// Whether it is so; none if nothing is asked of a run of this size.
    pub(crate) is_met: Option<bool>,
    /// The machine's load averages when it was done, over 1, 5 and 15 minutes.
    pub(crate) load: String,
    /// The machine.
    pub(crate) device: String,
    /// What the baseline is, and on which input both worked.
    pub(crate) note: String,
}

impl Benchmark {
    /// The names of its figures.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.figures.iter().map(|figure| figure.name)
    }
}

impl Budget {
    fn is_met(self, value: f64, ratio: f64) -> bool {
        match self {
            Self::RatioMin(least) => ratio >= least,
            Self::RatioMax(most) => ratio <= most,
            Self::ValueMax(most) => value <= most,
        }
    }

    fn describe(self, unit: &str) -> String {
        match self {
            Self::RatioMin(least) => format!("ratio >= {least}"),
            Self::RatioMax(most) => format!("ratio <= {most}"),
            Self::ValueMax(most) => format!("<= {most} {unit}"),
        }
    }
}

/// Lets both sides warm up once, then take turns `runs` times; who goes first changes every time.
pub(crate) fn hold(
    benchmark: &Benchmark,
    size: Size,
    runs: u32,
    device: &str,
) -> anyhow::Result<Vec<Measured>> {
    let mut contest = (benchmark.prepare)(size)?;
    (contest.baseline)()?;
    (contest.variant)()?;
    let mut values = Vec::new();
    let mut baselines = Vec::new();
    for turn in 0..runs {
        if turn % 2 == 0 {
            baselines.push((contest.baseline)()?);
            values.push((contest.variant)()?);
        } else {
            values.push((contest.variant)()?);
            baselines.push((contest.baseline)()?);
        }
    }
    let load = machine::load();
    let judge = |(position, figure): (usize, &Figure)| {
        let of = |runs: &[Vec<f64>]| runs.iter().map(|run| run[position]).collect::<Vec<_>>();
        let (values, baselines) = (of(&values), of(&baselines));
        let ratios: Vec<f64> =
            values.iter().zip(&baselines).map(|(value, baseline)| value / baseline).collect();
        let (value, ratio) = (median(&values), median(&ratios));
        let [lowest, highest] = range(&values);
        Measured {
            name: figure.name,
            value,
            unit: figure.unit,
            baseline: median(&baselines),
            ratio,
            ratio_range: range(&ratios),
            spread: (highest - lowest) / value,
            runs,
            budget: figure.budget.map(|budget| budget.describe(figure.unit)),
            is_met: figure.budget.filter(|_| contest.is_judged).map(|budget| budget.is_met(value, ratio)),
            load: load.clone(),
            device: device.to_owned(),
            note: contest.note.clone(),
        }
    };
    Ok(benchmark.figures.iter().enumerate().map(judge).collect())
}

/// The middle value, or the mean of the two in the middle; the list is not empty.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

/// The lowest and the highest value.
fn range(values: &[f64]) -> [f64; 2] {
    [
        values.iter().copied().fold(f64::INFINITY, f64::min),
        values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    ]
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]).to_bits(), 2.0_f64.to_bits());
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]).to_bits(), 2.5_f64.to_bits());
    }

    #[test]
    fn the_sides_take_turns_and_the_ratio_is_that_of_the_pairs() {
        const FIGURES: &[Figure] = &[
            Figure { name: "x", unit: "ms", budget: Some(Budget::RatioMax(2.5)) },
            Figure { name: "y", unit: "s", budget: Some(Budget::ValueMax(7.0)) },
        ];
        thread_local! {
            static ORDER: Rc<RefCell<String>> = Rc::default();
        }
        let order = ORDER.with(Rc::clone);
        let prepare = |size| {
            let side = |mark: char, figures: [f64; 2]| -> Run {
                let order = ORDER.with(Rc::clone);
                Box::new(move || {
                    order.borrow_mut().push(mark);
                    Ok(figures.to_vec())
                })
            };
            Ok(Contest {
                variant: side('v', [6.0, 7.0]),
                baseline: side('b', [2.0, 7.0]),
                note: String::new(),
                is_judged: size == Size::Full,
            })
        };
        let benchmark = Benchmark { figures: FIGURES, prepare };
        let measured = hold(&benchmark, Size::Full, 5, "device").unwrap();
        assert_eq!(*order.borrow(), "bvbvvbbvvbbv");
        let [first, second] = &measured[..] else { panic!("{measured:?}") };
        assert_eq!(
            (first.value, first.baseline, first.ratio, first.ratio_range, first.spread),
            (6.0, 2.0, 3.0, [3.0, 3.0], 0.0)
        );
        assert_eq!((first.is_met, second.is_met), (Some(false), Some(true)));
        let quick = hold(&benchmark, Size::Quick, 5, "device").unwrap();
        assert_eq!(quick[0].is_met, None, "the budget speaks of more");
    }
}
