//! Metrics of this node among others.

use prometheus_client::{
    metrics::{
        counter::Counter,
        family::Family,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use tertulia_actors::metrics::Latency;

use super::{DutyMove, MoveCause};

/// The cause of a move, as a label.
type Causes = Family<[(&'static str, &'static str); 1], Counter>;

/// Metrics of this node among others.
#[derive(Debug)]
pub struct ClusterMetrics {
    /// The durations of answered beats.
    pub(super) beats: Latency,
    /// The silent nodes that this node has fenced.
    pub(super) fenced: Counter,
    takeovers: Causes,
    takeover_seconds: Histogram,
    handover_seconds: Histogram,
}

/// Buckets from a tenth of a second to seven minutes: a lease is up to two minutes long.
fn long_times() -> Histogram {
    Histogram::new(exponential_buckets(0.1, 2.0, 13))
}

impl Default for ClusterMetrics {
    fn default() -> Self {
        let takeovers = Causes::default();
        // Counters that exist from the start, so that their first increase is visible.
        for cause in MoveCause::ALL {
            drop(takeovers.get_or_create(&[("cause", cause.word())]));
        }
        Self {
            beats: Latency::default(),
            fenced: Counter::default(),
            takeovers,
            takeover_seconds: long_times(),
            handover_seconds: long_times(),
        }
    }
}

impl ClusterMetrics {
    /// Registers all metrics in `registry`.
    pub fn register(&self, registry: &mut Registry) {
        let Self { beats, fenced, takeovers, takeover_seconds, handover_seconds } = self;
        let help = "Duration of a beat: the time from its request to the database to the answer";
        registry.register("beat_seconds", help, beats.clone());
        registry.register("fenced", "Silent nodes that this node has fenced", fenced.clone());
        registry.register("takeovers", "Duties that this node has taken, by cause", takeovers.clone());
        let help = "Time from the last sign of life of a lost node to the taking of its duty by this node";
        registry.register("takeover_seconds", help, takeover_seconds.clone());
        let help = "Time from the decision that a duty is to come to this node, as this node saw it, to its taking";
        registry.register("handover_seconds", help, handover_seconds.clone());
    }

    /// Counts a move to this node.
    pub(super) fn moved(&self, made: &DutyMove) {
        self.takeovers.get_or_create(&[("cause", made.cause.word())]).inc();
        let Some(took) = made.took.map(|took| took.as_secs_f64()) else { return };
        match made.cause {
            MoveCause::NodeLost => self.takeover_seconds.observe(took),
            MoveCause::Drained | MoveCause::HandedOver => self.handover_seconds.observe(took),
            MoveCause::First | MoveCause::Free => {}
        }
    }
}
