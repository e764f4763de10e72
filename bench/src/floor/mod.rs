//! The least that receiving costs: sockets of `awc` without anything above them, which read the frames of a load run and
//! drop them.

mod counts;
mod socket;

use std::{num::NonZeroU32, sync::Arc, thread::available_parallelism, time::Instant};

use actix_rt::Arbiter;
use tertulia_actors::platform::{Pace, Platform as Service, PlatformSettings};

use crate::{
    load::{CONVERSATIONS_PER_BOT, FLOOD, OPENINGS, WAVE, bots_of},
    platform::{Order, Platform},
    process::processor_time,
    report::Floor,
};

use counts::Counts;
use socket::Bot;

/// Holds as many conversations as a load run, and reads the same messages at full speed. The sockets are on as many
/// threads as the connections of a load run. The time of every step is limited.
pub(crate) async fn run(conversations: u32) -> anyhow::Result<Floor> {
    let bots = conversations.div_ceil(CONVERSATIONS_PER_BOT);
    let mut stand_in = Platform::start(bots).await?;
    let pace = NonZeroU32::MAX;
    let service = Service::new(PlatformSettings {
        discovery: stand_in.ready.discovery.clone(),
        authorities: vec![stand_in.ready.authority.clone()],
        pace: Pace { logins_per_account: pace, logins: pace, connects: pace, ..Pace::default() },
        ..PlatformSettings::default()
    })?;
    let counts = Arc::new(Counts::default());
    let threads: Vec<Arbiter> = (0..available_parallelism()?.get()).map(|_| Arbiter::new()).collect();
    for (name, thread) in bots_of(bots).zip(threads.iter().cycle()) {
        let account = stand_in.ready.account.as_str().into();
        let bot = Bot { service: Arc::clone(&service), account, name, counts: Arc::clone(&counts) };
        thread.spawn_fn(move || drop(actix_rt::spawn(bot.serve())));
    }
    counts.subscribed(bots).await?;

    stand_in.carry_out(Order::Open { conversations, rate: OPENINGS }).await?;
    counts.accepted(conversations).await?;

    let (used, before, begun) = (processor_time()?, counts.frames(), Instant::now());
    for _ in 0..FLOOD / WAVE {
        let messages = counts.messages() + WAVE;
        stand_in.carry_out(Order::Say { messages: WAVE, rate: 0 }).await?;
        counts.heard(messages).await?;
    }
    let (took, frames) = (begun.elapsed(), counts.frames() - before);
    let used = processor_time()?.saturating_sub(used);
    for thread in threads {
        thread.stop();
    }
    Ok(Floor {
        notifications_per_second: f64::from(frames) / took.as_secs_f64(),
        processor_micros_per_notification: used.as_secs_f64() * 1e6 / f64::from(frames.max(1)),
        notifications_per_message: f64::from(frames) / f64::from(FLOOD),
    })
}
