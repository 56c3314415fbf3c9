//! A screen of its own for a test: Xvfb, what is shown on it, and hands to drive it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{ConnectionExt as _, ImageFormat};
use x11rb::rust_connection::RustConnection;

/// Size of the screen, px: larger than the window's default, so that all of it is seen.
const SIZE: (u16, u16) = (1300, 900);

/// Software rendering on a busy machine is slow; a missing picture is still found out.
const PATIENCE: Duration = Duration::from_secs(60);

/// Half the side of the square that is compared, px.
const HALF: i32 = 130;

/// A program that ends with the test.
pub struct Running(Child);

impl Running {
    /// The exit code, once it has ended by itself.
    pub fn exit_code(&mut self) -> Option<i32> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if let Some(status) = self.0.try_wait().expect("its end can be waited for") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the program goes on after {PATIENCE:?}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An X server without a monitor.
pub struct Screen {
    display: String,
    connection: RustConnection,
    root: u32,
    _server: Running,
}

impl Screen {
    /// Starts an X server on a display that is free.
    pub fn start() -> Self {
        let (width, height) = SIZE;
        let size = format!("{width}x{height}x24");
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", &size, "-nolisten", "tcp"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb is missing: run `make setup`");
        let mut number = String::new();
        let out = server.stdout.take().expect("stdout is piped");
        BufReader::new(out)
            .read_line(&mut number)
            .expect("Xvfb says which display it serves");
        let display = format!(":{}", number.trim());
        let (connection, index) =
            RustConnection::connect(Some(&display)).expect("the screen answers");
        let root = connection.setup().roots[index].root;
        Self {
            display,
            connection,
            root,
            _server: Running(server),
        }
    }

    /// Starts the program with a slide and gives its window the keyboard.
    pub fn run(&self, slide: &Path, settings: &Path) -> Running {
        self.run_with(&[], slide, settings)
    }

    /// As [`Self::run`], with more arguments.
    pub fn run_with(&self, args: &[&str], slide: &Path, settings: &Path) -> Running {
        let program = Command::new(env!("CARGO_BIN_EXE_parfocal"))
            .args(args)
            .arg(slide)
            .env("DISPLAY", &self.display)
            .env("PARFOCAL_CONFIG_DIR", settings)
            .env_remove("WAYLAND_DISPLAY")
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let running = Running(program);
        self.focus();
        running
    }

    /// Gives the program's window the keyboard, as soon as there is one.
    pub fn focus(&self) {
        self.xdotool(&[
            "search",
            "--sync",
            "--onlyvisible",
            "--name",
            "Parfocal",
            "windowfocus",
        ]);
    }

    /// Presses keys and moves the pointer.
    pub fn xdotool(&self, args: &[&str]) {
        let limit = PATIENCE.as_secs().to_string();
        let status = Command::new("timeout")
            .args([limit.as_str(), "xdotool"])
            .args(args)
            .env("DISPLAY", &self.display)
            .stdout(Stdio::null())
            .status()
            .expect("xdotool is missing: run `make setup`");
        assert!(status.success(), "xdotool {args:?}");
    }

    /// Clicks with the left button, slowly: what happens within one slow frame is taken to be where
    /// the pointer is at its end.
    pub fn click(&self, (x, y): (i32, i32)) {
        let (x, y) = (x.to_string(), y.to_string());
        self.xdotool(&["mousemove", &x, &y, "sleep", "0.3", "mousedown", "1"]);
        self.xdotool(&["sleep", "0.3", "mouseup", "1", "sleep", "0.3"]);
    }

    /// Drags with the left button in small steps and rests before letting go: long enough for frames of
    /// half a second.
    pub fn drag(&self, from: (i32, i32), by: (i32, i32)) {
        self.move_held(from, by, "1.2");
    }

    /// The same, let go in motion.
    pub fn throw(&self, from: (i32, i32), by: (i32, i32)) {
        self.move_held(from, by, "0");
    }

    fn move_held(&self, from: (i32, i32), by: (i32, i32), rest_s: &str) {
        const PARTS: i32 = 10;
        let place = |part: i32| {
            let to = (from.0 + by.0 * part / PARTS, from.1 + by.1 * part / PARTS);
            ["mousemove".to_owned(), to.0.to_string(), to.1.to_string()]
        };
        let words = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
        let mut steps = place(0).to_vec();
        steps.extend(words("mousedown 1"));
        for part in 1..=PARTS {
            steps.extend(words("sleep 0.05"));
            steps.extend(place(part));
        }
        steps.extend(words(&format!("sleep {rest_s} mouseup 1")));
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        self.xdotool(&steps);
    }

    /// The picture once it is as wanted and has stopped changing.
    pub fn settled(&self, what: &str, wanted: impl Fn(&Picture) -> bool) -> Picture {
        self.settled_for(Duration::from_millis(400), what, wanted)
    }

    /// The same once nothing has changed for so long: where a step of the work takes a while, a
    /// short rest is no end.
    pub fn settled_for(
        &self,
        rest: Duration,
        what: &str,
        wanted: impl Fn(&Picture) -> bool,
    ) -> Picture {
        let started = Instant::now();
        let (mut before, mut since) = (self.picture(), Instant::now());
        loop {
            std::thread::sleep(Duration::from_millis(200));
            let now = self.picture();
            if now.data != before.data {
                since = Instant::now();
            }
            if since.elapsed() >= rest && wanted(&now) {
                return now;
            }
            if started.elapsed() > PATIENCE {
                let path = std::env::temp_dir().join("parfocal-window-test.png");
                now.save(&path);
                panic!(
                    "{what}: not seen within {PATIENCE:?}; the screen is in {}",
                    path.display()
                );
            }
            before = now;
        }
    }

    /// What is shown now.
    pub fn picture(&self) -> Picture {
        let (width, height) = SIZE;
        let image = self
            .connection
            .get_image(ImageFormat::Z_PIXMAP, self.root, 0, 0, width, height, !0)
            .expect("the screen can be read")
            .reply()
            .expect("the screen can be read");
        Picture { data: image.data }
    }
}

/// What the screen shows: rows of BGRX.
pub struct Picture {
    data: Vec<u8>,
}

impl Picture {
    /// A colour, sRGB.
    pub fn rgb(&self, x: i32, y: i32) -> [u8; 3] {
        let at = (y as usize * usize::from(SIZE.0) + x as usize) * 4;
        [self.data[at + 2], self.data[at + 1], self.data[at]]
    }

    /// Number of different colours in a square around a point.
    pub fn colours_around(&self, (x, y): (i32, i32)) -> usize {
        let square = (-HALF..HALF).flat_map(|dy| (-HALF..HALF).map(move |dx| (dx, dy)));
        let colours: std::collections::HashSet<_> =
            square.map(|(dx, dy)| self.rgb(x + dx, y + dy)).collect();
        colours.len()
    }

    /// Mean absolute difference in grey levels, in a square around a point, to `other` moved by
    /// `by`.
    pub fn difference(&self, other: &Self, (x, y): (i32, i32), by: (i32, i32)) -> f64 {
        let mut sum = 0;
        for dy in -HALF..HALF {
            for dx in -HALF..HALF {
                let own = self.rgb(x + dx, y + dy);
                let theirs = other.rgb(x + dx - by.0, y + dy - by.1);
                sum += own
                    .iter()
                    .zip(theirs)
                    .map(|(a, b)| u32::from(a.abs_diff(b)))
                    .sum::<u32>();
            }
        }
        f64::from(sum) / f64::from(12 * HALF * HALF)
    }

    fn save(&self, path: &Path) {
        let rgb = self
            .data
            .chunks_exact(4)
            .flat_map(|p| [p[2], p[1], p[0]])
            .collect();
        let image = image::RgbImage::from_raw(SIZE.0.into(), SIZE.1.into(), rgb)
            .expect("the screen's size");
        image.save(path).expect("the picture can be kept");
    }
}
