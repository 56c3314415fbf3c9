//! Parfocal: a whole-slide viewer whose overlay stays in focus when the magnification changes.
//!
//! Data flows one way through the rooms: `geometry` ← `slide` ← `labels` ← `annotate`, and `slide` ←
//! `tiles` ← `gpu` ← `app`, `cli`, and `slide`, `labels`, `model` ← `segment`, `learn` ← `jobs` ← `app`,
//! `cli`. `files` serves all of them.

pub mod annotate;
pub mod app;
pub mod cli;
pub mod files;
pub mod geometry;
pub mod gpu;
pub mod jobs;
pub mod labels;
pub mod learn;
pub mod model;
pub mod segment;
pub mod slide;
pub mod tiles;
