//! All bounds of the product. Lengths of texts are in characters unless the name says bytes. Numbers of things are
//! upper bounds that may be reached.

use std::{num::NonZeroU32, ops::RangeInclusive, time::Duration};

/// Time limit of a TLS handshake, from the connection on.
pub const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// Time limit of finding out at the start whether a process listens on a Unix socket.
pub const UNIX_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Time limit of a report to the service manager, which may not be reading.
pub const SERVICE_MANAGER_TIMEOUT: Duration = Duration::from_secs(2);

/// Batches of changes kept for pages that lose their connection for a moment.
pub const LIVE_KEPT: usize = 2_000;

/// Changed incidents in all kept batches together; beyond that the oldest batches are dropped.
pub const LIVE_CHANGES: usize = 50_000;

/// Estimated bytes of all kept batches together; beyond that the oldest batches are dropped.
pub const LIVE_BYTES: usize = 32 << 20;

/// Estimated bytes of the incidents that are pushed together; above it, pages reload.
pub const LIVE_UPDATE_BYTES: usize = 4 << 20;

/// Time between two pushes to one page; changes in between are pushed together.
pub const LIVE_EVERY: Duration = Duration::from_millis(250);

/// Idle time of a stream after which it sends a sign of life and checks the page's session.
pub const LIVE_ALIVE: Duration = Duration::from_secs(15);

/// Time without any data, signs of life included, after which a page reconnects.
pub const LIVE_SILENCE: Duration = Duration::from_secs(40);

/// Moments kept in memory at which an end or an acknowledgement expires; later ones are looked up again.
pub const LIVE_MOMENTS: usize = 20_000;

/// Interval at which the time of day is compared with these moments, because it may have been set.
pub const LIVE_CLOCK_EVERY: Duration = Duration::from_secs(1);

/// Minimum interval between two reloads of a list with a time frame or durations.
pub const LIVE_FRAME_EVERY: Duration = Duration::from_secs(10);

/// Open streams of all users together.
pub const LIVE_STREAMS: usize = 5_000;

/// Open streams of one user.
pub const LIVE_STREAMS_PER_USER: usize = 100;

/// Bytes of one push to one page; above it, the page reloads.
pub const LIVE_PUSH_BYTES: usize = 256 << 10;

/// Bytes of rows that clients have not read yet, all streams together; above it, pages reload.
pub const LIVE_UNSENT_BYTES: usize = 64 << 20;

/// Simultaneous searches for views with search words; further ones wait.
pub const LIVE_SEARCHES: usize = 2;

/// Views of one stream, which are the tabs of one browser.
pub const LIVE_VIEWS: usize = 40;

/// Incidents in one push; above it, pages reload.
pub const LIVE_ROWS: usize = 250;

/// Incidents in one transaction of a bulk change, from a page or over the API.
pub const WORK_SLICE: usize = 500;

/// Time from when the setting of the retention is first seen until the first deletion at the earliest.
pub const RETENTION_GRACE_MICROS: i64 = 24 * 3_600 * 1_000_000;
/// Old incidents that one command of the retention deletes, records of them after which a command takes no further
/// incident, and incidents that are looked at for one command.
pub const RETENTION_SLICE: usize = 200;
pub const RETENTION_SLICE_RECORDS: usize = 2_000;
pub const RETENTION_LOOKS: usize = 5_000;

/// Tasks of the agenda that one command executes.
pub const TASKS_PER_COMMAND: usize = 500;

/// Characters of all events that one transaction of a bulk change adds.
pub const WORK_SLICE_TEXT: usize = 1 << 20;

/// Bulk changes of pages whose progress is kept, all users together and of one user.
pub const WORK_KEPT: usize = 200;
pub const WORK_KEPT_PER_USER: usize = 20;

/// Running bulk changes that need more than one transaction, all users together and of one user.
pub const BULKS: usize = 32;
pub const BULKS_PER_USER: usize = 4;

/// Characters of all events that one bulk change adds.
pub const BULK_TEXT: usize = 64 << 20;

/// Time within which a bulk change of a page can be undone.
pub const UNDO_FOR: Duration = Duration::from_mins(1);

/// Bytes kept to undo bulk changes, all users together; a change that does not fit cannot be undone.
pub const UNDO_BYTES: usize = 64 << 20;

/// Length of the note of a token.
pub const TOKEN_NOTE: usize = 100;

/// Valid tokens of one user that were created by hand; further ones are refused.
pub const TOKENS_PER_USER: usize = 100;
/// Login tokens of one user; a further one replaces the oldest.
pub const LOGIN_TOKENS_PER_USER: usize = 1_000;
/// Browser sessions of one user; a further one replaces the oldest.
pub const SESSIONS_PER_USER: usize = 100;

/// Life of an unused session (contract section 2.1).
pub const SESSION_LIFE: Duration = Duration::from_hours(14 * 24);

/// Interval between two writes that extend a session in use.
pub const SESSION_EXTENDED_EVERY: Duration = Duration::from_hours(24);

/// Duration of one stream. The browser then opens the next one, which extends the session and its cookie.
pub const LIVE_STREAM_LIFE: Duration = Duration::from_hours(24);

/// Length of the last view of a user, which is the query of an address.
pub const LAST_VIEW: usize = 2_000;
/// Life of the cookie with that view, the longest that browsers accept.
pub const LAST_VIEW_LIFE: Duration = Duration::from_hours(400 * 24);

pub const BODY_BYTES: usize = 4 << 20;
/// Request line and headers together.
pub const HEADER_BYTES: usize = 32 << 10;
/// Time limits for sending a request head, and then its body. An idle connection may wait for its next request as long
/// as for a head.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(75);
pub const BODY_TIMEOUT: Duration = Duration::from_mins(1);
/// Size of the body of a request without credentials, such as the login form.
pub const ANONYMOUS_BODY_BYTES: usize = 8 << 10;
/// Memory for all request bodies that are being received or processed.
pub const BODIES_BYTES: usize = 64 << 20;
/// Size up to which bodies may use all of that memory. Larger bodies together may use the second number.
pub const SMALL_BODY_BYTES: usize = 16 << 10;
pub const LARGE_BODIES_BYTES: usize = 56 << 20;
/// Share of that memory for one user, or for one address without credentials.
pub const BODIES_BYTES_PER_HOLDER: usize = 32 << 20;
/// Estimated memory of one parsed body, such as a list of a hundred thousand numbers.
pub const PARSED_BODY_BYTES: usize = 24 << 20;
/// `Retry-After` of a body that was refused because there were too many others.
pub const BODY_RETRY_AFTER: Duration = Duration::from_secs(2);
/// Size of the body up to which a request is canceled when the client disconnects. Larger requests are finished, and
/// count until then.
pub const CANCELLED_BODY_BYTES: u64 = 1 << 10;
/// Simultaneous connections with a request head larger than the first read of 8 KiB.
pub const LARGE_HEADS: usize = 512;
/// Connections of one address: a fraction of all, given by its denominator, or the second number if that is more.
/// Trusted proxies may have all.
pub const CONNECTION_SHARE_PER_ADDRESS: usize = 4;
pub const CONNECTIONS_PER_ADDRESS: usize = 1_000;
/// Simultaneous administrative commands over the socket.
pub const ADMIN_CONNECTIONS: usize = 64;
pub const ADMIN_REQUEST_BYTES: u64 = 4 << 20;
/// Time limit for the command line to send a command, and to read each line of the answer.
pub const ADMIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Things of one kind, unless the kind has a bound of its own: of each user if they are personal, otherwise of all users
/// together.
pub const THINGS_PER_KIND: usize = 1_000;
/// Name of a thing, unless its kind has a bound of its own.
pub const NAME: usize = 255;
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
pub const RECURRENCES_PER_TIMESLOT: usize = 200;
pub const FILTER_NAME: usize = 40;
/// Near misses stored with an event; further ones are counted.
pub const NEAR_MISSES: usize = 64;
pub const PROFILE_NAME: usize = 40;
pub const FILTERS_PER_PROFILE: usize = 200;
pub const DESTINATIONS_PER_PROFILE: usize = 200;
pub const DESTINATION_LABEL: usize = 50;
/// Length of a secret or a token in a destination's settings.
pub const DESTINATION_SECRET: usize = 1_024;
/// Length of a phone number as it is entered. At most 15 digits are stored.
pub const PHONE_NUMBER: usize = 64;
pub const MAINTENANCES: usize = 10_000;
pub const FILTERS_PER_MAINTENANCE: usize = 200;
/// Time after its end during which planned maintenance can be changed (contract section 18).
pub const MAINTENANCE_EDITABLE_FOR: Duration = Duration::from_hours(12);
pub const MAINTENANCE_DESCRIPTION: usize = 255;
/// Length of the full name of a contact.
pub const FULL_NAME: usize = 1_000;
pub const GROUP_NAME: usize = 1_000;
pub const CONTACT_USERNAME: usize = 254;
pub const GROUPS_PER_CONTACT: usize = 1_000;
pub const ADDRESS: usize = 255;
pub const ORIGIN: usize = 255;
pub const FILTERS_PER_RULE: usize = 200;
pub const RECIPIENTS_PER_RULE: usize = 1_000;
/// Pairs of contact and channel that rules notify of one event; further ones are counted and reported.
pub const CALLS_PER_EVENT: usize = 10_000;
/// Pairs of contact and channel that are examined for one event.
pub const WAYS_PER_EVENT: usize = 100_000;
pub const CHANNEL_CONFIG_BYTES: usize = 64 << 10;
/// Length of one setting of a channel. URLs have a bound of their own.
pub const CHANNEL_SETTING: usize = 4_096;
pub const CHANNEL_HEADERS: usize = 20;
/// Length and depth of a filter of the contact API.
pub const FILTER_QUERY_BYTES: usize = 16 << 10;
pub const FILTER_DEPTH: usize = 32;
/// Messages being sent to one destination, and to all destinations of one medium or contacts of one channel.
pub const DESTINATION_WINDOW: usize = 4;
pub const MEDIUM_WINDOW: usize = 32;
/// Delay before the second attempt of a message, which doubles with each attempt, and its maximum.
pub const RETRY_FIRST_MICROS: i64 = 10_000_000;
pub const RETRY_MAX_MICROS: i64 = 15 * 60_000_000;
/// Maximum delay with the random spread, which is a fifth in either direction.
pub const RETRY_LONGEST_WAIT_MICROS: i64 = RETRY_MAX_MICROS / 5 * 6;
/// Maximum delay that a provider can request (`Retry-After`).
pub const RETRY_AFTER_MAX_MICROS: i64 = 60 * 60_000_000;
/// Minimum time for which a loaded message is retried, however old it seems to be, because the clock may be wrong.
pub const RETRY_TIME_LEFT_MICROS: i64 = 60 * 60_000_000;
/// Pause of a destination after a failure, which doubles with each failure, and its maximum.
pub const DESTINATION_BACKOFF_FIRST_MICROS: i64 = 5_000_000;
pub const DESTINATION_BACKOFF_MAX_MICROS: i64 = 5 * 60_000_000;
/// Delay after its decision from which a message says that it is late.
pub const LATE_MICROS: i64 = 5 * 60_000_000;
/// Events that a summary lists one by one.
pub const SUMMARY_NOTICES: usize = 50;
/// Messages that one summary replaces; further ones go into the next summary.
pub const SUMMARY_MESSAGES: usize = 1_000;
/// Contacts that an incident about a channel names; each of them opens a new incident.
pub const CONTACTS_NAMED: usize = 5;
/// Heartbeat interval of a source, in seconds.
pub const HEARTBEAT_FREQUENCY: RangeInclusive<u32> = 60..=86_400;
/// Grace period after which a missing heartbeat is reported (contract section 23).
pub const HEARTBEAT_GRACE_MICROS: i64 = 10 * 1_000_000;
/// Jump of the time of day between two checks from which it is logged.
pub const CLOCK_STEP_MICROS: i64 = 5 * 1_000_000;
/// Time for which an expired token is kept: if it expired only because the clock was wrong, it is valid again
/// afterwards.
pub const EXPIRED_TOKEN_KEPT_MICROS: i64 = 7 * 86_400 * 1_000_000;
/// Interval at which the clock that deletes expired tokens is stored.
pub const EXPIRY_CLOCK_STORED_EVERY_MICROS: i64 = 10 * 60_000_000;
/// Expired tokens kept of one user and kind. A program that logs in again and again leaves more; the oldest are
/// deleted.
pub const EXPIRED_TOKENS_KEPT: usize = 100;
/// Time without reaching the mail server after which an incident is opened.
pub const MEDIUM_UNREACHABLE_MICROS: i64 = 15 * 60 * 1_000_000;
pub const BULK_IDS: usize = 100_000;
pub const ACKS_PER_INCIDENT: usize = 10_000;

/// Entries of the change log read for one page of the audit trail.
pub const AUDIT_LOOKS: usize = 20_000;
/// Entries of the change log read for the rate of incoming events.
pub const INTAKE_LOOKS: usize = 1_000;
/// Newest messages that are read to find recipients to whom no message was ever sent.
pub const DOCTOR_MESSAGES: usize = 2_000;
/// Time for which the health page shows what it learned from the mail server and other hosts.
pub const DOCTOR_CACHE: Duration = Duration::from_mins(5);
/// Time that the health page waits for them.
pub const DOCTOR_PATIENCE: Duration = Duration::from_secs(2);
/// Time limit for looking up a name, and for reading a certificate.
pub const DOCTOR_TIMEOUT: Duration = Duration::from_secs(10);
/// Names of hosts that are looked up.
pub const DOCTOR_NAMES: usize = 50;
/// Queued messages that the health page reads to say whether they are refused.
pub const QUEUE_LOOKS: usize = 200;

pub const PAGE_SIZE_DEFAULT: usize = 100;
/// Rows of one page. A larger `page_size` is silently reduced to this; `next` leads to the other rows.
pub const PAGE_SIZE_MAX: usize = 5_000;
/// Values in one list parameter of a query, or in one list of a saved filter.
pub const FILTER_VALUES: usize = 5_000;
/// Tags suggested at once, and incidents read for suggestions where the index has no answer.
pub const SUGGESTIONS: usize = 200;
pub const SUGGESTION_SAMPLE: usize = 2_000;
/// Maximum difference of the start times of related incidents, and candidates of each kind that are read.
pub const NEIGHBOUR_MICROS: i64 = 60 * 60 * 1_000_000;
pub const NEIGHBOUR_CANDIDATES: usize = 500;
/// Candidates up to which records are read instead of asking the index.
pub const READ_TO_MATCH: usize = 5_000;
/// Filters of running planned maintenance with which lists find covered incidents; with more, such a list is refused.
pub const MAINTENANCE_FILTERS_SEARCHED: usize = 1_000;
pub const SEARCH_WORDS: usize = 32;
pub const SEARCH_TEXT: usize = 1_000;

/// Commands in one commit.
pub const BATCH_COMMANDS: usize = 256;
/// Commands waiting for the writer.
pub const WRITE_QUEUE: usize = 4_096;
/// Simultaneous password checks; each takes about 19 MiB and a few dozen milliseconds.
pub const PASSWORD_CHECKS: usize = 2;
/// Simultaneous password checks for clients that did not log in to the account recently.
pub const PASSWORD_CHECKS_OF_STRANGERS: usize = 1;
/// Waiting password checks.
pub const PASSWORD_QUEUE: usize = 64;
/// Time a password check waits before the client gets the answer to retry later.
pub const PASSWORD_WAIT: Duration = Duration::from_secs(10);
pub const PASSWORD: usize = 1_024;
/// Minimum length of a new password; shorter old ones stay valid.
pub const PASSWORD_MIN: usize = 8;
/// Wrong passwords from one network for one account, and for all accounts, that are allowed at once. Then one is
/// allowed in each interval.
pub const PASSWORD_TRIES_PER_ACCOUNT: NonZeroU32 = NonZeroU32::MIN.saturating_add(29);
pub const PASSWORD_TRY_PER_ACCOUNT_EVERY: Duration = Duration::from_secs(4);
pub const PASSWORD_TRIES_PER_ADDRESS: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);
pub const PASSWORD_TRY_PER_ADDRESS_EVERY: Duration = Duration::from_secs(1);
/// Accounts and addresses whose failures are remembered; beyond that the oldest are forgotten.
pub const PASSWORD_TRIES_KEPT: usize = 10_000;
/// Time for which a network counts as known to an account after a login from there.
pub const PASSWORD_PLACE_KEPT: Duration = Duration::from_hours(14 * 24);
pub const PASSWORD_PLACES_PER_ACCOUNT: usize = 16;
/// Accounts whose known networks are remembered.
pub const PASSWORD_PLACES_KEPT: usize = 10_000;
/// Life of the cookie that marks a browser as known to an account.
pub const DEVICE_LIFE: Duration = Duration::from_hours(180 * 24);
/// Time for which a right password that was sent with a request is remembered.
pub const PASSWORD_REMEMBERED_FOR: Duration = Duration::from_mins(1);
pub const PASSWORDS_REMEMBERED: usize = 10_000;
/// Free space on the disk of the data file below which writes are refused.
pub const FREE_SPACE_BYTES: u64 = 16 << 20;

/// Length of the stored part of a provider's answer.
pub const PROVIDER_ANSWER: usize = 500;
/// Bytes that are read of an answer to an outgoing request.
pub const ANSWER_BYTES: usize = 64 << 10;
pub const TRANSCRIPT_LINES: usize = 32;
pub const TRANSCRIPT_LINE: usize = 300;
/// Length of one value in a message, such as a description. The rest is cut off.
pub const MESSAGE_VALUE: usize = 20_000;
/// Length of the incident's description within a subject.
pub const SUBJECT_DESCRIPTION: usize = 300;
/// Length of a text message to a phone, which the network sends in three parts.
pub const SMS_TEXT: usize = 480;
/// Size of one rendered part of a message.
pub const RENDERED_BYTES: usize = 512 << 10;
/// Steps of a template, about one for each name, filter and loop.
pub const TEMPLATE_FUEL: u64 = 200_000;
pub const TEMPLATE_BYTES: u64 = 256 << 10;
/// Size of the body of a webhook's summary, which contains as many notices as fit.
pub const WEBHOOK_SUMMARY_BYTES: usize = 4 << 20;
/// Connections to mail servers, busy or kept open.
pub const MAIL_CONNECTIONS: usize = 16;
/// Items of a list in a sentence; further ones are counted.
pub const WORDS_IN_LIST: usize = 20;
/// Test messages that a user may send at once; then one is allowed in each interval.
pub const TEST_MESSAGES: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);
pub const TEST_MESSAGE_EVERY: Duration = Duration::from_secs(12);
/// Users whose test messages are remembered; beyond that the oldest are forgotten.
pub const TEST_SENDERS_KEPT: usize = 1_000;
/// Size of one JSON object from a plug-in.
pub const PLUGIN_MESSAGE_BYTES: usize = 1 << 20;
pub const PLUGIN_MESSAGE_DEPTH: usize = 120;
/// Output of a plug-in within a second, on either pipe, beyond which it is stopped.
pub const PLUGIN_OUTPUT_BYTES: usize = 2 << 20;
/// Lines of a plug-in that are logged within a minute.
pub const PLUGIN_LOG_LINES: u32 = 120;
pub const PLUGIN_LOG_LINE: usize = 1_000;
/// Requests and answers that a plug-in has not read yet.
pub const PLUGIN_QUEUE: usize = 64;
/// Time between SIGTERM and SIGKILL.
pub const PLUGIN_STOP: Duration = Duration::from_secs(5);
/// Processes started by plug-ins that are tracked, and rounds of killing them, because they may start further ones
/// meanwhile.
pub const PLUGIN_PROCESSES: usize = 100_000;
pub const PLUGIN_KILL_ROUNDS: usize = 400;
/// Delay before a plug-in that failed twice in a row is started again, which doubles with each failure, and its
/// maximum.
pub const PLUGIN_BACKOFF_FIRST: Duration = Duration::from_secs(1);
pub const PLUGIN_BACKOFF_MAX: Duration = Duration::from_mins(5);
/// Files read in the directory of plug-ins, and options that one may declare.
pub const PLUGINS: usize = 100;
pub const PLUGIN_OPTIONS: usize = 200;
/// Events on the page of an incident, and on the page with all of them.
pub const TIMELINE: usize = 30;
pub const TIMELINE_ALL: usize = 2_000;
/// Related incidents on the page of an incident.
pub const NEIGHBOURS: usize = 10;
/// Messages on the page of an incident.
pub const INCIDENT_PAGE_MESSAGES: usize = 100;
/// Events and users offered for explanations on the page of an incident.
pub const TIMELINE_CHOICES: usize = 100;
/// Length of the part of a long text that is shown before it is expanded.
pub const TEXT_AT_ONCE: usize = 600;
/// Length of the part of an incident's description that is the heading of its page.
pub const HEADING: usize = 200;
/// Choices of one option of a plug-in.
pub const PLUGIN_CHOICES: usize = 200;
pub const PREVIEW_DAYS: u32 = 90;
pub const PREVIEW_DAYS_DEFAULT: u32 = 30;
/// Events that one preview of a profile reads; older ones are left out.
pub const PREVIEW_EVENTS: usize = 200_000;
/// Events that a preview reads from one snapshot.
pub const PREVIEW_BATCH: usize = 500;
pub const PREVIEW_EXAMPLES: usize = 20;
/// Length of the description of an example in a preview.
pub const PREVIEW_DESCRIPTION: usize = 200;
/// Simultaneous previews of profiles; further ones wait.
pub const PREVIEWS_AT_ONCE: usize = 2;
/// Bytes of the lists of one saved filter as JSON, and of all filters of a user together.
pub const FILTER_BYTES: usize = 16 << 10;
pub const FILTER_BYTES_PER_USER: usize = 1 << 20;
/// Uses of filters in all profiles of one user.
pub const FILTER_USES_PER_USER: usize = 10_000;
/// Uses of filters in all rules.
pub const FILTER_USES_IN_RULES: usize = 10_000;
/// Uses of filters in all planned maintenance that is not over.
pub const FILTER_USES_IN_MAINTENANCE: usize = 20_000;
/// Source types, and characters of all their names.
pub const SOURCE_TYPES: usize = 1_000;
pub const SOURCE_TYPE_NAMES: usize = 64 << 10;
/// Filters of other users, and source types without a source, that a page offers.
pub const CHOICES_SHOWN: usize = 200;
/// Length of the description of a filter in words, in a list of filters.
pub const CRITERIA_SHOWN: usize = 300;
/// Length of the name of a source type without a source. Longer ones are not offered on pages.
pub const SOURCE_TYPE_SHOWN: usize = 100;
/// Profiles and planned maintenance named for each filter of a list.
pub const USES_SHOWN: usize = 10;

/// Estimated bytes of the rows of one page. A page has at least one row; `next` leads to the others.
pub const PAGE_BYTES: usize = 4 << 20;
/// Bytes of rows that a list reads at once while it is sent.
pub const LIST_CHUNK_BYTES: usize = 256 << 10;
/// Bytes sent at once of an answer that is written while it is sent. A shorter answer is sent as a whole.
pub const ANSWER_CHUNK_BYTES: usize = 64 << 10;
/// Answers being written while they are sent, of all users and of one user.
pub const STREAMED_ANSWERS: usize = 32;
pub const STREAMED_ANSWERS_PER_USER: usize = 8;
/// Time such an answer waits before it is refused.
pub const STREAMED_ANSWER_WAIT: Duration = Duration::from_secs(10);
/// Size from which an answer counts until it was sent or the client disconnected.
pub const HELD_ABOVE: usize = 16 << 10;
/// Bytes of answers that clients have not read yet, of all users and of one user. Beyond that answers are refused.
pub const HELD_BYTES: usize = 96 << 20;
pub const HELD_BYTES_PER_USER: usize = 32 << 20;
/// Simultaneous pages of more than a hundred rows; further ones wait.
pub const LARGE_PAGES_AT_ONCE: usize = 8;
/// Simultaneously compressed answers; further ones are not compressed. Each takes about 300 kB.
pub const COMPRESSED_AT_ONCE: usize = 128;
/// Time after which a client that reads nothing of its answer is disconnected.
pub const WRITE_TIMEOUT: Duration = Duration::from_mins(1);
/// Bytes of the events on the page of an incident.
pub const TIMELINE_BYTES: usize = 2 << 20;

/// Answered forms that are remembered, so that a form that is sent twice takes effect once: all users together and of
/// one user. Beyond that the oldest are forgotten.
pub const FORMS_KEPT: usize = 5_000;
pub const FORMS_KEPT_PER_USER: usize = 100;
/// Time for which an answered form is remembered.
pub const FORM_KEPT_FOR: Duration = Duration::from_mins(10);
/// Forms being processed, all users together and of one user. Further ones are refused.
pub const FORMS_AT_ONCE: usize = 1_000;
pub const FORMS_AT_ONCE_PER_USER: usize = 32;
/// Bytes of one remembered answer, and of all of them together.
pub const FORM_ANSWER_BYTES: usize = 1 << 20;
pub const FORM_ANSWERS_BYTES: usize = 8 << 20;
/// Length of the number of a form.
pub const FORM_NUMBER: usize = 64;
/// Incidents that a bulk change of a page may affect without a confirmation.
pub const BULK_UNCONFIRMED: usize = 25;
/// Entries of the change log since a list was shown that are read to find the selected incidents. With more, the list
/// has to be loaded again.
pub const SELECTION_LOOKS: usize = 100_000;

/// Damaged pages of the data file that are remembered and logged individually.
pub const DAMAGE_NOTES: usize = 100;
/// Bytes that may be written, in memory, while a file is opened that must not change.
pub const SCRATCH_BYTES: u64 = 256 << 20;
/// Ids by which a counter may exceed twice the change log; beyond that it counts as damaged.
pub const UNLOGGED_IDS: u64 = 1_000_000;

/// Time in microseconds for which the answer to "can changes be stored?" is kept, and the time limit for finding it.
pub const READY_KEPT_MICROS: i64 = 700_000;
pub const READY_PATIENCE: Duration = Duration::from_secs(1);
/// Sources whose last sign of life is among the metrics.
pub const SOURCE_FIGURES: usize = 500;
/// Media with counters of their own. Further ones share one.
pub const MEDIUM_FIGURES: usize = 100;
/// Length of a username in the log, which may be one that nobody has.
pub const LOGGED_USERNAME: usize = 150;
/// Time limit of one outgoing ping.
pub const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// Time in microseconds without a round of the loop that sends messages after which no ping is sent.
pub const PING_QUEUE_SILENCE_MICROS: i64 = 30 * 1_000_000;
/// Time in microseconds without reaching the mail server after which no ping is sent.
pub const PING_MAIL_SILENCE_MICROS: i64 = 5 * 60 * 1_000_000;
