//! `/openapi.json`: the interface as OpenAPI 3.1, collected from the handlers, and the responses for unknown paths and
//! methods.

#[cfg(test)]
mod classes;
mod document;
mod events;
mod finish;
mod gather;

pub(super) use document::{Document, elsewhere, serve};
pub(super) use gather::gather;
