//! `--faults`: how badly the platform stand-in behaves.

/// How badly the platform stand-in behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Faults {
    /// As documented
    None,
    /// Like a platform on a bad day: dropped sockets, delays, duplicates, throttling
    Flaky,
    /// Everything that can go wrong does
    Hostile,
}
