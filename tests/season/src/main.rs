use sn17_season::*;
fn main() {
    for accuracy in [Accuracy::Flat, Accuracy::Graded] {
        for c in contenders() {
            let t = std::time::Instant::now();
            let hours = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(12);
            let s = Season::play(Setup {
                seed: 1,
                miners: 200,
                hours,
                step: 500,
                accuracy,
                changing_per_mille: 0,
                policy: c.policy,
            });
            match s {
                Ok(s) => {
                    println!(
                        "{} {accuracy:?} {:?} judged {} {:.1}s {:?}",
                        c.name,
                        s.curve().last(),
                        s.judged(),
                        t.elapsed().as_secs_f64(),
                        s.tally()
                    );
                    let t = std::time::Instant::now();
                    let (c, r) = rerate(&s, &s.setup().policy);
                    let same =
                        s.ratings().iter().zip(&r).filter(|(a, b)| a.2.to_bits() == b.to_bits()).count();
                    println!(
                        "  rerate {:?} same {} of {} in {:.2}s",
                        c.last(),
                        same,
                        r.len(),
                        t.elapsed().as_secs_f64()
                    );
                }
                Err(e) => println!("{} {accuracy:?} {e}", c.name),
            }
        }
    }
}
