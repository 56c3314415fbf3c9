//! Opening slides without holding up the window.

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

use crate::gpu::ColourTable;
use crate::slide::argument::open_argument;
use crate::slide::{Rgba, SlideHash, SlideSource};
use crate::tiles::TilePyramid;

use super::state::PaneIndex;

/// A slide read so far that it can be shown.
pub struct Opened {
    /// Where its pixels come from.
    pub source: Arc<dyn SlideSource>,
    /// Its levels.
    pub pyramid: Arc<TilePyramid>,
    /// Its colour profile as a table; `Err` holds why the profile can't be used.
    pub profile: Option<Result<ColourTable, String>>,
}

/// What a background thread has to tell.
pub enum Event {
    /// A slide was opened, or why not.
    Opened {
        /// Which pane asked.
        pane: PaneIndex,
        /// What it asked for.
        asked: PathBuf,
        /// The slide.
        result: Result<Opened, String>,
    },
    /// A label, macro or thumbnail image was read, or why not.
    Associated {
        /// Whose.
        slide: SlideHash,
        /// Its name.
        name: String,
        /// The picture.
        result: Result<Arc<Rgba>, String>,
    },
    /// A weights file was chosen in the desktop's dialog, or none.
    ChosenWeights(Option<PathBuf>),
    /// The desktop's file dialog is done.
    Chosen {
        /// Which pane asked.
        pane: PaneIndex,
        /// The file; none when cancelled or when there is no dialog.
        path: Option<PathBuf>,
        /// Whether a dialog was there at all.
        answered: bool,
    },
}

/// Starts short named threads and collects what they have to tell.
pub struct Background {
    events: Receiver<Event>,
    sender: Sender<Event>,
    ctx: egui::Context,
}

impl Background {
    /// `ctx` is woken by each event.
    pub fn new(ctx: egui::Context) -> Self {
        // Unbounded, but each event answers one click.
        let (sender, events) = crossbeam_channel::unbounded();
        Self {
            events,
            sender,
            ctx,
        }
    }

    /// The next event, if there is one.
    pub fn poll(&self) -> Option<Event> {
        self.events.try_recv().ok()
    }

    /// Opens a slide.
    pub fn open(&self, pane: PaneIndex, asked: PathBuf) {
        self.start("slide-opener", move || {
            let result = open(&asked);
            Event::Opened {
                pane,
                asked,
                result,
            }
        });
    }

    /// Reads a label, macro or thumbnail image.
    pub fn read_associated(&self, source: Arc<dyn SlideSource>, name: String) {
        self.start("associated-image", move || {
            let result = source
                .read_associated(&name)
                .map(Arc::new)
                .map_err(|error| error.to_string());
            Event::Associated {
                slide: source.info().hash.clone(),
                name,
                result,
            }
        });
    }

    /// Asks the desktop for a file.
    pub fn choose_file(&self, pane: PaneIndex) {
        self.start("file-dialog", move || {
            let asked_at = std::time::Instant::now();
            let path = rfd::FileDialog::new().set_title("Open a slide").pick_file();
            // A missing portal answers "none" at once, as nobody can who sees a dialog.
            let answered = path.is_some() || asked_at.elapsed() > FASTEST_CANCEL;
            Event::Chosen {
                pane,
                path,
                answered,
            }
        });
    }

    /// Asks the desktop for a decoder's weights.
    pub fn choose_weights(&self) {
        self.start("file-dialog", || {
            let dialog = rfd::FileDialog::new().set_title("Open a model's weights");
            let dialog = dialog.add_filter("Weights", &["safetensors"]);
            Event::ChosenWeights(dialog.pick_file())
        });
    }

    fn start(&self, name: &str, work: impl FnOnce() -> Event + Send + 'static) {
        let (sender, ctx) = (self.sender.clone(), self.ctx.clone());
        let body = move || {
            let event = work();
            // The window may have closed meanwhile.
            let _ = sender.send(event);
            ctx.request_repaint();
        };
        if let Err(error) = std::thread::Builder::new().name(name.into()).spawn(body) {
            tracing::error!("can't start the thread {name}: {error}");
        }
    }
}

/// Quicker than anyone can see and close a dialog.
const FASTEST_CANCEL: std::time::Duration = std::time::Duration::from_millis(800);

fn open(asked: &std::path::Path) -> Result<Opened, String> {
    let source = open_argument(asked).map_err(|error| error.to_string())?;
    let pyramid = Arc::new(TilePyramid::new(source.info()));
    let profile = source.info().icc_profile.as_deref();
    let profile =
        profile.map(|bytes| ColourTable::from_icc(bytes).map_err(|error| format!("{error:#}")));
    Ok(Opened {
        source,
        pyramid,
        profile,
    })
}
