//! Parfocal: a whole-slide viewer whose overlay stays in focus when the magnification changes.
//!
//! Data flows one way through the rooms: `geometry` ← `slide` ← `tiles` ← `gpu` ← `app`, `cli`.

pub mod app;
pub mod cli;
pub mod geometry;
pub mod gpu;
pub mod slide;
pub mod tiles;
