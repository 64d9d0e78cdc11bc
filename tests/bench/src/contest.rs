//! Alternating runs of two sides, and the figures that follow.

use serde::Serialize;

/// A measurement that can be asked for by name.
pub(crate) struct Benchmark {
    /// Its name, as in target/report/bench.json.
    pub(crate) name: &'static str,
    /// The unit of its figures.
    pub(crate) unit: &'static str,
    /// Makes what the runs need; not measured.
    pub(crate) prepare: fn() -> anyhow::Result<Contest>,
}

/// Two sides that take turns.
pub(crate) struct Contest {
    /// The thing measured.
    pub(crate) variant: Run,
    /// What it is compared with.
    pub(crate) baseline: Run,
    /// What the baseline is, and on which input both work.
    pub(crate) note: String,
}

/// Makes one run and returns its figure.
pub(crate) type Run = Box<dyn FnMut() -> anyhow::Result<f64>>;

/// The figures of one measurement.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    /// The measurement's name.
    pub(crate) name: &'static str,
    /// The median of the thing measured.
    pub(crate) value: f64,
    /// The unit of `value` and `baseline`.
    pub(crate) unit: &'static str,
    /// The median of the baseline.
    pub(crate) baseline: f64,
    /// The median over the pairs of runs of value / baseline.
    pub(crate) ratio: f64,
    /// The range of the values as a share of their median.
    pub(crate) spread: f64,
    /// How many pairs of runs were made.
    pub(crate) runs: u32,
    /// The machine.
    pub(crate) device: String,
    /// What the baseline is, and on which input both worked.
    pub(crate) note: String,
}

/// Lets both sides warm up once, then take turns `runs` times; who goes first changes every time.
pub(crate) fn hold(benchmark: &Benchmark, runs: u32, device: &str) -> anyhow::Result<Measured> {
    let mut contest = (benchmark.prepare)()?;
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
    let ratios: Vec<f64> = values.iter().zip(&baselines).map(|(value, baseline)| value / baseline).collect();
    let value = median(&values);
    let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Ok(Measured {
        name: benchmark.name,
        value,
        unit: benchmark.unit,
        baseline: median(&baselines),
        ratio: median(&ratios),
        spread: (highest - lowest) / value,
        runs,
        device: device.to_owned(),
        note: contest.note,
    })
}

/// The middle value, or the mean of the two in the middle; the list is not empty.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
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
        thread_local! {
            static ORDER: Rc<RefCell<String>> = Rc::default();
        }
        let order = ORDER.with(Rc::clone);
        let prepare = || {
            let side = |mark: char, figure: f64| -> Run {
                let order = ORDER.with(Rc::clone);
                Box::new(move || {
                    order.borrow_mut().push(mark);
                    Ok(figure)
                })
            };
            Ok(Contest { variant: side('v', 6.0), baseline: side('b', 2.0), note: String::new() })
        };
        let measured = hold(&Benchmark { name: "x", unit: "ms", prepare }, 5, "device").unwrap();
        assert_eq!(*order.borrow(), "bvbvvbbvvbbv");
        assert_eq!(
            (measured.value, measured.baseline, measured.ratio, measured.spread),
            (6.0, 2.0, 3.0, 0.0)
        );
    }
}
