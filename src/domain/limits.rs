//! Every bound of the product, in one place. Lengths are in characters unless a name says bytes.

use std::{num::NonZeroU32, time::Duration};

pub const BODY_BYTES: usize = 4 << 20;
pub const HEADER_BYTES: usize = 64 << 10;
/// How long a client may take to send its request head, and then its whole body.
/// An idle connection may wait as long for its next request.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(75);
pub const BODY_TIMEOUT: Duration = Duration::from_mins(1);

pub const TAGS_PER_INCIDENT: usize = 200;
pub const TAG: usize = 1_000;
pub const DESCRIPTION: usize = 50_000;
pub const URL: usize = 2_048;
pub const SOURCE_INCIDENT_ID: usize = 1_000;
pub const METADATA_BYTES: usize = 1 << 20;
pub const SOURCE_NAME: usize = 1_000;
pub const SOURCE_TYPE_NAME: usize = 1_000;
pub const PERSON_NAME: usize = 150;
pub const EMAIL: usize = 254;
pub const TIMESLOT_NAME: usize = 40;
pub const TIMESLOTS_PER_USER: usize = 1_000;
pub const RECURRENCES_PER_TIMESLOT: usize = 200;
pub const FILTER_NAME: usize = 40;
pub const FILTERS_PER_USER: usize = 1_000;
/// Kept with an event; of the others only their number.
pub const NEAR_MISSES: usize = 64;
pub const PROFILE_NAME: usize = 40;
pub const PROFILES_PER_USER: usize = 1_000;
pub const FILTERS_PER_PROFILE: usize = 200;
pub const DESTINATIONS_PER_PROFILE: usize = 200;
pub const DESTINATIONS_PER_USER: usize = 1_000;
pub const DESTINATION_LABEL: usize = 50;
pub const MAINTENANCE_DESCRIPTION: usize = 255;
/// Of contacts and channels.
pub const FULL_NAME: usize = 1_000;
pub const GROUP_NAME: usize = 1_000;
pub const CONTACT_USERNAME: usize = 254;
pub const GROUPS_PER_CONTACT: usize = 1_000;
pub const ADDRESS: usize = 255;
pub const ORIGIN: usize = 255;
pub const CHANNEL_NAME: usize = 255;
pub const CHANNELS: usize = 1_000;
pub const CHANNEL_CONFIG_BYTES: usize = 64 << 10;
/// Of the filters of the contact API.
pub const FILTER_QUERY_BYTES: usize = 16 << 10;
pub const FILTER_DEPTH: usize = 32;
/// Messages that one summary stands for; more go into the next one.
pub const SUMMARY_MESSAGES: usize = 1_000;
pub const BULK_IDS: usize = 100_000;
pub const ACKS_PER_INCIDENT: usize = 10_000;

pub const PAGE_SIZE_DEFAULT: usize = 100;
/// Larger wishes are cut to this without a word; `next` goes on.
pub const PAGE_SIZE_MAX: usize = 5_000;
/// Values in one list parameter of a query, or in one list of a stored filter.
pub const FILTER_VALUES: usize = 5_000;
pub const SEARCH_WORDS: usize = 32;
pub const SEARCH_TEXT: usize = 1_000;

/// Commands in one commit.
pub const BATCH_COMMANDS: usize = 256;
/// Commands that wait for the writer.
pub const WRITE_QUEUE: usize = 4_096;
/// Password checks that run at once; each takes some 19 MiB and a few dozen milliseconds.
pub const PASSWORD_CHECKS: usize = 2;
/// Password checks that wait for their turn.
pub const PASSWORD_QUEUE: usize = 64;
pub const PASSWORD: usize = 1_024;
/// So many tries in a row, and then one in each interval.
pub const PASSWORD_TRIES_PER_ACCOUNT: NonZeroU32 = NonZeroU32::MIN.saturating_add(29);
pub const PASSWORD_TRY_PER_ACCOUNT_EVERY: Duration = Duration::from_secs(4);
pub const PASSWORD_TRIES_PER_ADDRESS: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);
pub const PASSWORD_TRY_PER_ADDRESS_EVERY: Duration = Duration::from_secs(1);
/// Accounts and addresses whose tries are remembered before the old ones are forgotten.
pub const PASSWORD_TRIES_KEPT: usize = 10_000;
/// How long a password that was sent with a request and found right is believed.
pub const PASSWORD_REMEMBERED_FOR: Duration = Duration::from_mins(1);
pub const PASSWORDS_REMEMBERED: usize = 10_000;
/// Below this much free space on the data file's disk, writes are refused before the disk is full.
pub const FREE_SPACE_BYTES: u64 = 16 << 20;
