//! Learning: data, losses, training and what is measured of it.

pub mod adam;
pub mod ahead;
pub mod bench_dfa;
pub mod checkpoint;
pub mod dfa;
pub mod embed;
pub mod eval_dfa;
pub mod eval_mad;
pub mod log;
pub mod mad;
pub mod metrics;
pub mod probe;
pub mod rank;
pub mod report;
pub mod run_folder;
pub mod sampling;
pub mod schedule;
pub mod seg_metrics;
pub mod sets;
pub mod speed;
pub mod split_pass;
pub mod statistics;
pub mod tune_bias;
pub mod values;
