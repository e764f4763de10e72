//! The rules of commands, one test each.

mod closing;
mod effect;
mod fields;
mod history;
mod keys;
mod limits;
mod names;
mod note;
mod participation;
mod receipts;
mod scene;
mod sends;
mod transfer;
