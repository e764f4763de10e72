//! Schedules by seed. `TERTULIA_SEED` runs a single one and prints its events; `TERTULIA_SCHEDULES` sets how many run,
//! from 0 on.

use std::time::Instant;

use super::world::World;

/// Schedules of a plain test run.
const SCHEDULES: u64 = 500;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// SB-8 to SB-12: after any schedule exactly the conversations of the subscriptions are held. None of them was ever
/// dropped, and the end of each was reported.
#[test]
fn any_schedule_ends_with_what_the_platform_has() {
    if let Some(seed) = from_environment("TERTULIA_SEED") {
        let mut world = World::new(seed, true);
        let outcome = world.run();
        println!("{}", world.told.unwrap_or_default());
        return outcome.unwrap();
    }
    let (schedules, begun, mut events) =
        (from_environment("TERTULIA_SCHEDULES").unwrap_or(SCHEDULES), Instant::now(), 0);
    for seed in 0..schedules {
        let mut world = World::new(seed, false);
        if let Err(broken) = world.run() {
            panic!("schedule {seed}: {broken}; TERTULIA_SEED={seed} tells all of it");
        }
        events += world.events;
    }
    println!("{schedules} schedules, {events} events in {:?}", begun.elapsed());
}
