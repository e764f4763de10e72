//! User profiles ([§5.9](crate::protocol#59)).

use serde::{Deserialize, Serialize};

use serde_json::value::RawValue;

use super::{Json, Text};

/// A profile as the platform sends it; its members depend on the dialect and on the requester.
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

impl<'a> UserProfile<'a> {
    /// Parses a profile in either form: an object, or only the list of data that the brand vouched for
    /// ([§5.9](crate::protocol#59)).
    ///
    /// # Errors
    /// The parser's error.
    pub fn read(body: &'a Json<'_>) -> Result<Self, serde_json::Error> {
        #[derive(Serialize)]
        struct Vouched<'b> {
            lp_sdes: Vec<&'b RawValue>,
        }

        let Ok(lp_sdes) = body.read() else { return body.read() };
        let vouched = serde_json::value::to_raw_value(&Vouched { lp_sdes })?;
        Ok(Self { authenticated_data: Some(vouched.into()), ..Self::default() })
    }

    /// An owned copy of the profile.
    #[must_use]
    pub fn into_owned(self) -> UserProfile<'static> {
        let text = |text: Option<Text<'_>>| text.map(|text| Text::from(text.into_owned()));
        UserProfile {
            user_id: text(self.user_id),
            first_name: text(self.first_name),
            last_name: text(self.last_name),
            nick_name: text(self.nick_name),
            avatar_url: text(self.avatar_url),
            role: text(self.role),
            description: text(self.description),
            background_image: text(self.background_image),
            private_data: self.private_data.map(Json::into_owned),
            claims: self.claims.map(Json::into_owned),
            authenticated_data: self.authenticated_data.map(Json::into_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_profile_is_read_in_either_form() {
        let object = Json::from(&json!({ "userId": 7, "firstName": "Ann", "unlisted": true }));
        let profile = UserProfile::read(&object).unwrap().into_owned();
        assert_eq!((profile.user_id.as_deref(), profile.first_name.as_deref()), (Some("7"), Some("Ann")));
        let list = Json::from(&json!([{ "type": "personal", "personal": { "firstname": "Ann" } }]));
        let vouched = UserProfile::read(&list).unwrap().into_owned().authenticated_data.unwrap().to_value();
        assert_eq!(vouched["lp_sdes"][0]["personal"]["firstname"], "Ann");
    }
}
