//! What the wire model promises: frames survive a round trip, looseness is read, nothing panics.

mod any_input;
mod generate;
mod generate_requests;
mod leniency;

mod refusals;
mod repeated_frames;
mod round_trips;
