//! Memory for the bodies of requests: a limit for all bodies together. A request is refused if no memory is left for
//! its body.

use std::sync::Arc;

use actix_web::http::{StatusCode, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::Problem;

/// The bytes that one permit of the semaphore stands for.
const PLACE: usize = 1024;

/// A limited amount of memory for bodies.
#[derive(Clone)]
pub(super) struct Room(Arc<Semaphore>);

/// The memory that one body uses; dropping it releases the memory.
pub(super) struct Taken {
    room: Arc<Semaphore>,
    bytes: usize,
    places: Option<OwnedSemaphorePermit>,
}

impl Room {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / PLACE)))
    }

    /// Begins a body that uses no memory yet.
    pub(super) fn enter(&self) -> Taken {
        Taken { room: Arc::clone(&self.0), bytes: 0, places: None }
    }
}

impl Taken {
    /// Takes memory for more bytes of the body.
    ///
    /// # Errors
    /// No memory is left. The memory taken so far stays taken.
    pub(super) fn grow(&mut self, more: usize) -> Result<(), Problem> {
        let bytes = self.bytes + more;
        let has = self.places.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let lacking = bytes.div_ceil(PLACE).saturating_sub(has);
        if lacking > 0 {
            let lacking = u32::try_from(lacking).unwrap_or(u32::MAX);
            let places = Arc::clone(&self.room).try_acquire_many_owned(lacking).map_err(|_| full())?;
            match &mut self.places {
                Some(held) => held.merge(places),
                None => self.places = Some(places),
            }
        }
        self.bytes = bytes;
        Ok(())
    }
}

fn full() -> Problem {
    let detail = "the bodies of other requests use all the memory for bodies; try again";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail).header(header::RETRY_AFTER, "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_share_the_memory_and_release_it() {
        let room = Room::new(4 * PLACE);
        let (mut one, mut other) = (room.enter(), room.enter());
        // Many small pieces use as much memory as one large piece.
        assert!((0..PLACE).all(|_| one.grow(3).is_ok()));
        assert!(other.grow(PLACE).is_ok() && other.grow(1).is_err());
        drop(one);
        assert!(other.grow(3 * PLACE).is_ok());
    }
}
