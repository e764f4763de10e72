//! What the comments of this workspace cite: the rules of behaviour, by id, and the facts of the protocol, by section.
//!
//! A citation such as `CV-F9` names a rule. A citation such as `§5.7` names a section of the protocol.

pub mod protocol;
pub mod rules;
