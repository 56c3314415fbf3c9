//! Learning: data, losses, training and what is measured of it.
