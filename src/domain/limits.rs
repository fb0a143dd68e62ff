//! Every bound of the product, in one place. Lengths are in characters unless a name says bytes.

use std::{num::NonZeroU32, ops::RangeInclusive, time::Duration};

/// Batches of changes that are kept for pages that were away for a moment.
pub const LIVE_KEPT: usize = 2_000;

/// Changed incidents in all these batches together; beyond that the oldest batches are dropped.
pub const LIVE_CHANGES: usize = 50_000;

/// Estimated bytes of all these batches together; beyond that the oldest batches are dropped.
pub const LIVE_BYTES: usize = 32 << 20;

/// Estimated bytes of the incidents that are pushed together; beyond that pages are told to reload.
pub const LIVE_UPDATE_BYTES: usize = 4 << 20;

/// Time between two pushes to one page; changes in between are pushed together.
pub const LIVE_EVERY: Duration = Duration::from_millis(250);

/// A page that got nothing else for so long gets a sign of life, and its session is looked at again.
pub const LIVE_ALIVE: Duration = Duration::from_secs(15);

/// A page that gets nothing for so long, not even a sign of life, opens its stream again.
pub const LIVE_SILENCE: Duration = Duration::from_secs(40);

/// Moments at which incidents change by the clock alone that are kept in memory; later ones are looked up again.
pub const LIVE_MOMENTS: usize = 20_000;

/// How often the time of day is looked at for such moments; it may have been set.
pub const LIVE_CLOCK_EVERY: Duration = Duration::from_secs(1);

/// Least time between two requests to reload a list that shows a time frame or durations.
pub const LIVE_FRAME_EVERY: Duration = Duration::from_secs(10);

/// Pages that are pushed to at once.
pub const LIVE_STREAMS: usize = 5_000;

/// Pages of one user that are pushed to at once.
pub const LIVE_STREAMS_PER_USER: usize = 100;

/// Bytes of one push to one page; beyond that the page is told to reload.
pub const LIVE_PUSH_BYTES: usize = 256 << 10;

/// Bytes of rows that wait to be read by their clients, all pages together; beyond that pages are told to reload.
pub const LIVE_UNSENT_BYTES: usize = 64 << 20;

/// Searches for pages whose view has search words that run at once; others wait.
pub const LIVE_SEARCHES: usize = 2;

/// Views of one stream: tabs of one browser.
pub const LIVE_VIEWS: usize = 40;

/// Incidents that are pushed at once; beyond that pages are told to look at everything anew.
pub const LIVE_ROWS: usize = 250;

/// Incidents in one transaction of a bulk change, from a page or over the API.
pub const WORK_SLICE: usize = 500;

/// Upper bound on rows of the agenda that one command carries out.
pub const TASKS_PER_COMMAND: usize = 500;

/// Characters of all events together that one transaction of a bulk change adds.
pub const WORK_SLICE_TEXT: usize = 1 << 20;

/// Bulk changes of pages whose progress is kept, all users together and of one user.
pub const WORK_KEPT: usize = 200;
pub const WORK_KEPT_PER_USER: usize = 20;

/// Bulk changes of more incidents than one transaction holds that run at once, all users together and of one user.
pub const BULKS: usize = 32;
pub const BULKS_PER_USER: usize = 4;

/// Characters of all events together that one bulk change adds.
pub const BULK_TEXT: usize = 64 << 20;

/// How long a bulk change of a page can be undone.
pub const UNDO_FOR: Duration = Duration::from_mins(1);

/// Bytes that are kept to undo bulk changes, all users together; what does not fit cannot be undone.
pub const UNDO_BYTES: usize = 64 << 20;

/// Characters of what a token is for.
pub const TOKEN_NOTE: usize = 100;

/// Tokens of one user that were made by hand and have not expired; more are refused.
pub const TOKENS_PER_USER: usize = 100;
/// Login tokens of one user; the next one replaces the oldest.
pub const LOGIN_TOKENS_PER_USER: usize = 1_000;
/// Browsers in which one user is logged in; the next one replaces the oldest.
pub const SESSIONS_PER_USER: usize = 100;

/// How long a browser stays logged in without being used (contract section 2.1).
pub const SESSION_LIFE: Duration = Duration::from_hours(14 * 24);

/// Time between two writes that extend a session in use.
pub const SESSION_EXTENDED_EVERY: Duration = Duration::from_hours(24);

/// How long one stream of live changes lasts. The browser opens the next one, which extends the session and its cookie.
pub const LIVE_STREAM_LIFE: Duration = Duration::from_hours(24);

/// Characters of the view that a user had last, as an address's query.
pub const LAST_VIEW: usize = 2_000;
/// How long a browser keeps that view; browsers keep no cookie for longer.
pub const LAST_VIEW_LIFE: Duration = Duration::from_hours(400 * 24);

pub const BODY_BYTES: usize = 4 << 20;
/// Request line and headers together.
pub const HEADER_BYTES: usize = 32 << 10;
/// How long a client may take to send its request head, and then its whole body.
/// An idle connection may wait as long for its next request.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(75);
pub const BODY_TIMEOUT: Duration = Duration::from_mins(1);
/// Body of a request to an endpoint that needs no credentials, such as the login page.
pub const ANONYMOUS_BODY_BYTES: usize = 8 << 10;
/// Memory for all request bodies that are being received, parsed or carried out, all connections together.
pub const BODIES_BYTES: usize = 64 << 20;
/// Bodies up to this size may use all of that memory; larger ones leave a part of it to them.
pub const SMALL_BODY_BYTES: usize = 16 << 10;
pub const LARGE_BODIES_BYTES: usize = 56 << 20;
/// Of that memory for the requests of one user, or of one address that sends no credentials.
pub const BODIES_BYTES_PER_HOLDER: usize = 32 << 20;
/// Estimated memory for the parsed form of one body, such as a hundred thousand numbers in a list.
pub const PARSED_BODY_BYTES: usize = 24 << 20;
/// After which a client may try again whose body was refused because there were too many others.
pub const BODY_RETRY_AFTER: Duration = Duration::from_secs(2);
/// Larger requests are carried out to their end, and count until then, even if the client hangs up.
pub const CANCELLED_BODY_BYTES: u64 = 1 << 10;
/// Connections at once whose request heads are larger than the first read of 8 KiB.
pub const LARGE_HEADS: usize = 512;
/// One address may have this part of all connections, or the second number if that is more; trusted proxies may have all.
pub const CONNECTION_SHARE_PER_ADDRESS: usize = 4;
pub const CONNECTIONS_PER_ADDRESS: usize = 1_000;
/// Administrative commands at once over the socket beside the data file.
pub const ADMIN_CONNECTIONS: usize = 64;
pub const ADMIN_REQUEST_BYTES: u64 = 4 << 20;
/// How long the command line may take to send its command, and to take each line of the answer.
pub const ADMIN_TIMEOUT: Duration = Duration::from_secs(30);

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
/// A secret or a token in a destination's settings.
pub const DESTINATION_SECRET: usize = 1_024;
/// As people write them; stored are 15 digits at most.
pub const PHONE_NUMBER: usize = 64;
pub const MAINTENANCES: usize = 10_000;
pub const FILTERS_PER_MAINTENANCE: usize = 200;
/// So long after its end planned maintenance can still be changed (contract section 18).
pub const MAINTENANCE_EDITABLE_FOR: Duration = Duration::from_hours(12);
pub const MAINTENANCE_DESCRIPTION: usize = 255;
/// Of contacts and channels.
pub const FULL_NAME: usize = 1_000;
pub const GROUP_NAME: usize = 1_000;
pub const CONTACT_USERNAME: usize = 254;
pub const GROUPS_PER_CONTACT: usize = 1_000;
pub const ADDRESS: usize = 255;
pub const ORIGIN: usize = 255;
pub const RULE_NAME: usize = 255;
pub const RULES: usize = 1_000;
pub const FILTERS_PER_RULE: usize = 200;
pub const RECIPIENTS_PER_RULE: usize = 1_000;
/// Contacts that rules tell of one event, each over each channel; the others are counted, and reported.
pub const CALLS_PER_EVENT: usize = 10_000;
/// So many are looked at for that.
pub const WAYS_PER_EVENT: usize = 100_000;
pub const CHANNEL_NAME: usize = 255;
pub const CHANNELS: usize = 1_000;
pub const CHANNEL_CONFIG_BYTES: usize = 64 << 10;
/// One of them; addresses of web servers have a bound of their own.
pub const CHANNEL_SETTING: usize = 4_096;
pub const CHANNEL_HEADERS: usize = 20;
/// Of the filters of the contact API.
pub const FILTER_QUERY_BYTES: usize = 16 << 10;
pub const FILTER_DEPTH: usize = 32;
/// Messages to one destination that are on their way at once, and to all destinations of one medium or contacts of one channel.
pub const LANE_WINDOW: usize = 4;
pub const MEDIUM_WINDOW: usize = 32;
/// Before the second attempt of a message; doubled from then on, up to the second one.
pub const RETRY_FIRST_MICROS: i64 = 10_000_000;
pub const RETRY_MAX_MICROS: i64 = 15 * 60_000_000;
/// Delays are spread by a fifth in either direction, so no message waits longer.
pub const RETRY_LONGEST_WAIT_MICROS: i64 = RETRY_MAX_MICROS / 5 * 6;
/// For which a message waits at most because the provider asked for it (`Retry-After`).
pub const RETRY_AFTER_MAX_MICROS: i64 = 60 * 60_000_000;
/// For which a message that was stored is tried at least, however old it seems to be: the clock may be wrong.
pub const RETRY_TIME_LEFT_MICROS: i64 = 60 * 60_000_000;
/// For which a destination is left alone after a failure; the same way.
pub const LANE_BACKOFF_FIRST_MICROS: i64 = 5_000_000;
pub const LANE_BACKOFF_MAX_MICROS: i64 = 5 * 60_000_000;
/// A message that leaves so much later than it was decided says so.
pub const LATE_MICROS: i64 = 5 * 60_000_000;
/// Events that a summary tells one by one.
pub const SUMMARY_NOTICES: usize = 50;
/// Messages that one summary stands for; more go into the next one.
pub const SUMMARY_MESSAGES: usize = 1_000;
/// Contacts that an incident about a channel names; each of them begins a new one.
pub const CONTACTS_NAMED: usize = 5;
/// Seconds within which a source that is watched has to show a sign of life.
pub const HEARTBEAT_FREQUENCY: RangeInclusive<u32> = 60..=86_400;
/// So much later it is missed.
pub const HEARTBEAT_GRACE_MICROS: i64 = 10 * 1_000_000;
/// By so much the time of day has to be set, between two looks, to be worth a line in the log.
pub const CLOCK_STEP_MICROS: i64 = 5 * 1_000_000;
/// For so long an expired token is kept: one that expired only because the clock was wrong is valid again afterwards.
pub const EXPIRED_TOKEN_KEPT_MICROS: i64 = 7 * 86_400 * 1_000_000;
/// How far the clock by which expired tokens are deleted has to go on until that is stored.
pub const EXPIRY_CLOCK_STORED_EVERY_MICROS: i64 = 10 * 60_000_000;
/// Of one user and kind; a program that logs in again and again leaves more, of which the oldest are deleted.
pub const EXPIRED_TOKENS_KEPT: usize = 100;
/// For so long a medium may be out of reach before there is an incident.
pub const MEDIUM_UNREACHABLE_MICROS: i64 = 15 * 60 * 1_000_000;
pub const BULK_IDS: usize = 100_000;
pub const ACKS_PER_INCIDENT: usize = 10_000;

/// Entries of the change log that are looked at for one page of the audit trail.
pub const AUDIT_LOOKS: usize = 20_000;
/// And for the rate at which events come in.
pub const INTAKE_LOOKS: usize = 1_000;
/// Queued messages that the health page looks at, to say whether they are refused.
pub const QUEUE_LOOKS: usize = 200;

pub const PAGE_SIZE_DEFAULT: usize = 100;
/// Larger wishes are cut to this without a word; `next` goes on.
pub const PAGE_SIZE_MAX: usize = 5_000;
/// Values in one list parameter of a query, or in one list of a stored filter.
pub const FILTER_VALUES: usize = 5_000;
/// Tags that are suggested at once, and incidents that are looked at for them where the index cannot tell.
pub const SUGGESTIONS: usize = 200;
pub const SUGGESTION_SAMPLE: usize = 2_000;
/// How far from an incident its neighbours may have started, and how many of each kind are looked at.
pub const NEIGHBOUR_MICROS: i64 = 60 * 60 * 1_000_000;
pub const NEIGHBOUR_CANDIDATES: usize = 500;
/// Up to so many incidents are read to say which of them match, instead of asking the index.
pub const READ_TO_MATCH: usize = 5_000;
/// Filters of planned maintenance that is on, by which lists find what it covers; with more, such a list is refused.
pub const MAINTENANCE_FILTERS_SEARCHED: usize = 1_000;
pub const SEARCH_WORDS: usize = 32;
pub const SEARCH_TEXT: usize = 1_000;

/// Commands in one commit.
pub const BATCH_COMMANDS: usize = 256;
/// Commands that wait for the writer.
pub const WRITE_QUEUE: usize = 4_096;
/// Password checks that run at once; each takes some 19 MiB and a few dozen milliseconds.
pub const PASSWORD_CHECKS: usize = 2;
/// Of them, checks for clients that did not log in to the account lately.
pub const PASSWORD_CHECKS_OF_STRANGERS: usize = 1;
/// Password checks that wait for their turn.
pub const PASSWORD_QUEUE: usize = 64;
/// How long a password check waits for its turn before the client is told to come back.
pub const PASSWORD_WAIT: Duration = Duration::from_secs(10);
pub const PASSWORD: usize = 1_024;
/// Characters of a new password; older ones keep working.
pub const PASSWORD_MIN: usize = 8;
/// Wrong passwords in a row from one network for one account, or for all accounts; and then one in each interval.
pub const PASSWORD_TRIES_PER_ACCOUNT: NonZeroU32 = NonZeroU32::MIN.saturating_add(29);
pub const PASSWORD_TRY_PER_ACCOUNT_EVERY: Duration = Duration::from_secs(4);
pub const PASSWORD_TRIES_PER_ADDRESS: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);
pub const PASSWORD_TRY_PER_ADDRESS_EVERY: Duration = Duration::from_secs(1);
/// Accounts and addresses whose tries are remembered before the old ones are forgotten.
pub const PASSWORD_TRIES_KEPT: usize = 10_000;
/// How long a network counts as one of the account's own after a login from there.
pub const PASSWORD_PLACE_KEPT: Duration = Duration::from_hours(14 * 24);
pub const PASSWORD_PLACES_PER_ACCOUNT: usize = 16;
/// Accounts whose networks are remembered.
pub const PASSWORD_PLACES_KEPT: usize = 10_000;
/// How long the cookie of a browser that logged in to an account lasts.
pub const DEVICE_LIFE: Duration = Duration::from_hours(180 * 24);
/// How long a password that was sent with a request and found right is believed.
pub const PASSWORD_REMEMBERED_FOR: Duration = Duration::from_mins(1);
pub const PASSWORDS_REMEMBERED: usize = 10_000;
/// Below this much free space on the data file's disk, writes are refused before the disk is full.
pub const FREE_SPACE_BYTES: u64 = 16 << 20;

/// What is kept of a provider's answer.
pub const PROVIDER_ANSWER: usize = 500;
/// What is read of an answer to a request of ours.
pub const ANSWER_BYTES: usize = 64 << 10;
pub const TRANSCRIPT_LINES: usize = 32;
pub const TRANSCRIPT_LINE: usize = 300;
/// One value in a message, such as a description; more is cut off.
pub const MESSAGE_VALUE: usize = 20_000;
/// The incident's description within a subject.
pub const SUBJECT_DESCRIPTION: usize = 300;
/// A text message to a phone: three parts of the network's own.
pub const SMS_TEXT: usize = 480;
/// One rendered part of a message.
pub const RENDERED_BYTES: usize = 512 << 10;
/// Steps of a template, about one for each name, filter and loop.
pub const TEMPLATE_FUEL: u64 = 200_000;
pub const TEMPLATE_BYTES: u64 = 256 << 10;
/// A webhook's summary holds as many of its notices as fit.
pub const WEBHOOK_SUMMARY_BYTES: usize = 4 << 20;
/// Connections to the mail server, busy or kept open.
pub const MAIL_CONNECTIONS: usize = 16;
/// Items of a list in a sentence; of the others only their number.
pub const WORDS_IN_LIST: usize = 20;
/// Test messages that a user may send in a row, and then one in each interval.
pub const TEST_MESSAGES: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);
pub const TEST_MESSAGE_EVERY: Duration = Duration::from_secs(12);
/// Senders that are remembered before the old ones are forgotten.
pub const TEST_SENDERS_KEPT: usize = 1_000;
/// One JSON object from a plug-in.
pub const PLUGIN_MESSAGE_BYTES: usize = 1 << 20;
pub const PLUGIN_MESSAGE_DEPTH: usize = 120;
/// What a plug-in may write within a second, to either output, before it is stopped.
pub const PLUGIN_OUTPUT_BYTES: usize = 2 << 20;
/// Lines of a plug-in that reach the log within a minute.
pub const PLUGIN_LOG_LINES: u32 = 120;
pub const PLUGIN_LOG_LINE: usize = 1_000;
/// Requests and answers that wait for a plug-in to read them.
pub const PLUGIN_QUEUE: usize = 64;
/// Between being asked to end and being killed.
pub const PLUGIN_STOP: Duration = Duration::from_secs(5);
/// Processes that plug-ins start themselves, which are followed; and how often all that one started is killed, as it may
/// go on starting others.
pub const PLUGIN_PROCESSES: usize = 100_000;
pub const PLUGIN_KILL_ROUNDS: usize = 400;
/// After a plug-in failed twice in a row, it is started again after this; doubled from then on, up to the second one.
pub const PLUGIN_BACKOFF_FIRST: Duration = Duration::from_secs(1);
pub const PLUGIN_BACKOFF_MAX: Duration = Duration::from_mins(5);
/// Files that are looked at in the directory of plug-ins, and options that one may declare.
pub const PLUGINS: usize = 100;
pub const PLUGIN_OPTIONS: usize = 200;
/// Events on the page of an incident, and when all are asked for.
pub const TIMELINE: usize = 30;
pub const TIMELINE_ALL: usize = 2_000;
/// Incidents on the page of another one.
pub const NEIGHBOURS: usize = 10;
/// Messages on the page of an incident.
pub const DOSSIER_MESSAGES: usize = 100;
/// Events and people that one can choose from there.
pub const DOSSIER_CHOICES: usize = 100;
/// Characters of a text that are seen before one asks for the rest.
pub const TEXT_AT_ONCE: usize = 600;
/// Characters of an incident's description that are its page's heading.
pub const HEADING: usize = 200;
/// That one option offers.
pub const PLUGIN_CHOICES: usize = 200;
pub const PREVIEW_DAYS: u32 = 90;
pub const PREVIEW_DAYS_DEFAULT: u32 = 30;
/// Events that one preview of a profile looks at; older ones are left out.
pub const PREVIEW_EVENTS: usize = 200_000;
/// Events that are read from one snapshot.
pub const PREVIEW_BATCH: usize = 500;
pub const PREVIEW_EXAMPLES: usize = 20;
/// Of an example's description.
pub const PREVIEW_DESCRIPTION: usize = 200;
/// Previews of profiles that are made at once; others wait.
pub const PREVIEWS_AT_ONCE: usize = 2;
/// Bytes of one stored filter's lists as JSON, and of all filters of a user together.
pub const FILTER_BYTES: usize = 16 << 10;
pub const FILTER_BYTES_PER_USER: usize = 1 << 20;
/// Filters that the profiles of one user name, each counted as often as it is named.
pub const FILTER_USES_PER_USER: usize = 10_000;
/// The same for all rules together.
pub const FILTER_USES_IN_RULES: usize = 10_000;
/// The same for all planned maintenance that is not over.
pub const FILTER_USES_IN_MAINTENANCE: usize = 20_000;
/// Source types, and characters of all their names together.
pub const SOURCE_TYPES: usize = 1_000;
pub const SOURCE_TYPE_NAMES: usize = 64 << 10;
/// Filters of others, and source types that no source has, that a page offers at once.
pub const CHOICES_SHOWN: usize = 200;
/// Characters of a filter in words, where it is one of many on a page.
pub const CRITERIA_SHOWN: usize = 300;
/// Characters of the name of a source type that no source has; what is longer is not offered on pages.
pub const SOURCE_TYPE_SHOWN: usize = 100;
/// Profiles and planned maintenance that a list of filters names for one of them.
pub const USES_SHOWN: usize = 10;

/// Bytes of the rows of one page, about as they are written; a page has at least one row, and `next` goes on.
pub const PAGE_BYTES: usize = 4 << 20;
/// Bytes of the rows that a list of any length reads at once while it is sent.
pub const LIST_CHUNK_BYTES: usize = 256 << 10;
/// Bytes that are sent at once of an answer that is written while it is sent. A shorter answer is sent as a whole.
pub const ANSWER_CHUNK_BYTES: usize = 64 << 10;
/// Answers that are written while they are sent, of everybody and of one user.
pub const STREAMED_ANSWERS: usize = 32;
pub const STREAMED_ANSWERS_PER_USER: usize = 8;
/// How long such an answer waits for its turn before it is refused.
pub const STREAMED_ANSWER_WAIT: Duration = Duration::from_secs(10);
/// Answers with more bytes than this count until they were sent, or the client hung up.
pub const HELD_ABOVE: usize = 16 << 10;
/// Bytes of answers that clients have not read yet, of everybody and of one user. Beyond that answers are refused.
pub const HELD_BYTES: usize = 96 << 20;
pub const HELD_BYTES_PER_USER: usize = 32 << 20;
/// Pages of more than a hundred rows that are read and written at once; others wait.
pub const LARGE_PAGES_AT_ONCE: usize = 8;
/// Answers that are compressed at once; others are sent as they are. Each takes about 300 kB.
pub const COMPRESSED_AT_ONCE: usize = 128;
/// A client that reads nothing of its answer for so long is disconnected.
pub const WRITE_TIMEOUT: Duration = Duration::from_mins(1);
/// Bytes of the events on the page of an incident.
pub const TIMELINE_BYTES: usize = 2 << 20;

/// Forms that were sent lately and are remembered, so that one that is sent twice takes effect once: all users together and
/// of one user. Beyond that the oldest are forgotten.
pub const FORMS_KEPT: usize = 5_000;
pub const FORMS_KEPT_PER_USER: usize = 100;
/// How long they are remembered, counted from when they were answered.
pub const FORM_KEPT_FOR: Duration = Duration::from_mins(10);
/// Forms that are being carried out at once, all users together and of one user; others are refused.
pub const FORMS_AT_ONCE: usize = 1_000;
pub const FORMS_AT_ONCE_PER_USER: usize = 32;
/// Bytes of one answer that is kept to be repeated, and of all of them together.
pub const FORM_ANSWER_BYTES: usize = 1 << 20;
pub const FORM_ANSWERS_BYTES: usize = 8 << 20;
/// Characters of the number that a form has.
pub const FORM_NUMBER: usize = 64;
/// Incidents that a bulk change of a page may affect without being confirmed.
pub const BULK_UNCONFIRMED: usize = 25;
/// Entries of the change log since a list was shown that are looked at to tell which incidents it meant; with more of
/// them the list has to be shown again.
pub const SELECTION_LOOKS: usize = 100_000;

/// Damaged pages of the data file that are remembered and logged one by one.
pub const DAMAGE_NOTES: usize = 100;
/// What may be written, in memory, while a file is looked at that must stay as it is.
pub const SCRATCH_BYTES: u64 = 256 << 20;
/// Ids by which a counter may be ahead of twice the change log; with more it is taken for damaged.
pub const UNLOGGED_IDS: u64 = 1_000_000;
