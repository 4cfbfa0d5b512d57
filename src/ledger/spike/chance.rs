//! How likely counts are: Poisson and negative binomial, their tails and the ratio of two of them.
//!
//! A negative binomial with mean `m` and dispersion `d` (variance over mean) has `m / (d - 1)` as its size; near a
//! dispersion of 1 it is a Poisson, and is computed as one.

/// A dispersion below this one is taken for a Poisson.
const POISSON_BELOW: f64 = 1.05;
/// Terms of a tail that are added at most; later ones are too small to matter.
const TERMS_MAX: u32 = 2000;

/// The natural logarithm of the gamma function, for positive numbers (Stirling's series, after shifting up).
fn ln_gamma(x: f64) -> f64 {
    const HALF_LN_TAU: f64 = 0.918_938_533_204_672_7;
    let (mut x, mut shift) = (x.max(f64::MIN_POSITIVE), 0.0);
    while x < 10.0 {
        shift += x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    let series = inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0)));
    (x - 0.5) * x.ln() - x + HALF_LN_TAU + series - shift
}

/// How much better `raised` explains a count than `usual` does: the logarithm of the ratio of the likelihoods. Both are
/// means.
pub(super) fn ln_ratio(count: f64, usual: f64, raised: f64, dispersion: f64) -> f64 {
    if dispersion < POISSON_BELOW {
        return count * (raised / usual).ln() - (raised - usual);
    }
    let (low, high) = (usual / (dispersion - 1.0), raised / (dispersion - 1.0));
    let base = (low - high) * dispersion.ln();
    if count == 0.0 {
        return base;
    }
    ln_gamma(count + high) - ln_gamma(high) - ln_gamma(count + low) + ln_gamma(low) + base
}

/// The logarithm of the probability of this count or a greater one.
pub(super) fn ln_tail(count: f64, mean: f64, dispersion: f64) -> f64 {
    if count <= mean || count < 1.0 {
        return 0.0;
    }
    let is_poisson = dispersion < POISSON_BELOW;
    let size = mean / (dispersion - 1.0).max(f64::MIN_POSITIVE);
    let ratio_of = |k: f64| {
        if is_poisson { mean / (k + 1.0) } else { (k + size) / (k + 1.0) * (1.0 - 1.0 / dispersion) }
    };
    let ln_first = if is_poisson {
        count * mean.ln() - mean - ln_gamma(count + 1.0)
    } else {
        ln_gamma(count + size) - ln_gamma(size) - ln_gamma(count + 1.0) - size * dispersion.ln()
            + count * (1.0 - 1.0 / dispersion).ln()
    };
    let (mut sum, mut term, mut k) = (1.0, 1.0, count);
    for _ in 0..TERMS_MAX {
        term *= ratio_of(k);
        sum += term;
        k += 1.0;
        if term < 1e-9 * sum {
            break;
        }
    }
    (ln_first + f64::ln(sum)).min(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-6 * expected.abs().max(1.0), "expected {expected}, but found {found}");
    }

    #[test]
    fn the_gamma_function_is_the_factorial() {
        close(ln_gamma(1.0), 0.0);
        close(ln_gamma(6.0), 120_f64.ln());
        close(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln());
        close(ln_gamma(101.0), 363.739_375_555_563_5);
    }

    #[test]
    fn a_tail_is_the_sum_of_what_is_as_great() {
        // 1 - e^-2 (1 + 2 + 2)
        close(ln_tail(3.0, 2.0, 1.0), (1.0 - 5.0 * (-2_f64).exp()).ln());
        // Size 1 is geometric: P(X >= n) = (1 - 1/d)^n.
        close(ln_tail(7.0, 2.0, 3.0), 7.0 * (2.0_f64 / 3.0).ln());
        close(ln_tail(2.0, 2.0, 1.0), 0.0);
        assert!(ln_tail(1e6, 2.0, 1.0) < -1000.0);
    }

    #[test]
    fn a_ratio_grows_with_the_count_and_slower_in_clumps() {
        let steady: Vec<f64> = (0..5).map(|n| ln_ratio(f64::from(n), 0.2, 1.4, 1.0)).collect();
        let bursty: Vec<f64> = (0..5).map(|n| ln_ratio(f64::from(n), 0.2, 1.4, 3.0)).collect();
        assert!(steady.is_sorted() && bursty.is_sorted());
        close(steady[0], -1.2);
        // The first of a clump counts whole, the others hardly.
        close(bursty[1] - bursty[0], 7_f64.ln());
        close(bursty[2] - bursty[1], (1.7_f64 / 1.1).ln());
    }
}
