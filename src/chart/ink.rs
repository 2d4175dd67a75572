//! The inks of all charts: one distinct light value per role, which the style sheet maps to its custom properties.

use plotters::style::RGBColor;

/// What a stroke or an area stands for. Its colour follows from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ink {
    /// The ground of a card; also the inside of hollow points.
    Surface,
    /// Ground that recedes: forecast, allowed zone, new epoch.
    Sunken,
    /// Grid lines.
    Rule,
    /// Lines that bound something.
    Edge,
    /// Main text.
    Text,
    /// Second text.
    Text2,
    /// Third text.
    Text3,
    /// Budgets.
    Budget,
    /// Within a budget, better.
    Within,
    /// At risk.
    Risk,
    /// Breached, worse.
    Breach,
    /// Not enough data.
    NoData,
    /// Stale.
    Stale,
    /// The main series.
    P75,
    /// The high percentile.
    P99,
    /// The other side of a comparison; neither good nor bad.
    Reference,
    /// A slow bleed.
    Bleed,
    /// Hatching of what is missing.
    Hatch,
}

impl Ink {
    /// Every ink.
    pub const ALL: [Ink; 18] = [
        Ink::Surface,
        Ink::Sunken,
        Ink::Rule,
        Ink::Edge,
        Ink::Text,
        Ink::Text2,
        Ink::Text3,
        Ink::Budget,
        Ink::Within,
        Ink::Risk,
        Ink::Breach,
        Ink::NoData,
        Ink::Stale,
        Ink::P75,
        Ink::P99,
        Ink::Reference,
        Ink::Bleed,
        Ink::Hatch,
    ];

    /// The light value.
    pub fn rgb(self) -> RGBColor {
        let hex: u32 = match self {
            Ink::Surface => 0xFF_FF_FF,
            Ink::Sunken => 0xF1_F1_EC,
            Ink::Rule => 0xE1_E0_DA,
            Ink::Edge => 0x7F_83_8A,
            Ink::Text => 0x1B_1D_22,
            Ink::Text2 => 0x4A_4F_58,
            Ink::Text3 => 0x63_69_73,
            Ink::Budget => 0x1B_1D_23,
            Ink::Within => 0x0B_6E_63,
            Ink::Risk => 0x8C_5B_00,
            Ink::Breach => 0xA1_20_1A,
            Ink::NoData => 0x5F_65_6E,
            Ink::Stale => 0x5B_54_92,
            Ink::P75 => 0x17_63_B0,
            Ink::P99 => 0x8A_3E_83,
            Ink::Reference => 0x6B_6F_76,
            Ink::Bleed => 0xA8_4E_06,
            Ink::Hatch => 0xC9_C9_C4,
        };
        let [_, red, green, blue] = hex.to_be_bytes();
        RGBColor(red, green, blue)
    }

    /// The custom property that the style sheet puts in its place.
    pub fn property(self) -> &'static str {
        match self {
            Ink::Surface => "--surface",
            Ink::Sunken => "--sunken",
            Ink::Rule => "--rule",
            Ink::Edge => "--edge",
            Ink::Text => "--ink",
            Ink::Text2 => "--ink2",
            Ink::Text3 => "--ink3",
            Ink::Budget => "--budget",
            Ink::Within => "--within",
            Ink::Risk => "--risk",
            Ink::Breach => "--breach",
            Ink::NoData => "--nodata",
            Ink::Stale => "--stale",
            Ink::P75 => "--p75",
            Ink::P99 => "--p99",
            Ink::Reference => "--ref",
            Ink::Bleed => "--bleed",
            Ink::Hatch => "--hatch",
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const STYLE: &str = include_str!("../../assets/style.css");

    fn hex(ink: Ink) -> String {
        let RGBColor(red, green, blue) = ink.rgb();
        format!("#{red:02X}{green:02X}{blue:02X}")
    }

    #[test]
    fn no_two_roles_share_a_value() {
        let values: HashSet<String> = Ink::ALL.into_iter().map(hex).collect();
        assert_eq!(values.len(), Ink::ALL.len());
    }

    #[test]
    fn the_style_sheet_maps_every_ink_to_its_property_and_holds_the_same_light_value() {
        let (light, rest) = STYLE
            .split_once("@media")
            .expect("dark values follow the light ones");
        for ink in Ink::ALL {
            let (hex, property) = (hex(ink), ink.property());
            assert!(
                light.contains(&format!("{property}: {hex};")),
                "light value of {ink:?}"
            );
            assert!(
                rest.contains(&format!("{property}: #")),
                "dark value of {ink:?}"
            );
            for attribute in ["fill", "stroke"] {
                let rule =
                    format!(".c [{attribute}=\"{hex}\"] {{ {attribute}: var({property}); }}");
                assert!(STYLE.contains(&rule), "{rule}");
            }
        }
        assert_eq!(
            STYLE.matches(".c [fill=").count(),
            Ink::ALL.len(),
            "no rule without an ink"
        );
    }
}
