//! A tool: one endpoint of the interface, described for a model.

use std::sync::Arc;

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Map, Value, json};

use super::{
    argument::{Argument, Place},
    interface::{Acting, Call},
};
use crate::percent::encoded;

/// A row of the table of tools.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    /// The name for people.
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    pub(super) effect: Effect,
    /// The path of the endpoint; `{name}` stands for an argument.
    pub(super) path: &'static str,
    pub(super) arguments: &'static [Argument],
    /// Of these arguments a call needs at least one. Not in the schema, because many clients accept no alternatives
    /// there.
    pub(super) one_of: &'static [&'static str],
    /// Members of the body that are the same in every call.
    pub(super) fixed: &'static [(&'static str, Value)],
}

/// What a call does to a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing.
    Reads,
    /// It adds something, once more with each call.
    Adds,
    /// It takes the conversation from somebody, once more with each call.
    Transfers,
    /// It ends the conversation. To end it again changes nothing.
    Ends,
}

impl Row {
    /// Whether a call needs a token of scope `write`.
    pub(super) fn acts(&self) -> bool {
        self.effect != Effect::Reads
    }

    /// The tool as a client lists it.
    pub(super) fn tool(&self) -> Tool {
        let (reads, ends) = (self.effect == Effect::Reads, self.effect == Effect::Ends);
        let destroys = ends || self.effect == Effect::Transfers;
        let hints = ToolAnnotations::with_title(self.title)
            .read_only(reads)
            .destructive(destroys)
            .idempotent(reads || ends)
            .open_world(true);
        Tool::new(self.name, self.description, Arc::new(self.schema())).with_title(self.title).with_annotations(hints)
    }

    fn schema(&self) -> JsonObject {
        let properties: Map<String, Value> =
            self.arguments.iter().map(|argument| (argument.name.to_owned(), argument.schema())).collect();
        let required: Vec<&str> =
            self.arguments.iter().filter(|argument| argument.is_required).map(|argument| argument.name).collect();
        let mut schema = Map::new();
        schema.insert("type".to_owned(), "object".into());
        schema.insert("properties".to_owned(), properties.into());
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        schema.insert("additionalProperties".to_owned(), false.into());
        schema
    }

    /// The call for `arguments`. `new_key` is the key of an action whose caller gave none.
    ///
    /// # Errors
    /// What is wrong with the arguments.
    pub(super) fn call(
        &self,
        arguments: &Map<String, Value>,
        new_key: impl FnOnce() -> String,
    ) -> Result<Call, String> {
        let names = || self.arguments.iter().map(|argument| argument.name);
        if let Some(unknown) = arguments.keys().find(|given| !names().any(|name| name == *given)) {
            let known = names().collect::<Vec<_>>().join(", ");
            return Err(format!("there is no argument {unknown}; the arguments are {known}"));
        }
        let (mut path, mut query, mut key) = (self.path.to_owned(), Vec::new(), None);
        let mut body: Map<String, Value> =
            self.fixed.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        for argument in self.arguments {
            let Some(value) = argument.read(arguments)? else { continue };
            let name = argument.name;
            let text = || value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            match argument.place {
                Place::Path => path = path.replace(&format!("{{{name}}}"), &encoded(&text())),
                Place::Query => query.push(format!("{name}={}", encoded(&text()))),
                Place::Key => key = Some(text()),
                Place::Body => drop(body.insert(name.to_owned(), value)),
            }
        }
        let is_given = |name: &&str| arguments.get(*name).is_some_and(|value| !value.is_null());
        if !self.one_of.is_empty() && !self.one_of.iter().any(is_given) {
            return Err(format!("one of the arguments {} is needed", self.one_of.join(", ")));
        }
        if !query.is_empty() {
            path = format!("{path}?{}", query.join("&"));
        }
        let acting = self.acts().then(|| Acting { body: body.into(), key: key.unwrap_or_else(new_key) });
        Ok(Call { path, acting })
    }
}
