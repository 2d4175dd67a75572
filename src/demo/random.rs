//! Noise that is the same on every machine and in every version: a named stream of SplitMix64.
//!
//! Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014). Good enough to look like
//! measurements; not for secrets. Every stream is named by what it is noise *of*, so that a flow added to the shop
//! changes no other flow's values.

/// A stream of random numbers that depends on its seed and its name alone.
#[derive(Debug, Clone)]
pub(super) struct Noise {
    state: u64,
    /// The second value of the last Box–Muller pair.
    spare: Option<f64>,
}

impl Noise {
    /// The stream of this name under this seed.
    pub(super) fn named(seed: u64, name: &str) -> Self {
        // FNV-1a folds the name in; the first outputs are thrown away by mixing.
        let folded = name.bytes().fold(
            0xcbf2_9ce4_8422_2325_u64 ^ seed.rotate_left(17),
            |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3),
        );
        let mut noise = Self {
            state: folded,
            spare: None,
        };
        noise.state = noise.bits();
        noise
    }

    /// Sixty-four random bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in (0, 1).
    pub(super) fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Standard normal, by Box and Muller's transform (two values a pair of uniforms).
    pub(super) fn normal(&mut self) -> f64 {
        if let Some(value) = self.spare.take() {
            return value;
        }
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        self.spare = Some(radius * sine);
        radius * cosine
    }

    /// A factor around 1 whose logarithm has the standard deviation `sd`: 0.01 is about one per cent.
    pub(super) fn factor(&mut self, sd: f64) -> f64 {
        (sd * self.normal()).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_depends_on_seed_and_name_alone() {
        let first = |seed, name: &str| Noise::named(seed, name).bits();
        assert_eq!(first(1, "a"), first(1, "a"));
        assert_ne!(first(1, "a"), first(2, "a"));
        assert_ne!(first(1, "a"), first(1, "b"));
    }

    #[test]
    fn normal_values_have_mean_zero_and_deviation_one() {
        let mut noise = Noise::named(3, "normal");
        let values: Vec<f64> = (0..20_000).map(|_| noise.normal()).collect();
        let mean = values.iter().sum::<f64>() / 20_000.0;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03, "mean {mean}");
        assert!((variance - 1.0).abs() < 0.05, "variance {variance}");
    }
}
