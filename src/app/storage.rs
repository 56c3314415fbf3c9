//! Settings and session on disk: written whole or not at all, and never thrown away unseen.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::session::Session;
use super::settings::Settings;
use super::state::Notice;
use crate::annotate::Store;
use crate::files;

mod saver;

pub use saver::Saver;

/// The environment variable that names another folder for both files.
const FOLDER_VARIABLE: &str = "PARFOCAL_CONFIG_DIR";

const SETTINGS_FILE: &str = "settings.toml";
const SESSION_FILE: &str = "session.toml";

/// So many damaged files are kept side by side.
const MOST_DAMAGED: usize = 100;

/// Everything that is kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Saved {
    /// What the user chose.
    pub settings: Settings,
    /// What is remembered.
    pub session: Session,
}

/// What the program starts with.
pub struct Loaded {
    /// Settings, or their defaults.
    pub settings: Settings,
    /// Session, or an empty one.
    pub session: Session,
    /// What a person should know: which file was damaged and where it is kept now, or why
    /// nothing can be saved.
    pub notice: Option<Notice>,
    /// Writes changes; `None` where nothing can be saved.
    pub saver: Option<Saver>,
    /// Keeps strokes, verdicts, presets and typed scales; `None` where nothing can be kept.
    pub store: Option<Store>,
}

/// Reads the user's settings and session and gets ready to save them.
pub fn load() -> Loaded {
    let (saved, mut notices, saver, store) = match Folder::of_user() {
        Ok(mut folder) => {
            let (saved, notices) = folder.load();
            let store = Store::open(&folder.folder).map_err(anyhow::Error::from);
            (saved, notices, Saver::start(folder), Some(store))
        }
        Err(error) => (Saved::default(), Vec::new(), Err(error), None),
    };
    if let Some(Err(error)) = &store {
        notices.push(format!(
            "Strokes, verdicts and presets can't be kept: {error:#}"
        ));
    }
    if let Err(error) = &saver {
        notices.push(format!("Settings and positions can't be saved: {error:#}"));
    }
    let text = notices.join("\n");
    let notice = (!text.is_empty()).then_some(Notice {
        text,
        is_error: true,
    });
    Loaded {
        settings: saved.settings,
        session: saved.session,
        notice,
        saver: saver.ok(),
        store: store.and_then(Result::ok),
    }
}

/// The folder of both files.
#[derive(Debug, Clone)]
pub struct Folder {
    folder: PathBuf,
    /// Files that could be neither read nor put aside; they are not written over.
    untouchable: Vec<&'static str>,
}

impl Folder {
    /// The user's folder, or the one that `PARFOCAL_CONFIG_DIR` names.
    ///
    /// # Errors
    /// When neither is known.
    pub fn of_user() -> anyhow::Result<Self> {
        if let Some(folder) = std::env::var_os(FOLDER_VARIABLE).filter(|name| !name.is_empty()) {
            return Ok(Self::at(PathBuf::from(folder)));
        }
        let folders = directories::ProjectDirs::from("", "", "parfocal");
        let folders = folders.with_context(|| {
            format!("there is no home folder to keep settings in; set {FOLDER_VARIABLE}")
        })?;
        Ok(Self::at(folders.config_dir().to_path_buf()))
    }

    /// A given folder; it is made when something is saved.
    pub fn at(folder: PathBuf) -> Self {
        Self {
            folder,
            untouchable: Vec::new(),
        }
    }

    /// Reads both files. What is missing is taken as default; what is damaged is put aside under
    /// another name, with a notice.
    pub fn load(&mut self) -> (Saved, Vec<String>) {
        let mut notices = Vec::new();
        let settings: Settings = self.load_file(SETTINGS_FILE, &mut notices);
        let session = self.load_file(SESSION_FILE, &mut notices);
        (
            Saved {
                settings: settings.within_bounds(),
                session,
            },
            notices,
        )
    }

    /// Writes the settings.
    ///
    /// # Errors
    /// When the folder can't be made or the file not be written; the old file is then whole.
    pub fn save_settings(&self, settings: &Settings) -> anyhow::Result<()> {
        self.save(SETTINGS_FILE, settings)
    }

    /// Writes the session.
    ///
    /// # Errors
    /// As [`Self::save_settings`].
    pub fn save_session(&self, session: &Session) -> anyhow::Result<()> {
        self.save(SESSION_FILE, session)
    }

    fn load_file<T: DeserializeOwned + Default>(
        &mut self,
        name: &'static str,
        notices: &mut Vec<String>,
    ) -> T {
        let path = self.folder.join(name);
        let reason = match fs::read_to_string(&path) {
            Ok(text) => match toml::from_str(&text) {
                Ok(value) => return value,
                Err(error) => error.message().to_owned(),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => return T::default(),
            Err(error) => error.to_string(),
        };
        let path_text = path.display();
        let kept = match put_aside(&path) {
            Ok(aside) => format!("It is kept as {}; defaults are used.", aside.display()),
            Err(error) => {
                self.untouchable.push(name);
                format!("It can't be renamed either ({error}), so nothing is saved over it.")
            }
        };
        let notice = format!(
            "{path_text} can't be used: {}. {kept}",
            reason.trim_end_matches('.')
        );
        tracing::warn!("{notice}");
        notices.push(notice);
        T::default()
    }

    fn save(&self, name: &'static str, value: &impl Serialize) -> anyhow::Result<()> {
        if self.untouchable.contains(&name) {
            bail!(
                "{} is damaged and could not be put aside",
                self.folder.join(name).display()
            );
        }
        let text = toml::to_string_pretty(value)?;
        let path = self.folder.join(name);
        write_whole(&path, &text).with_context(|| format!("can't save {}", path.display()))
    }
}

/// Renames a damaged file to the first free `….bad`, `….bad.1` and so on.
fn put_aside(path: &Path) -> io::Result<PathBuf> {
    let candidate = |n: usize| {
        let mut name = OsString::from(path);
        name.push(".bad");
        if n > 0 {
            name.push(format!(".{n}"));
        }
        PathBuf::from(name)
    };
    let free = (0..MOST_DAMAGED)
        .map(candidate)
        .find(|to| fs::symlink_metadata(to).is_err());
    let to = free.ok_or_else(|| io::Error::other("too many damaged files are kept already"))?;
    fs::rename(path, &to)?;
    Ok(to)
}

/// Replaces a file so that a crash at any moment leaves the old or the new one.
fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    files::write_whole(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::settings::Theme;

    fn folder() -> (tempfile::TempDir, Folder) {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path().join("made when needed"));
        (temporary, folder)
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let (_temporary, mut folder) = folder();
        let settings = Settings {
            theme: Theme::Dark,
            tile_cache_mib: Some(512),
            ..Settings::default()
        };
        let mut session = Session::default();
        session.note_opened(Path::new("/slides/a b/ö.svs"));
        folder.save_settings(&settings).unwrap();
        folder.save_session(&session).unwrap();
        assert_eq!(folder.load(), (Saved { settings, session }, Vec::new()));
    }

    #[test]
    fn nothing_on_disk_is_no_trouble() {
        let (_temporary, mut folder) = folder();
        assert_eq!(folder.load(), (Saved::default(), Vec::new()));
    }

    #[test]
    fn a_damaged_file_is_kept_and_told_of() {
        let (_temporary, mut folder) = folder();
        fs::create_dir_all(&folder.folder).unwrap();
        for damage in ["theme = [", "theme = \"purple\""] {
            fs::write(folder.folder.join(SETTINGS_FILE), damage).unwrap();
            let (loaded, notices) = folder.load();
            assert_eq!(loaded, Saved::default());
            assert_eq!(notices.len(), 1, "{notices:?}");
            folder.save_settings(&loaded.settings).unwrap();
        }
        let kept = |name| fs::read_to_string(folder.folder.join(name)).unwrap();
        assert_eq!(kept("settings.toml.bad"), "theme = [");
        assert_eq!(kept("settings.toml.bad.1"), "theme = \"purple\"");
    }

    #[test]
    fn bytes_that_are_no_text_are_damage() {
        let (_temporary, mut folder) = folder();
        fs::create_dir_all(&folder.folder).unwrap();
        fs::write(folder.folder.join(SESSION_FILE), [0xFF, 0xFE, 0]).unwrap();
        assert_eq!(folder.load().1.len(), 1);
        assert!(folder.folder.join("session.toml.bad").exists());
    }

    #[test]
    fn a_failed_save_leaves_no_half_written_file() {
        let (temporary, _) = folder();
        let blocked = temporary.path().join("a file");
        fs::write(&blocked, "").unwrap();
        let folder = Folder::at(blocked.join("below a file"));
        let error = folder.save_settings(&Settings::default()).unwrap_err();
        assert!(error.to_string().contains(SETTINGS_FILE), "{error}");
    }

    #[test]
    fn values_that_make_no_sense_are_put_right() {
        let (_temporary, mut folder) = folder();
        fs::create_dir_all(&folder.folder).unwrap();
        let text = "tile_cache_mib = 0\nreaders = 0\n[display]\ncontrast = nan\ngamma = -3.0\n";
        fs::write(folder.folder.join(SETTINGS_FILE), text).unwrap();
        let settings = folder.load().0.settings;
        assert_eq!(
            settings.display,
            crate::gpu::DisplayAdjust {
                gamma: 0.2,
                ..Default::default()
            }
        );
        assert!(settings.readers >= Some(1) && settings.tile_cache_mib >= Some(64));
    }
}
