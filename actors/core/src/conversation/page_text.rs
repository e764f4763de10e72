//! Members of a conversation as text.

use serde::Serialize;
use serde_json::value::RawValue;

/// Members of a conversation under their names on the class page, as the text of a JSON object.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = Object))]
pub struct PageText(Box<RawValue>);

impl PageText {
    /// The text, for `serde_json::from_str`.
    #[must_use]
    pub fn get(&self) -> &str {
        self.0.get()
    }
}

impl From<Box<RawValue>> for PageText {
    fn from(text: Box<RawValue>) -> Self {
        Self(text)
    }
}
