//! User profiles (§5.9).

use serde::{Deserialize, Serialize};

use super::{Json, Text};

/// A profile as the platform answers it; which members there are depends on the dialect and on who asks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserProfile<'a> {
    /// The user's id: an agent id on a brand socket, a consumer's id on a consumer's.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Text<'a>>,
    /// First name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<Text<'a>>,
    /// Last name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<Text<'a>>,
    /// Name shown to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nick_name: Option<Text<'a>>,
    /// Picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<Text<'a>>,
    /// Role at the brand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Text<'a>>,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Text<'a>>,
    /// Background picture.
    #[serde(rename = "backgndImgUri", default, skip_serializing_if = "Option::is_none")]
    pub background_image: Option<Text<'a>>,
    /// Contact data only the brand sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_data: Option<Json<'a>>,
    /// What the consumer's identity provider vouched for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<Json<'a>>,
    /// What the brand vouched for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authenticated_data: Option<Json<'a>>,
}
