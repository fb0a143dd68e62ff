//! HTTP errors of channel operations.

use super::ApiError;
use crate::domain::limits;
use crate::service::ChannelRefusal;

impl From<ChannelRefusal> for ApiError {
    fn from(refusal: ChannelRefusal) -> Self {
        use ChannelRefusal as R;
        match refusal {
            R::BadName => Self::field("name", format!("Must have 1 to {} characters.", limits::NAME)),
            R::BadType => Self::field("type", "A type is made of letters, digits, - and _."),
            R::BadConfig(_) => Self::field("config", "Must be a JSON object."),
            R::LongConfig => Self::field("config", format!("May have at most {} bytes.", limits::CHANNEL_CONFIG_BYTES)),
            R::BadSetting(bad) => Self::field("config", bad.to_string()),
            R::UuidTaken => Self::field("uuid", "A channel with this UUID already exists."),
            R::NameTaken => Self::field("name", "A channel with this name already exists."),
            R::TooMany => Self::list(format!("Not created: {refusal}.")),
            R::InUse => Self::list(
                "Cannot delete this channel since it is the default of contacts. Give them another one first.",
            ),
            R::TypeInUse => Self::non_field(
                "The channel is the default of contacts, who may have no address for it then. Give them another channel \
                 first.",
            ),
        }
    }
}
