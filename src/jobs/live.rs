//! The `compute` thread behind the live overlay: opens a model, works for the newest wish, and tells
//! how far it is. Nobody who asks it for something ever waits.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use burn::tensor::{Device, DeviceKind};

use crate::labels::Ranks;
use crate::model::dfa::ClassBias;
use crate::model::dfa::weights::DecoderCard;
use crate::model::shipped;
use crate::model::weights::WeightsSource;
use crate::model::{ReadyError, ReadyModel};
use crate::segment::live::{Engine, Limits, LiveStatus, SharedLayers, Step, Wish};
use crate::segment::{Network, Settings};

/// How much less urgent the processor's work is than the window's, as `nice` counts it.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Which model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelChoice {
    /// One that is part of the program, by name.
    Shipped(&'static str),
    /// A decoder's weights file.
    File(PathBuf),
}

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComputeDevice {
    /// The processor, but for one core, which is the window's.
    Processor,
    /// The graphics card that wgpu finds.
    Wgpu,
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
}

struct Shared {
    inbox: Mutex<Inbox>,
    news: Condvar,
    layers: SharedLayers,
    tell_every: Duration,
    wake: Box<dyn Fn() + Send + Sync>,
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
    /// Starts opening a model. `wake` is called from the thread when there is something new, while
    /// tiles come at most once in `tell_every`.
    ///
    /// # Errors
    /// When the system can't start a thread.
    pub fn start(
        choice: ModelChoice,
        device: ComputeDevice,
        limits: Limits,
        tell_every: Duration,
        wake: Box<dyn Fn() + Send + Sync>,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            inbox: Mutex::new(Inbox {
                wish: None,
                closed: Vec::new(),
                stopping: false,
                state: ModelState::Opening,
                status: LiveStatus::default(),
            }),
            news: Condvar::new(),
            layers: SharedLayers::default(),
            tell_every,
            wake,
        });
        let for_thread = Arc::clone(&shared);
        let body = move || work(&for_thread, &choice, device, limits);
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
        self.shared.lock().wish = Some(wish);
        self.shared.news.notify_one();
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

fn work(shared: &Shared, choice: &ModelChoice, device: ComputeDevice, limits: Limits) {
    let run = || match device {
        ComputeDevice::Wgpu => open_and_serve(shared, choice, device, limits),
        ComputeDevice::Processor => match gentle_pool() {
            Ok(pool) => pool.install(|| open_and_serve(shared, choice, device, limits)),
            Err(error) => Err(format!("no thread can be started: {error}")),
        },
    };
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    let reason = match ended {
        Ok(Ok(())) => return,
        Ok(Err(reason)) => reason,
        Err(panic) => super::words(panic.as_ref()),
    };
    tracing::error!("the model stopped: {reason}");
    shared.lock().state = ModelState::Failed(reason);
    (shared.wake)();
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
    device: ComputeDevice,
    limits: Limits,
) -> Result<(), String> {
    let model = open(choice, device).map_err(|error| error.to_string())?;
    let engine = engine_for(&model, limits, shared.layers.clone());
    let facts = LiveModelFacts {
        choice: choice.clone(),
        card: model.card,
        bias: model.bias,
        sha256: model.decoder_sha256,
    };
    shared.lock().state = ModelState::Ready(Arc::new(facts));
    (shared.wake)();
    serve(shared, engine);
    Ok(())
}

fn open(choice: &ModelChoice, device: ComputeDevice) -> Result<ReadyModel, ReadyError> {
    let source = match choice {
        ModelChoice::Shipped(name) => WeightsSource::named(name, &shipped::decoders()),
        ModelChoice::File(path) => WeightsSource::File(path.clone()),
    };
    let device = match device {
        ComputeDevice::Processor => Device::flex(),
        ComputeDevice::Wgpu => Device::wgpu(DeviceKind::DefaultDevice),
    };
    ReadyModel::open(&source, None, None, &device)
}

/// The engine as the window runs it: maps go to `layers`.
pub fn engine_for(model: &ReadyModel, limits: Limits, layers: SharedLayers) -> Engine<Network> {
    // How much is filled and cut does not depend on the scale.
    let fill_um = Settings::of_model(model, 1.0).fill_um;
    let fusion = Default::default();
    Engine::new(
        Network::new(model),
        fusion,
        ranks(model),
        fill_um,
        limits,
        layers,
    )
}

/// Rare classes stay visible. The prior of the bias falls with a class's frequency; where it says
/// nothing, later classes are taken for the rarer ones.
fn ranks(model: &ReadyModel) -> Ranks {
    let prior = model.bias.prior();
    let share: Vec<f64> = prior.iter().map(|prior| f64::from(-prior).exp()).collect();
    Ranks::by_rarity(&share)
}

fn serve(shared: &Shared, mut engine: Engine<Network>) {
    let mut idle = true;
    let mut told = Instant::now();
    loop {
        let Some((wish, closed)) = next(shared, idle) else {
            return;
        };
        closed.into_iter().for_each(|slide| engine.forget(slide));
        if let Some(wish) = wish {
            engine.ask(wish);
        }
        idle = engine.step() == Step::Idle;
        if idle || told.elapsed() >= shared.tell_every {
            told = Instant::now();
            shared.lock().status = engine.status();
            (shared.wake)();
        }
    }
}

/// Takes what was asked for; waits for it where there is nothing else to do. `None` to stop.
fn next(shared: &Shared, idle: bool) -> Option<(Option<Wish>, Vec<u64>)> {
    let mut inbox = shared.lock();
    while idle && !inbox.stopping && inbox.wish.is_none() && inbox.closed.is_empty() {
        let waited = shared.news.wait(inbox);
        inbox = waited.unwrap_or_else(PoisonError::into_inner);
    }
    let taken = (inbox.wish.take(), std::mem::take(&mut inbox.closed));
    (!inbox.stopping).then_some(taken)
}
