//! Placeholder until the vectors are there.
