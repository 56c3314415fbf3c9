//! Learning: data, losses, training and what is measured of it.

pub mod adam;
pub mod embed;
pub mod eval_mad;
pub mod mad;
pub mod metrics;
pub mod probe;
pub mod rank;
pub mod sampling;
pub mod speed;
pub mod split_pass;
pub mod values;
