//! What happened to the shop's speed: one table of levels and changes, from which every value is drawn.
//!
//! A change is a factor on the level from that release on. All factors of a series multiply.

/// From this release on, field data are measured with a newer library and browser: an epoch, not a regression.
pub(super) const FIELD_EPOCH: usize = 16;
/// From this release on, the laboratory runs on another machine: an epoch, not an improvement.
pub(super) const MACHINE_EPOCH: usize = 17;
/// The new machine needs this share of the old one's time, in every laboratory series alike.
pub(super) const MACHINE_FACTOR: f64 = 0.93;
/// From this release on, the benchmark of the whole checkout has five items in its cart instead of three.
pub(super) const CART_EPOCH: usize = 25;
/// The load test of this release did not log in: its account had expired.
pub(super) const LOGIN_MISSING: usize = 37;
/// The beacon of the checkout was lost with this release and came back with the other.
pub(super) const BEACON_LOST: std::ops::Range<usize> = 2..4;
/// The search's beacon fell silent this many days ago.
pub(super) const SEARCH_SILENT_DAYS: f64 = 9.0;
/// One day, this many ago, on which the catalogue's image host was slow; the next day all was well.
pub(super) const WILD_DAY: i64 = 120;
/// How much slower that day was.
pub(super) const WILD_DAY_FACTOR: f64 = 1.18;
/// One run of the order's load test met a busy neighbour.
pub(super) const WILD_RUN: (usize, usize) = (14, 2);
/// How much slower that run was.
pub(super) const WILD_RUN_FACTOR: f64 = 1.6;

/// What the authors of a release said of it.
pub(super) const NOTES: &[(usize, &str)] = &[
    (7, "new address form"),
    (9, "critical styles in the page"),
    (12, "one address lookup, not three"),
    (16, "beacon with web-vitals 6"),
    (17, "new build machines"),
    (24, "payment sheet"),
    (25, "benchmark with five items in the cart"),
    (27, "tax rules"),
    (29, "smaller bundle"),
    (31, "image loader"),
    (33, "second font"),
    (35, "consent banner; login hashes on its own threads"),
    (38, "import checks every row"),
];

/// One series of the shop, as the story tells it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    /// About the P75 at v2.0, in milliseconds.
    pub(super) start_ms: f64,
    /// From which release on, by which factor.
    pub(super) changes: &'static [(usize, f64)],
}

impl Level {
    /// About the P75 at this release, in milliseconds, before noise.
    pub(super) fn at(&self, release: usize) -> f64 {
        let factors = self.changes.iter().filter(|(from, _)| *from <= release);
        self.start_ms * factors.map(|(_, factor)| factor).product::<f64>()
    }
}

/// A step with v2.7, mended with v2.12; then from v2.23 on a slow bleed: sixteen releases, ten of them together worth
/// less than four per cent, none of them beyond two, together +10.6 %.
pub(super) const CHECKOUT_LCP_MOBILE: Level = Level {
    start_ms: 2_385.0,
    changes: &[
        (7, 1.086),
        (12, 0.870),
        (FIELD_EPOCH, 0.985),
        (23, 1.0037),
        (24, 1.0151),
        (25, 1.0041),
        (26, 1.0045),
        (27, 1.0170),
        (28, 1.0040),
        (29, 0.9895),
        (30, 1.0044),
        (31, 1.0158),
        (32, 1.0039),
        (33, 1.0117),
        (34, 1.0034),
        (35, 1.0132),
        (36, 1.0034),
        (37, 1.0038),
        (38, 1.0037),
    ],
};
/// Desktops felt the step of v2.7 too, and none of the bleed.
pub(super) const CHECKOUT_LCP_DESKTOP: Level = Level {
    start_ms: 1_540.0,
    changes: &[(7, 1.086), (12, 0.870), (FIELD_EPOCH, 0.985)],
};
/// Nothing happens here.
pub(super) const CHECKOUT_INP: Level = Level {
    start_ms: 158.0,
    changes: &[],
};
/// Nothing happens here either, until the beacon falls silent.
pub(super) const SEARCH_INP: Level = Level {
    start_ms: 182.0,
    changes: &[],
};
/// Eight releases of +1.4 % each, stopped by v2.9.
const PRODUCT_CHANGES: &[(usize, f64)] = &[
    (1, 1.014),
    (2, 1.014),
    (3, 1.014),
    (4, 1.014),
    (5, 1.014),
    (6, 1.014),
    (7, 1.014),
    (8, 1.014),
    (9, 0.894),
    (FIELD_EPOCH, 0.985),
    (28, 0.970),
];
/// The product page on phones.
pub(super) const PRODUCT_LCP_MOBILE: Level = Level {
    start_ms: 1_780.0,
    changes: PRODUCT_CHANGES,
};
/// The product page on desktops.
pub(super) const PRODUCT_LCP_DESKTOP: Level = Level {
    start_ms: 1_130.0,
    changes: PRODUCT_CHANGES,
};

/// The login got 18 % faster with v2.35.
pub(super) const LOGIN: Level = Level {
    start_ms: 443.0,
    changes: &[(MACHINE_EPOCH, MACHINE_FACTOR), (35, 0.82)],
};
/// Only the machine changes.
pub(super) const PLACE_ORDER: Level = Level {
    start_ms: 127.0,
    changes: &[(MACHINE_EPOCH, MACHINE_FACTOR)],
};
/// Only the machine changes.
pub(super) const CHECKOUT_LATENCY: Level = Level {
    start_ms: 306.0,
    changes: &[(MACHINE_EPOCH, MACHINE_FACTOR)],
};
/// Too new to say anything of.
pub(super) const REFUND: Level = Level {
    start_ms: 226.0,
    changes: &[(MACHINE_EPOCH, MACHINE_FACTOR)],
};
/// v2.38 checks every row.
pub(super) const PARSE_IMPORT: Level = Level {
    start_ms: 50.3,
    changes: &[(MACHINE_EPOCH, MACHINE_FACTOR), (38, 1.046)],
};
/// The whole checkout as a benchmark; two more items in the cart cost 22 %.
pub(super) const CHECKOUT_TOTAL: Level = Level {
    start_ms: 12.6,
    changes: &[(MACHINE_EPOCH, MACHINE_FACTOR), (CART_EPOCH, 1.22)],
};
/// Benchmarks that nobody made key; they tell a changed machine from a changed flow.
pub(super) const OTHER_BENCHMARKS: &[(&str, Level)] = &[
    (
        "cart/add_item",
        Level {
            start_ms: 0.84,
            changes: &[(MACHINE_EPOCH, MACHINE_FACTOR)],
        },
    ),
    (
        "catalogue/render",
        Level {
            start_ms: 6.4,
            changes: &[(MACHINE_EPOCH, MACHINE_FACTOR)],
        },
    ),
    (
        "price/format",
        Level {
            start_ms: 0.31,
            changes: &[(MACHINE_EPOCH, MACHINE_FACTOR)],
        },
    ),
    (
        "search/index",
        Level {
            start_ms: 88.0,
            changes: &[(MACHINE_EPOCH, MACHINE_FACTOR)],
        },
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn change(level: Level, from: usize, to: usize) -> f64 {
        level.at(to) / level.at(from) - 1.0
    }

    #[test]
    fn the_bleed_is_ten_per_cent_and_no_release_of_it_reaches_two() {
        let total = change(CHECKOUT_LCP_MOBILE, 22, 38);
        assert!((0.10..0.11).contains(&total), "{total}");
        for release in 23..=38 {
            assert!(
                change(CHECKOUT_LCP_MOBILE, release - 1, release).abs() < 0.02,
                "v2.{release}"
            );
        }
    }

    #[test]
    fn the_steps_have_their_sizes() {
        assert!((change(CHECKOUT_LCP_MOBILE, 6, 7) - 0.086).abs() < 1e-9);
        assert!((change(CHECKOUT_LCP_MOBILE, 11, 12) + 0.13).abs() < 1e-9);
        assert!((change(LOGIN, 34, 35) + 0.18).abs() < 1e-9);
        assert!((change(PARSE_IMPORT, 37, 38) - 0.046).abs() < 1e-9);
    }

    #[test]
    fn the_stopped_bleed_gave_back_what_it_took() {
        assert!(change(PRODUCT_LCP_MOBILE, 0, 8) > 0.06);
        assert!(change(PRODUCT_LCP_MOBILE, 0, 9).abs() < 0.02);
    }
}
