//! The `compute` thread behind the live overlay: opens a model, works for the newest wish, and tells
//! how far it is. Nobody who asks it for something ever waits.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use burn::tensor::{Device, DeviceKind};

use super::tune::{TuneRequest, TuneState, Tuner};
use super::window_model::{SharedScores, WindowNetwork, WindowPainter};
use crate::gpu::device::WindowDevice;
use crate::gpu::paint_tiles::{PaintError, ScoreStore};
use crate::gpu::tensor_buffer::burn_device;
use crate::labels::Ranks;
use crate::model::ReadyModel;
use crate::model::dfa::weights::DecoderCard;
use crate::model::dfa::{ClassBias, Features};
use crate::model::shipped;
use crate::model::weights::WeightsSource;
use crate::segment::embedding::{
    EmbeddingEngine, EmbeddingLimits, EmbeddingStatus, EmbeddingWish, SharedEmbeddings,
};
use crate::segment::fusion::Fusion;
use crate::segment::live::{
    CellPainter, Engine, Limits, LiveModel, LiveStatus, SharedLayers, Step, Wish,
};
use crate::segment::{Network, Settings};

/// How much less urgent the processor's work is than the window's, as `nice` counts it.
/// At 10, a first tile waited until the slide was read and drawn where the processor does all of it.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 3;

/// Which model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelChoice {
    /// One that is part of the program, by name.
    Shipped(&'static str),
    /// A decoder's weights file.
    File(PathBuf),
}

impl ModelChoice {
    /// The shipped model called `name`, else the decoder's weights file of that name.
    pub fn named(name: &str) -> Self {
        match WeightsSource::named(name, &shipped::decoders()) {
            WeightsSource::Shipped(shipped) => Self::Shipped(shipped.name),
            WeightsSource::File(path) => Self::File(path),
        }
    }

    /// What it is called on screen: its name, or that of its file without the folder.
    pub fn short_name(&self) -> String {
        self.source().short_name()
    }

    fn source(&self) -> WeightsSource {
        match self {
            Self::Shipped(name) => WeightsSource::named(name, &shipped::decoders()),
            Self::File(path) => WeightsSource::File(path.clone()),
        }
    }
}

/// What computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ComputeDevice {
    /// The processor, but for one core, which is the window's.
    Processor,
    /// The graphics device that the window draws with: scores go to the overlay without leaving it.
    Window(WindowDevice),
    /// The graphics card that wgpu finds, apart from the window: scores are read back.
    Wgpu,
}

/// The user's wish.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeviceWish {
    /// The window's graphics device where that is a real card, else the processor.
    #[default]
    Auto,
    /// The window's graphics device, a software one if need be.
    Window,
    /// The processor.
    Processor,
}

/// What is known of a model that is open.
#[derive(Debug, Clone)]
pub struct LiveModelFacts {
    /// Which it is.
    pub choice: ModelChoice,
    /// What its file says.
    pub card: DecoderCard,
    /// Its bias in its parts.
    pub bias: ClassBias,
    /// SHA-256 of the decoder's file, hexadecimal.
    pub sha256: String,
    /// How its maps of two magnifications become one.
    pub fusion: Fusion,
}

/// How far a model is.
#[derive(Debug, Clone)]
pub enum ModelState {
    /// Being read.
    Opening,
    /// Ready to work.
    Ready(Arc<LiveModelFacts>),
    /// Not to be used, and why.
    Failed(String),
}

struct Inbox {
    wish: Option<Wish>,
    closed: Vec<u64>,
    stopping: bool,
    state: ModelState,
    status: LiveStatus,
    /// What is asked of embeddings now; the outer one where that is news.
    embedding_wish: Option<Option<EmbeddingWish>>,
    embedding_status: EmbeddingStatus,
    /// What is to be tuned now; the outer one where that is news.
    tune_wish: Option<Option<TuneRequest>>,
    tuning: Option<TuneState>,
    /// Wishes so far, and which of them the status is about.
    asked: u64,
    answered: u64,
}

/// Called from the model's thread when there is something new to show. Told whether more is on its
/// way, so that this much need not be shown to the last detail.
pub type Wake = Box<dyn Fn(bool) + Send + Sync>;

/// Models at work that were started so far.
static STARTED: AtomicU64 = AtomicU64::new(0);

struct Shared {
    /// Which of those that were started.
    number: u64,
    inbox: Mutex<Inbox>,
    news: Condvar,
    layers: SharedLayers,
    embeddings: SharedEmbeddings,
    tell_every: Duration,
    wake: Wake,
}

impl Shared {
    /// A thread that panicked leaves plain values behind.
    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A model at work. Dropping it lets it finish its present step.
pub struct LiveThread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl LiveThread {
    /// Starts opening a model. `wake` is called when there is something new, while tiles come at most
    /// once in `tell_every`.
    ///
    /// # Errors
    /// When the system can't start a thread.
    pub fn start(
        choice: ModelChoice,
        device: ComputeDevice,
        limits: Limits,
        tell_every: Duration,
        wake: Wake,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            number: STARTED.fetch_add(1, Ordering::Relaxed),
            inbox: Mutex::new(Inbox {
                wish: None,
                closed: Vec::new(),
                stopping: false,
                state: ModelState::Opening,
                status: LiveStatus::default(),
                embedding_wish: None,
                embedding_status: EmbeddingStatus::default(),
                tune_wish: None,
                tuning: None,
                asked: 0,
                answered: 0,
            }),
            news: Condvar::new(),
            layers: SharedLayers::default(),
            embeddings: SharedEmbeddings::default(),
            tell_every,
            wake,
        });
        let for_thread = Arc::clone(&shared);
        let body = move || work(&for_thread, &choice, &device, limits);
        let thread = std::thread::Builder::new()
            .name("compute".to_owned())
            .spawn(body)?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Asks for something else than before.
    pub fn ask(&self, wish: Wish) {
        let mut inbox = self.shared.lock();
        inbox.asked += 1;
        inbox.wish = Some(wish);
        drop(inbox);
        self.shared.news.notify_one();
    }

    /// Asks for other embeddings than before, or for none: then they rest.
    pub fn embed(&self, wish: Option<EmbeddingWish>) {
        self.shared.lock().embedding_wish = Some(wish);
        self.shared.news.notify_one();
    }

    /// How far the embeddings are.
    pub fn embedding_status(&self) -> EmbeddingStatus {
        self.shared.lock().embedding_status.clone()
    }

    /// The maps of embeddings.
    pub fn embeddings(&self) -> &SharedEmbeddings {
        &self.shared.embeddings
    }

    /// Asks for dials that suit strokes, in place of what was asked before. Nothing is applied.
    pub fn tune(&self, request: TuneRequest) {
        let mut inbox = self.shared.lock();
        inbox.tuning = Some(TuneState::Preparing { done: 0, total: 0 });
        inbox.tune_wish = Some(Some(request));
        drop(inbox);
        self.shared.news.notify_one();
    }

    /// Stops tuning, or forgets what came of it.
    pub fn stop_tuning(&self) {
        let mut inbox = self.shared.lock();
        inbox.tuning = None;
        inbox.tune_wish = Some(None);
        drop(inbox);
        self.shared.news.notify_one();
    }

    /// How far tuning is, or what came of it; none where none was asked for.
    pub fn tuning(&self) -> Option<TuneState> {
        self.shared.lock().tuning.clone()
    }

    /// A slide was closed: what is held for it goes.
    pub fn close_slide(&self, slide: u64) {
        self.shared.lock().closed.push(slide);
        self.shared.news.notify_one();
    }

    /// How far the model is.
    pub fn state(&self) -> ModelState {
        self.shared.lock().state.clone()
    }

    /// How far the work is.
    pub fn status(&self) -> LiveStatus {
        self.shared.lock().status.clone()
    }

    /// Whether all that was asked for is done.
    pub fn is_settled(&self) -> bool {
        let inbox = self.shared.lock();
        inbox.asked == inbox.answered && inbox.status.waiting == 0
    }

    /// Its number: no other of the same program has it. Maps of two models of one slide have the same
    /// [`crate::segment::live::LayerKey`] and are told apart by this.
    pub fn number(&self) -> u64 {
        self.shared.number
    }

    /// The maps.
    pub fn layers(&self) -> &SharedLayers {
        &self.shared.layers
    }
}

impl Drop for LiveThread {
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.news.notify_one();
        // Not joined: the step under way may take long, and the window never waits.
        drop(self.thread.take());
    }
}

fn work(shared: &Shared, choice: &ModelChoice, device: &ComputeDevice, limits: Limits) {
    let run = || match device {
        ComputeDevice::Window(_) | ComputeDevice::Wgpu => {
            open_and_serve(shared, choice, device, limits)
        }
        ComputeDevice::Processor => match gentle_pool() {
            Ok(pool) => pool.install(|| open_and_serve(shared, choice, device, limits)),
            Err(error) => Err(format!("no thread can be started: {error}")),
        },
    };
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    let reason = match (ended, device) {
        (Ok(Ok(())), _) => return,
        (Ok(Err(reason)), _) => reason,
        (Err(panic), ComputeDevice::Processor) => super::words(panic.as_ref()),
        (Err(panic), _) => format!(
            "the graphics card failed or has no memory left; --device cpu computes without it ({})",
            super::text(panic.as_ref())
        ),
    };
    tracing::error!("the model stopped: {reason}");
    shared.lock().state = ModelState::Failed(reason);
    (shared.wake)(false);
}

/// Threads that leave the window a core and let it go first on the others.
fn gentle_pool() -> Result<rayon::ThreadPool, rayon::ThreadPoolBuildError> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    rayon::ThreadPoolBuilder::new()
        .num_threads(cores.saturating_sub(1).max(1))
        .thread_name(|index| format!("compute-{index}"))
        .start_handler(|_| be_gentle())
        .build()
}

#[cfg(target_os = "linux")]
fn be_gentle() {
    // A thread that stays as urgent as the window is slower for it, not wrong.
    let thread = rustix::thread::gettid();
    if let Err(error) = rustix::process::setpriority_process(Some(thread), NICENESS) {
        tracing::debug!("compute stays as urgent as the window: {error}");
    }
}

#[cfg(not(target_os = "linux"))]
fn be_gentle() {}

fn open_and_serve(
    shared: &Shared,
    choice: &ModelChoice,
    device: &ComputeDevice,
    limits: Limits,
) -> Result<(), String> {
    let model = open(choice, device)?;
    let layers = shared.layers.clone();
    let facts = LiveModelFacts {
        choice: choice.clone(),
        card: model.card.clone(),
        bias: model.bias.clone(),
        sha256: model.decoder_sha256.clone(),
        fusion: Fusion::of_decoder(&model.decoder_sha256),
    };
    let ready = || {
        shared.lock().state = ModelState::Ready(Arc::new(facts));
        (shared.wake)(false);
    };
    match device {
        ComputeDevice::Window(window) => {
            let engine = window_engine_for(&model, limits, layers, window);
            let engine = engine.map_err(|error| error.to_string())?;
            ready();
            serve(shared, engine, embedder(&model, shared), Tuner::new(&model))
        }
        ComputeDevice::Processor | ComputeDevice::Wgpu => {
            let engine = engine_for(&model, side_by_side(limits, device), layers);
            ready();
            serve(shared, engine, embedder(&model, shared), Tuner::new(&model))
        }
    }
}

/// Tiles that no thread works on beside the others of their step only make those wait.
fn side_by_side(limits: Limits, device: &ComputeDevice) -> Limits {
    let most = match device {
        ComputeDevice::Processor => rayon::current_num_threads(),
        ComputeDevice::Window(_) | ComputeDevice::Wgpu => usize::MAX,
    };
    Limits {
        encode_batch: limits.encode_batch.min(most),
        ..limits
    }
}

fn embedder(model: &ReadyModel, shared: &Shared) -> EmbeddingEngine<Network> {
    let fill_um = Settings::of_model(model, 1.0).fill_um;
    let limits = EmbeddingLimits::default();
    EmbeddingEngine::new(
        Network::new(model),
        fill_um,
        limits,
        shared.embeddings.clone(),
    )
}

fn open(choice: &ModelChoice, device: &ComputeDevice) -> Result<ReadyModel, String> {
    let device = match device {
        ComputeDevice::Processor => Device::flex(),
        ComputeDevice::Wgpu => Device::wgpu(DeviceKind::DefaultDevice),
        ComputeDevice::Window(window) => burn_device(window).map_err(|error| error.to_string())?,
    };
    ReadyModel::open(&choice.source(), None, None, &device).map_err(|error| error.to_string())
}

/// The engine as the window runs it: maps go to `layers`.
pub fn engine_for(model: &ReadyModel, limits: Limits, layers: SharedLayers) -> Engine<Network> {
    // How much is filled and cut does not depend on the scale.
    let fill_um = Settings::of_model(model, 1.0).fill_um;
    let fusion = Fusion::of_decoder(&model.decoder_sha256);
    Engine::new(
        Network::new(model),
        fusion,
        ranks(model),
        fill_um,
        limits,
        layers,
    )
}

/// The same on the window's own graphics device, where `model` was opened. To be used on the thread
/// that calls this.
///
/// # Errors
/// When the device has no memory for it.
pub fn window_engine_for(
    model: &ReadyModel,
    limits: Limits,
    layers: SharedLayers,
    window: &WindowDevice,
) -> Result<Engine<WindowNetwork, WindowPainter>, PaintError> {
    let (classes, side) = (model.card.classes.len(), model.card.tile_px);
    let (scores, limits) = score_store(window, classes * side * side, limits)?;
    let painter = WindowPainter::new(window, classes, Rc::clone(&scores))?;
    let network = WindowNetwork::new(model, scores);
    let fill_um = Settings::of_model(model, 1.0).fill_um;
    let parts = (network, painter);
    let fusion = Fusion::of_decoder(&model.decoder_sha256);
    let ranks = ranks(model);
    Ok(Engine::painted_by(
        parts, fusion, ranks, fill_um, limits, layers,
    ))
}

/// Room for as many scores as the limits allow and the card can hold, and limits that keep to it:
/// while a batch is decoded, the scores that it will push out are still there.
pub(super) fn score_store(
    window: &WindowDevice,
    tile_values: usize,
    limits: Limits,
) -> Result<(SharedScores, Limits), PaintError> {
    let batch = limits.decode_batch.max(limits.encode_batch) as u64 + 1;
    let most_bytes = limits.score_bytes + batch * tile_values as u64 * 4;
    let (device, queue) = (window.device.clone(), window.queue.clone());
    let store = ScoreStore::new(device, queue, tile_values as u64, most_bytes)?;
    let kept = u64::from(store.most_tiles()).saturating_sub(batch);
    let score_bytes = limits.score_bytes.min(kept * store.tile_bytes());
    let limits = Limits {
        score_bytes,
        ..limits
    };
    Ok((Rc::new(RefCell::new(store)), limits))
}

/// Rare classes stay visible. The prior of the bias falls with a class's frequency; where it says
/// nothing, later classes are taken for the rarer ones.
fn ranks(model: &ReadyModel) -> Ranks {
    let prior = model.bias.prior();
    let share: Vec<f64> = prior.iter().map(|prior| f64::from(-prior).exp()).collect();
    Ranks::by_rarity(&share)
}

fn serve<M: LiveModel<Features = Features>, P: CellPainter<Scores = M::Scores>>(
    shared: &Shared,
    mut engine: Engine<M, P>,
    mut embedder: EmbeddingEngine<Network>,
    mut tuner: Tuner,
) -> Result<(), String> {
    let mut idle = true;
    let mut told = Instant::now();
    // Whether nothing was told yet of what was asked for last.
    let mut unanswered = false;
    loop {
        let Some(news) = next(shared, idle) else {
            return Ok(());
        };
        for slide in news.closed {
            engine.forget(slide);
            embedder.forget(slide);
            tuner.forget(slide);
        }
        if let Some(wish) = news.wish {
            engine.ask(wish);
            unanswered = true;
            if idle {
                told = Instant::now();
            }
        }
        match news.embedding_wish {
            Some(Some(wish)) => embedder.ask(wish),
            Some(None) => embedder.rest(),
            None => {}
        }
        match news.tune_wish {
            Some(Some(request)) => tuner.ask(request),
            Some(None) => tuner.stop(),
            None => {}
        }
        // Tuning and the field take turns, so that neither stands still for the other.
        let tuning = tuner.step(&mut engine);
        // Classes come first: embeddings are asked for where no classes are.
        let worked = engine.step() == Step::Worked;
        idle = !worked && tuning == Step::Idle && embedder.step() == Step::Idle;
        if let Some(reason) = engine.broken() {
            return Err(reason.to_owned());
        }
        let due = match engine.turn_left() {
            // Every picture takes time from what is as good as done.
            Some(left) if left < shared.tell_every => told.elapsed() >= 2 * shared.tell_every,
            // The first px of a fresh field do not wait for more of them.
            _ => worked && unanswered || told.elapsed() >= shared.tell_every,
        };
        if idle || due {
            told = Instant::now();
            unanswered = false;
            let (status, embedding_status) = (engine.status(), embedder.status());
            let tuning = tuner.state();
            let mut inbox = shared.lock();
            inbox.status = status;
            inbox.embedding_status = embedding_status;
            if inbox.tune_wish.is_none() {
                inbox.tuning = tuning;
            }
            // A wish that came meanwhile is not answered yet.
            inbox.answered = inbox.asked - u64::from(inbox.wish.is_some());
            drop(inbox);
            (shared.wake)(!idle);
        }
    }
}

/// What was asked for since the last step.
struct News {
    wish: Option<Wish>,
    embedding_wish: Option<Option<EmbeddingWish>>,
    tune_wish: Option<Option<TuneRequest>>,
    closed: Vec<u64>,
}

/// Takes what was asked for; waits for it where there is nothing else to do. `None` to stop.
fn next(shared: &Shared, idle: bool) -> Option<News> {
    let nothing_new = |inbox: &mut Inbox| {
        let asked =
            inbox.wish.is_some() || inbox.embedding_wish.is_some() || inbox.tune_wish.is_some();
        idle && !inbox.stopping && !asked && inbox.closed.is_empty()
    };
    let waited = shared.news.wait_while(shared.lock(), nothing_new);
    let mut inbox = waited.unwrap_or_else(PoisonError::into_inner);
    let news = News {
        wish: inbox.wish.take(),
        embedding_wish: inbox.embedding_wish.take(),
        tune_wish: inbox.tune_wish.take(),
        closed: std::mem::take(&mut inbox.closed),
    };
    (!inbox.stopping).then_some(news)
}
