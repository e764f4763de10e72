//! Placeholder.
pub mod supervision;
