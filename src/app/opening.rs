//! Opening slides without holding up the window.

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

use crate::annotate::{MaskFile, SlideRecords, Store, open_mask};
use crate::files;
use crate::gpu::ColourTable;
use crate::gpu::offscreen::Offscreen;
use crate::jobs::guarded;
use crate::segment::export::{MaskSubject, write_mask};
use crate::slide::argument::open_argument;
use crate::slide::{Rgba, SlideHash, SlideSource};
use crate::tiles::TilePyramid;

use super::export::{FieldPicture, MapToWrite, Writing};
use super::file_for::FileFor;
use super::marks::DialPreset;
use super::state::PaneIndex;

/// A slide read so far that it can be shown.
pub struct Opened {
    /// Where its pixels come from.
    pub source: Arc<dyn SlideSource>,
    /// Its levels.
    pub pyramid: Arc<TilePyramid>,
    /// Its colour profile as a table; `Err` holds why the profile can't be used.
    pub profile: Option<Result<ColourTable, String>>,
    /// What is kept of it; `Err` holds why that can't be read.
    pub records: Result<SlideRecords, String>,
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
    /// Dials were read from a file, or why not.
    DialsRead(Result<DialPreset, String>),
    /// A mask was opened, or why not.
    MaskOpened {
        /// Its file.
        path: PathBuf,
        /// Of which slide.
        slide: SlideHash,
        /// The mask.
        result: Result<MaskFile, String>,
    },
    /// A file of [`Writing`] is written, or why not.
    Exported {
        /// The file.
        writing: Arc<Writing>,
        /// What there is to say of it, or why it was not.
        result: Result<String, String>,
    },
    /// A file was written, or why not.
    Written {
        /// The file.
        path: PathBuf,
        /// What there is to say of it, or why it was not.
        result: Result<String, String>,
    },
    /// The desktop's file dialog is done.
    Chosen {
        /// What it is for.
        what: FileFor,
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

    /// Opens a slide, with what `store` keeps of it.
    pub fn open(&self, pane: PaneIndex, asked: PathBuf, store: Option<Arc<Store>>) {
        let path = asked.clone();
        let work = move || open(&path, store.as_deref());
        self.start("slide-opener", work, move |result| Event::Opened {
            pane,
            asked,
            result,
        });
    }

    /// Reads a label, macro or thumbnail image.
    pub fn read_associated(&self, source: Arc<dyn SlideSource>, name: String) {
        let (slide, wanted) = (source.info().hash.clone(), name.clone());
        let work = move || source.read_associated(&wanted).map(Arc::new);
        self.start("associated-image", work, move |result| Event::Associated {
            slide,
            name,
            result,
        });
    }

    /// Asks the desktop for a file.
    pub fn choose(&self, what: FileFor) {
        let looks = what.dialog();
        let work = move || {
            let asked_at = std::time::Instant::now();
            let mut dialog = rfd::FileDialog::new().set_title(looks.title);
            if let Some((name, endings)) = looks.filter {
                dialog = dialog.add_filter(name, endings);
            }
            let path = match looks.save_as {
                Some(name) => dialog.set_file_name(name).save_file(),
                None => dialog.pick_file(),
            };
            // A missing portal answers "none" at once, as nobody can who sees a dialog.
            let answered = path.is_some() || asked_at.elapsed() > FASTEST_CANCEL;
            Ok::<_, String>((path, answered))
        };
        self.start("file-dialog", work, move |result| {
            // A dialog that failed is none.
            let (path, answered) = result.unwrap_or_default();
            Event::Chosen {
                what,
                path,
                answered,
            }
        });
    }

    /// Opens a mask of a slide.
    pub fn open_mask(&self, path: PathBuf, classes: Option<PathBuf>, slide: Arc<dyn SlideSource>) {
        let (asked, hash) = (path.clone(), slide.info().hash.clone());
        let work = move || open_mask(&asked, classes.as_deref(), slide.info());
        self.start("mask-opener", work, move |result| Event::MaskOpened {
            path,
            slide: hash,
            result,
        });
    }

    /// Reads dials from a file.
    pub fn read_dials(&self, path: PathBuf) {
        self.start(
            "dials-reader",
            move || DialPreset::read(&path),
            Event::DialsRead,
        );
    }

    /// Draws a picture and writes it.
    pub fn draw_field(
        &self,
        writing: Arc<Writing>,
        picture: FieldPicture,
        fonts: Vec<egui::FontInsert>,
    ) {
        self.export(writing, move |writing| {
            let mut gpu = Offscreen::open().map_err(in_full)?;
            let png = picture.png(&mut gpu, &fonts).map_err(in_full)?;
            if writing.is_stopped() {
                return Err("it was stopped".to_owned());
            }
            let written = files::write_whole(writing.path(), &png.bytes);
            written.map_err(|error| error.to_string())?;
            Ok(png.warnings.join("\n"))
        });
    }

    /// Writes a map.
    pub fn write_map(&self, writing: Arc<Writing>, map: MapToWrite) {
        let ctx = self.ctx.clone();
        self.export(writing, move |writing| {
            let subject = MaskSubject {
                slide: &map.slide,
                snapshot: &map.snapshot,
                classes: &map.classes,
                origin: &map.origin,
            };
            writing.begin();
            let mut progress = |done, total| {
                ctx.request_repaint();
                writing.tell(done, total)
            };
            let written = write_mask(&subject, writing.path(), true, &mut progress);
            let report = written.map_err(|error| error.to_string())?;
            Ok(report.summary())
        });
    }

    /// Writes a file whole.
    pub fn write(&self, path: PathBuf, bytes: Vec<u8>) {
        let to = path.clone();
        let work = move || files::write_whole(&to, &bytes).map(|()| String::new());
        self.start("file-writer", work, move |result| Event::Written {
            path,
            result,
        });
    }

    /// Writes the file of `writing`; `work` tells what there is to say of it.
    fn export(
        &self,
        writing: Arc<Writing>,
        work: impl FnOnce(&Writing) -> Result<String, String> + Send + 'static,
    ) {
        let at_work = Arc::clone(&writing);
        self.start(
            "exporter",
            move || work(&at_work),
            move |result| Event::Exported { writing, result },
        );
    }

    /// Has a thread do `work`; what came of it is told even where the program is at fault, since
    /// somebody waits for it.
    fn start<T, E: ToString>(
        &self,
        name: &str,
        work: impl FnOnce() -> Result<T, E> + Send + 'static,
        told: impl FnOnce(Result<T, String>) -> Event + Send + 'static,
    ) {
        let (sender, ctx) = (self.sender.clone(), self.ctx.clone());
        let thread = name.to_owned();
        let body = move || {
            let done = guarded(|| work().map_err(|error| error.to_string()));
            if let Err(reason) = &done {
                tracing::warn!("{thread}: {reason}");
            }
            // The window may have closed meanwhile.
            let _ = sender.send(told(done));
            ctx.request_repaint();
        };
        if let Err(error) = std::thread::Builder::new().name(name.into()).spawn(body) {
            tracing::error!("can't start the thread {name}: {error}");
        }
    }
}

/// An error with all its causes.
fn in_full(error: anyhow::Error) -> String {
    format!("{error:#}")
}

/// Quicker than anyone can see and close a dialog.
const FASTEST_CANCEL: std::time::Duration = std::time::Duration::from_millis(800);

/// A store that does not answer must not keep a slide closed.
const STORE_ANSWERS: std::time::Duration = std::time::Duration::from_secs(3);

fn open(asked: &std::path::Path, store: Option<&Store>) -> Result<Opened, String> {
    let source = open_argument(asked).map_err(|error| error.to_string())?;
    let pyramid = Arc::new(TilePyramid::new(source.info()));
    let profile = source.info().icc_profile.as_deref();
    let profile =
        profile.map(|bytes| ColourTable::from_icc(bytes).map_err(|error| format!("{error:#}")));
    let records = match store {
        Some(store) => records(store, &source.info().hash),
        None => Ok(SlideRecords::default()),
    };
    Ok(Opened {
        source,
        pyramid,
        profile,
        records,
    })
}

fn records(store: &Store, slide: &SlideHash) -> Result<SlideRecords, String> {
    let answer = store.load(slide.clone()).recv_timeout(STORE_ANSWERS);
    let records = answer.map_err(|error| error.to_string())?;
    records.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_fails_inside_is_told_to_those_who_wait_for_it() {
        let background = Background::new(egui::Context::default());
        let writing = Arc::new(Writing::new("field.png".into(), "drawing"));
        background.export(Arc::clone(&writing), |_| {
            assert!(std::hint::black_box(false), "no device");
            Ok(String::new())
        });
        let event = background.events.recv().unwrap();
        let Event::Exported {
            writing: of,
            result,
        } = event
        else {
            panic!("another event");
        };
        assert!(Arc::ptr_eq(&of, &writing));
        assert!(result.unwrap_err().contains("no device"));
    }
}
