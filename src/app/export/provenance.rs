//! What a picture of a field follows from, as text for its file.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::geometry::Magnification;
use crate::segment::export::MapOrigin;
use crate::slide::SlideInfo;

use super::png::Provenance;

/// What a picture of a field follows from. Of files, their names at most: no folders of a user's.
#[derive(Clone, Copy)]
pub struct FieldProvenance<'a> {
    /// The slide.
    pub slide: &'a SlideInfo,
    /// Microns that one px of the picture covers, if known.
    pub um_per_px: Option<f64>,
    /// Whether the slide's colour profile is to be applied where it has one.
    pub use_profile: bool,
    /// What the overlay was made by, where a model made it.
    pub origin: Option<&'a MapOrigin>,
    /// When it was drawn; none keeps equal pictures equal files.
    pub created: Option<SystemTime>,
}

impl FieldProvenance<'_> {
    /// All of it: `Slide`, `Slide-Hash`, `Magnification`, `ICC-Profile`; of a model `Model`,
    /// `Model-Hash`, `Encoder-Hash`, `Analysis`, `Analysis-Microns-Per-Pixel`, `Fusion`, `Attention-Bias`,
    /// `Attention-Bias-Parts`, `Output-Offsets`; `Creation Time`.
    pub fn notes(&self) -> Provenance {
        let mut notes = Vec::new();
        let mut note = |keyword: &str, text: String| notes.push((keyword.to_owned(), text));
        note("Slide", self.slide.name.clone());
        note("Slide-Hash", self.slide.hash.0.clone());
        if let Some(um_per_px) = self.um_per_px {
            note(
                "Magnification",
                Magnification::from_mpp(um_per_px).to_string(),
            );
        }
        note("ICC-Profile", self.profile().to_owned());
        if let Some(origin) = self.origin {
            notes.extend(of_model(origin));
        }
        if let Some(created) = self.created {
            notes.push(("Creation Time".to_owned(), utc_text(created)));
        }
        Provenance {
            mpp: self.um_per_px,
            notes,
        }
    }

    fn profile(&self) -> &'static str {
        match (&self.slide.icc_profile, self.use_profile) {
            (None, _) => "none in the slide",
            (Some(_), true) => "applied to the picture",
            (Some(_), false) => "not applied",
        }
    }
}

fn of_model(origin: &MapOrigin) -> Vec<(String, String)> {
    let bias = &origin.bias;
    let names = || bias.classes().iter();
    let totals = names().zip(bias.total());
    let totals: Vec<String> = totals.map(|(name, b)| format!("{name} {b:+.3}")).collect();
    let parts = names()
        .zip(bias.prior())
        .zip(bias.learned())
        .zip(bias.offset());
    let part = |(((name, prior), learned), offset): (((&String, &f32), &f32), &f32)| {
        format!("{name} prior {prior:+.3} learned {learned:+.3} offset {offset:+.3}")
    };
    let parts: Vec<String> = parts.map(part).collect();
    let offsets = origin.offsets_by_class();
    let offsets: Vec<String> = offsets
        .iter()
        .map(|(name, offset)| format!("{name} {offset:+.3}"))
        .collect();
    let offsets = match offsets.is_empty() {
        true => "none".to_owned(),
        false => offsets.join(", "),
    };
    let fusion = origin.fusion();
    let notes = [
        ("Model", origin.model.clone()),
        ("Model-Hash", origin.model_hash()),
        ("Encoder-Hash", origin.encoder_hash()),
        ("Analysis", origin.analysis.to_string()),
        ("Analysis-Microns-Per-Pixel", origin.mpp().to_string()),
        (
            "Fusion",
            fusion.map_or_else(|| "none".to_owned(), |used| used.to_string()),
        ),
        ("Attention-Bias", totals.join(", ")),
        ("Attention-Bias-Parts", parts.join("; ")),
        ("Output-Offsets", offsets),
    ];
    notes
        .map(|(keyword, text)| (keyword.to_owned(), text))
        .to_vec()
}

/// A moment in UTC: `2026-11-23T14:10:41Z` (RFC 3339).
fn utc_text(time: SystemTime) -> String {
    let since = time
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let (year, month, day) = civil_from_days(since / 86_400);
    let second = since % 86_400;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// Year, month and day of a number of days since 1970-01-01. Howard Hinnant, chrono-compatible
/// low-level date algorithms (2013): years begin in March, eras of 400 years have 146,097 days.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::app::export::png;
    use crate::model::dfa::ClassBias;
    use crate::segment::live::Analysis;
    use crate::slide::phantom::{PhantomSource, PhantomSpec, Tissue};
    use crate::slide::{Rgba, SlideSource as _};

    #[test]
    fn moments_are_written_as_calendars_have_them() {
        let text = |seconds| utc_text(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(text(0), "1970-01-01T00:00:00Z");
        assert_eq!(text(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(text(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(text(1_767_225_599), "2025-12-31T23:59:59Z");
    }

    #[test]
    fn provenance_goes_into_a_file_and_comes_out_of_it() {
        let slide = PhantomSource::new(PhantomSpec::preset(Tissue::Breast, 1)).unwrap();
        let names = ["tumor".to_owned(), "Drüse".to_owned()];
        let mut bias = ClassBias::new(&names, &[0.5, -0.5]).unwrap();
        bias.set_offset("tumor", 1.0).unwrap();
        let origin = MapOrigin {
            model: "breast".into(),
            decoder_sha256: "dd".into(),
            encoder_sha256: "ee".into(),
            bias,
            output_offsets: vec![0.0, -0.25],
            analysis: Analysis::Fused(0),
        };
        let provenance = FieldProvenance {
            slide: slide.info(),
            um_per_px: Some(0.5),
            use_profile: true,
            origin: Some(&origin),
            created: Some(UNIX_EPOCH),
        };
        let file = png::encode(&Rgba::transparent(2, 2), &provenance.notes()).unwrap();
        let texts = png::texts(&file);
        let text = |keyword: &str| {
            let found = texts.iter().find(|(of, _)| of == keyword);
            found.map(|(_, text)| text.as_str()).unwrap_or("missing")
        };
        assert_eq!(text("Slide"), slide.info().name);
        assert_eq!(text("Slide-Hash"), slide.info().hash.0);
        assert_eq!(text("Microns-Per-Pixel"), "0.5");
        assert_eq!(text("Magnification"), "20x");
        assert_eq!(text("ICC-Profile"), "none in the slide");
        assert_eq!(text("Model"), "breast");
        assert_eq!(text("Model-Hash"), "sha256:dd");
        assert_eq!(text("Encoder-Hash"), "sha256:ee");
        assert_eq!(text("Analysis"), "40x with the context of 10x");
        assert_eq!(text("Fusion"), "w 0.5; T 10x 1, 40x 1");
        assert_eq!(text("Attention-Bias"), "tumor +1.000, Drüse -1.000");
        let parts = text("Attention-Bias-Parts");
        assert!(parts.starts_with("tumor prior +0.500 learned +0.000 offset +1.000; Drüse"));
        // By name.
        assert_eq!(text("Output-Offsets"), "Drüse -0.250, tumor +0.000");
        assert_eq!(text("Creation Time"), "1970-01-01T00:00:00Z");
    }
}
