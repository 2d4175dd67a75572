//! Seeded draws for simulations inside the statistics, so that the same question always has the same answer.
//!
//! Source: SplitMix64 (Steele, Lea & Flood 2014) and the Box-Muller transform (1958). Good enough to resample and to
//! test with; not for secrets.

/// A deterministic stream of random numbers.
#[derive(Debug, Clone)]
pub struct Seeded {
    state: u64,
}

impl Seeded {
    /// A stream that depends on `seed` alone.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in the open interval (0, 1).
    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Standard normal.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// `n` values of a stationary first-order autoregression with unit variance.
    pub fn autoregressive(&mut self, n: usize, phi: f64) -> Vec<f64> {
        let mut level = self.normal();
        (0..n)
            .map(|_| {
                let now = level;
                level = phi * level + (1.0 - phi * phi).sqrt() * self.normal();
                now
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_stream() {
        let (mut a, mut b) = (Seeded::new(7), Seeded::new(7));
        assert!((0..100).all(|_| a.bits() == b.bits()));
    }

    #[test]
    fn normal_draws_have_mean_nought_and_variance_one() {
        let mut random = Seeded::new(1);
        let draws: Vec<f64> = (0..50_000).map(|_| random.normal()).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03);
    }

    #[test]
    fn an_autoregression_remembers_as_much_as_asked() {
        let values = Seeded::new(3).autoregressive(50_000, 0.8);
        let lagged: f64 = values.windows(2).map(|w| w[0] * w[1]).sum::<f64>() / values.len() as f64;
        assert!((lagged - 0.8).abs() < 0.05);
    }
}
