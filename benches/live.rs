//! What a field takes anew and after a turn of a dial: the engine alone, with the breast model over
//! the breast phantom. `make bench` runs it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use parfocal::geometry::{SlideRect, SlideVector};
use parfocal::jobs::live::engine_for;
use parfocal::model::ReadyModel;
use parfocal::model::shipped;
use parfocal::model::weights::WeightsSource;
use parfocal::segment::Network;
use parfocal::segment::live::{Analysis, Engine, FieldWish, Limits, SharedLayers, Step, Wish};
use parfocal::slide::SlideSource;
use parfocal::slide::phantom::{PhantomSource, PhantomSpec, Tissue};

/// Side of the field at 10x, px.
const FIELD_PX: f64 = 900.0;

/// 10x of a slide of 0.25 µm/px.
const SLIDE_PX_PER_PX: f64 = 4.0;

fn wish(slide: &Arc<dyn SlideSource>, bias: Vec<f32>) -> Wish {
    let center = slide.info().content().center();
    let half = FIELD_PX * SLIDE_PX_PER_PX / 2.0;
    let by = SlideVector::new(half, half);
    Wish {
        fields: vec![FieldWish {
            slide: Arc::clone(slide),
            slide_id: 1,
            analysis: Analysis::Plain(2),
            seen: SlideRect::new(center - by, center + by),
            center,
        }],
        offsets: vec![0.0; bias.len()],
        bias,
        shown_class: None,
    }
}

/// Seconds until a wish is fulfilled.
fn fulfil(engine: &mut Engine<Network>, wish: Wish) -> Duration {
    let began = Instant::now();
    engine.ask(wish);
    while engine.step() == Step::Worked {}
    began.elapsed()
}

fn live(c: &mut Criterion) {
    let device = burn::tensor::Device::flex();
    let source = WeightsSource::named("breast", &shipped::decoders());
    let Ok(model) = ReadyModel::open(&source, None, None, &device) else {
        println!("skipped: the breast model can't be opened");
        return;
    };
    let Ok(slide) = PhantomSource::new(PhantomSpec::preset(Tissue::Breast, 7)) else {
        return;
    };
    let slide: Arc<dyn SlideSource> = Arc::new(slide);
    let engine = || engine_for(&model, Limits::default(), SharedLayers::default());
    let rest = model.bias.total();
    let turned = |n: u64| {
        let mut bias = rest.clone();
        bias[0] += 0.25 * (n % 7 + 1) as f32;
        bias
    };
    let mut group = c.benchmark_group("live field");
    group.sample_size(10);
    group.bench_function("anew", |b| {
        b.iter_custom(|times| {
            let anew = (0..times).map(|_| fulfil(&mut engine(), wish(&slide, rest.clone())));
            anew.sum()
        });
    });
    group.bench_function("a turn of a dial", |b| {
        let mut engine = engine();
        fulfil(&mut engine, wish(&slide, rest.clone()));
        let mut turns = 0;
        b.iter_custom(|times| {
            let turn = |_| {
                turns += 1;
                fulfil(&mut engine, wish(&slide, turned(turns)))
            };
            (0..times).map(turn).sum()
        });
    });
    group.finish();
}

criterion_group!(benches, live);
criterion_main!(benches);
