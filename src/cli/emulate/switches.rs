//! A flag for each point at which the platform's documents are open or accounts differ.

use tertulia_emulator::{HistoryBound, HistoryReaders, StateCloseSurvey, Switches};

/// How the platform behaves where its documents leave it open
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Switches of the protocol")]
pub struct SwitchOptions {
    /// Whether a history begins with the record that newerThanSequence names, or after it
    #[arg(long, value_name = "BOUND", default_value = "inclusive")]
    pub history_bound: Bound,
    /// Which agents may read the history of a conversation that they take no part in; the administrators are managers
    #[arg(long, value_name = "WHO", default_value = "managers")]
    pub history_readers: Readers,
    /// Leave the sockets of a user open when that user logs in again; the platform closes them with 4401
    #[arg(long)]
    pub keep_earlier_sessions: bool,
    /// List a suggested agent in participantsDetails only, not in the maps of participants
    #[arg(long)]
    pub suggested_in_details_only: bool,
    /// Before the DELETE, send the closing state to subscriptions to open conversations
    #[arg(long)]
    pub close_upsert_before_delete: bool,
    /// Refuse subscriptions to the messages of a closed conversation
    #[arg(long)]
    pub refuse_closed_message_subscription: bool,
    /// Whose ConversationStateField CLOSE opens a survey; needs --survey
    #[arg(long, value_name = "WHOSE", default_value = "consumer")]
    pub state_close_survey: Closing,
}

/// Whether the answer includes the record at its lower bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Bound {
    /// The answer includes the named record
    Inclusive,
    /// The answer begins after the named record
    Exclusive,
}

/// Who reads histories of others' conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Readers {
    /// Nobody; an agent must take part
    Participants,
    /// Administrators
    Managers,
    /// Every agent
    Everybody,
}

/// Whose close opens a survey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Closing {
    /// Only a consumer's close
    Consumer,
    /// Every close
    Everybody,
    /// No close by state; a DialogChange still opens a survey
    Nobody,
}

impl From<&SwitchOptions> for Switches {
    fn from(options: &SwitchOptions) -> Self {
        Self {
            suggested_in_maps: !options.suggested_in_details_only,
            close_upsert_before_delete: options.close_upsert_before_delete,
            refuse_closed_message_subscription: options.refuse_closed_message_subscription,
            history_bound: match options.history_bound {
                Bound::Inclusive => HistoryBound::Inclusive,
                Bound::Exclusive => HistoryBound::Exclusive,
            },
            history_readers: match options.history_readers {
                Readers::Participants => HistoryReaders::Participants,
                Readers::Managers => HistoryReaders::Managers,
                Readers::Everybody => HistoryReaders::Everybody,
            },
            state_close_survey: match options.state_close_survey {
                Closing::Consumer => StateCloseSurvey::ByConsumer,
                Closing::Everybody => StateCloseSurvey::Always,
                Closing::Nobody => StateCloseSurvey::Never,
            },
            login_closes_sockets: !options.keep_earlier_sessions,
        }
    }
}
