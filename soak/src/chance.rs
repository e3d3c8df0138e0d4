//! Choices that a seed decides.

/// A sequence of choices: the same seed and name give the same ones, whatever the clock says.
#[derive(Debug, Clone)]
pub struct Chance {
    state: u64,
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

impl Chance {
    /// The choices of one part of the soak; each part has its own, so that one more choice here changes nothing there.
    pub fn of(seed: u64, part: &str) -> Self {
        // FNV-1a.
        let name = part
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self { state: seed.wrapping_mul(GOLDEN) ^ name }
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From `least` to `most`, both among them.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    /// A place in a list of so many.
    pub fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.between(0, count as u64 - 1)).unwrap_or(0)
    }

    /// Once in so many times.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.between(1, times) == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(mut chance: Chance) -> Vec<u64> {
        (0..100).map(|_| chance.between(3, 9)).collect()
    }

    #[test]
    fn a_seed_and_a_name_decide() {
        let drawn = draw(Chance::of(7, "fleet"));
        assert_eq!(drawn, draw(Chance::of(7, "fleet")));
        assert!(drawn != draw(Chance::of(8, "fleet")) && drawn != draw(Chance::of(7, "platform")));
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&3), Some(&9)), "both ends are among them");
    }
}
