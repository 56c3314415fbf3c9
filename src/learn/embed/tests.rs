//! A slide's embeddings, from slide to file.

use std::io::Read as _;
use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;
use npyz::NpyFile;

use super::*;
use crate::model::{Encoder, EncoderConfig};
use crate::slide::SlideSource as _;
use crate::slide::phantom::{PhantomSource, PhantomSpec, Tissue};

fn slide() -> PhantomSource {
    let spec = PhantomSpec::preset(Tissue::Colon, 11).with_extent_um(500.0, 330.0);
    PhantomSource::new(spec).unwrap()
}

fn encoder() -> Encoder {
    let config = EncoderConfig {
        width: 24,
        depth: 1,
        mlp_width: 48,
        ..EncoderConfig::tiny()
    };
    Encoder::new(&config, 1, &Device::flex()).unwrap()
}

fn options() -> EmbedOptions {
    EmbedOptions {
        mpp: 1.0,
        tile_px: 64,
        region: None,
        least_tissue: 0.0,
        tokens: true,
        batch: 7,
        model_hash: "sha256:0".to_owned(),
    }
}

fn array(path: &Path, name: &str) -> (Vec<u64>, Vec<u8>) {
    let mut zip = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut bytes = Vec::new();
    zip.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
    let shape = NpyFile::new(&bytes[..]).unwrap().shape().to_vec();
    (shape, bytes)
}

fn floats(path: &Path, name: &str) -> Vec<f32> {
    NpyFile::new(&array(path, name).1[..])
        .unwrap()
        .into_vec()
        .unwrap()
}

#[test]
fn results_do_not_depend_on_the_batch() {
    let folder = tempfile::tempdir().unwrap();
    let (slide, encoder, device) = (slide(), encoder(), Device::flex());
    let run = |name: &str, batch: usize, least_tissue: f64| {
        let path = folder.path().join(name);
        let options = EmbedOptions {
            batch,
            least_tissue,
            ..options()
        };
        let mut go_on = |_, _| ControlFlow::Continue(());
        let report = embed_slide(&slide, &encoder, &options, &path, &device, &mut go_on);
        (path, report.unwrap())
    };
    let (one, all) = run("one.npz", 1, 0.0);
    let (seven, _) = run("seven.npz", 7, 0.0);
    assert_eq!((all.looked_at, all.embedded), (8 * 6, 8 * 6));
    assert_eq!(
        array(&one, "positions_um.npy"),
        array(&seven, "positions_um.npy")
    );
    assert_eq!(array(&one, "metadata.npy"), array(&seven, "metadata.npy"));
    assert_eq!(array(&one, "tokens.npy").0, [48, 4, 4, 24]);
    for name in ["cls.npy", "tokens.npy"] {
        for (a, b) in floats(&one, name).iter().zip(floats(&seven, name)) {
            assert!((a - b).abs() < 1e-5, "{name}: {a} and {b}");
        }
    }
    let (some, report) = run("tissue.npz", 7, 0.9);
    let (few, _) = run("tissue1.npz", 1, 0.9);
    assert!((1..48).contains(&report.embedded), "{report:?}");
    assert_eq!(
        array(&some, "positions_um.npy"),
        array(&few, "positions_um.npy")
    );
}

#[test]
fn a_region_has_the_embeddings_that_the_whole_has_there() {
    let folder = tempfile::tempdir().unwrap();
    let (slide, encoder, device) = (slide(), encoder(), Device::flex());
    let path = folder.path().join("part.npz");
    let options = EmbedOptions {
        region: Some(Region {
            x_um: 70.0,
            y_um: 130.0,
            width_um: 100.0,
            height_um: 20.0,
        }),
        tokens: false,
        ..options()
    };
    let mut go_on = |_, _| ControlFlow::Continue(());
    embed_slide(&slide, &encoder, &options, &path, &device, &mut go_on).unwrap();
    let positions = array(&path, "positions_um.npy").1;
    let positions: Vec<f64> = NpyFile::new(&positions[..]).unwrap().into_vec().unwrap();
    assert_eq!(positions, [96.0, 160.0, 160.0, 160.0]);
    let at = TileAt {
        origin: crate::geometry::UmPoint::new(64.0, 128.0),
        mpp: 1.0,
    };
    let tile = Tile::read(&slide, at, 64).unwrap();
    let alone = Features::of(&encoder, &[tile], &device).unwrap();
    for (a, b) in alone.cls.iter().zip(floats(&path, "cls.npy")) {
        assert!((a - b).abs() < 1e-5);
    }
}

#[test]
fn what_can_not_be_is_refused_in_words_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let (slide, encoder, device) = (slide(), encoder(), Device::flex());
    let refused = |options: &EmbedOptions, go: ControlFlow<()>| {
        let mut progress = |_, _| go;
        embed_slide(&slide, &encoder, options, &path, &device, &mut progress)
            .unwrap_err()
            .to_string()
    };
    let go_on = ControlFlow::Continue(());
    let with = |mpp: f64, tile_px: u32, x_um: f64| EmbedOptions {
        mpp,
        tile_px,
        region: Some(Region {
            x_um,
            y_um: 0.0,
            width_um: 9.0,
            height_um: 9.0,
        }),
        ..options()
    };
    let finest = slide.finest_mpp().unwrap();
    assert!(refused(&with(finest / 2.0, 64, 0.0), go_on).contains("up-sampled"));
    assert!(refused(&with(1.0, 50, 0.0), go_on).contains("50 px"));
    assert!(refused(&with(1.0, 64, 501.0), go_on).contains("500 x 330"));
    assert!(refused(&options(), ControlFlow::Break(())).contains("not written"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
