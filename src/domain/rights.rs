//! The table of rights (contract section 2.5): which users may do what. Services, routes and templates ask it.

/// The highest role of a user. Only the table uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    User,
    Staff,
    Superuser,
}

/// Users who may do something. Superusers may do everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// Everybody, with and without an account.
    Everybody,
    Users,
    Staff,
    /// Users with one of these grants.
    Granted(&'static [&'static str]),
    Superusers,
}

impl Who {
    fn includes(self, rank: Rank, grants: &[String]) -> bool {
        rank == Rank::Superuser
            || match self {
                Self::Everybody | Self::Users => true,
                Self::Staff => rank == Rank::Staff,
                Self::Granted(implying) => grants.iter().any(|grant| implying.contains(&grant.as_str())),
                Self::Superusers => false,
            }
    }
}

/// Declares the table: the actions, who may do each, and a function of [`Permissions`] for templates.
macro_rules! rights {
    ($($(#[doc = $about:literal])* $action:ident, $question:ident: $who:expr;)*) => {
        /// Something that requires a right.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Action {
            $($(#[doc = $about])* $action,)*
        }

        impl Action {
            pub const ALL: &[Self] = &[$(Self::$action,)*];

            const fn who(self) -> Who {
                match self {
                    $(Self::$action => $who,)*
                }
            }
        }

        impl Permissions {
            $(
                $(#[doc = $about])*
                #[must_use]
                pub fn $question(&self) -> bool {
                    self.0.contains(&Action::$action)
                }
            )*
        }
    };
}

rights! {
    /// Use what needs no account: login and logout, documents, files of pages, the health check.
    UsePublic, use_public: Who::Everybody;
    /// Use incidents, and one's own account, tokens and notifications.
    UseDesk, use_desk: Who::Users;
    /// Post incidents in the name of any source.
    PostForAnySource, post_for_any_source: Who::Superusers;
    RemoveForeignTag, remove_foreign_tag: Who::Superusers;
    /// Delete incidents of sources other than one's own, if deletion is enabled.
    DeleteAnyIncident, delete_any_incident: Who::Superusers;
    /// Create and change sources.
    ManageSources, manage_sources: Who::Superusers;
    /// Manage accounts, passwords and tokens of others.
    ManageUsers, manage_users: Who::Superusers;
    ManageChannels, manage_channels: Who::Superusers;
    /// Manage contacts and their groups, and use the API for them (contact API contract section 3).
    ManageContacts, manage_contacts: Who::Granted(CONTACT_GRANTS);
    /// Create, change and delete planned maintenance.
    PlanMaintenance, plan_maintenance: Who::Staff;
    /// Read rules and channels.
    SeeRules, see_rules: Who::Staff;
    /// Create, change and delete rules.
    ManageRules, manage_rules: Who::Superusers;
    /// See why other users were notified of an event or not, their addresses, and the answers of providers.
    SeeOthersNotifications, see_others_notifications: Who::Staff;
    /// See all messages, and retry failed ones.
    ManageDeliveries, manage_deliveries: Who::Staff;
    /// See sources, contacts, accounts with their tokens and sessions, settings, health and the audit trail.
    SeeAdministration, see_administration: Who::Staff;
    /// Read the metrics from another host.
    SeeMetrics, see_metrics: Who::Granted(&[METRICS, "*"]);
    MakeDemoData, make_demo_data: Who::Superusers;
}

/// Name of the grant for the API of contacts, groups and channels.
pub const CONTACT_API: &str = "notifications/api/v1";
/// Name of the grant for the metrics.
pub const METRICS: &str = "metrics";

/// Grants that include the API of contacts.
const CONTACT_GRANTS: &[&str] = &[CONTACT_API, "notifications/api", "notifications/*", "*"];

/// Names of the permissions that users can have in addition to their rank.
pub const GRANTS: &[&str] = &[CONTACT_API, "notifications/api", "notifications/*", METRICS, "*"];

/// The actions that the caller may perform, for templates. Empty: nobody is logged in.
#[derive(Clone, Debug, Default)]
pub struct Permissions(Vec<Action>);

/// Error: the caller may not do this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forbidden;

impl Action {
    /// Returns whether the action requires no account.
    #[must_use]
    pub fn is_public(self) -> bool {
        self.who() == Who::Everybody
    }

    /// Returns whether a user of this rank with these grants may perform the action.
    #[must_use]
    pub fn is_open_to(self, rank: Rank, grants: &[String]) -> bool {
        self.who().includes(rank, grants)
    }
}

impl Permissions {
    /// Returns all actions that a user of this rank with these grants may perform.
    #[must_use]
    pub fn of(rank: Rank, grants: &[String]) -> Self {
        Self(Action::ALL.iter().copied().filter(|action| action.is_open_to(rank, grants)).collect())
    }
}

#[cfg(test)]
mod tests {
    use Action as A;
    use Rank::{Staff, Superuser, User};

    use super::*;

    /// A second list, written by hand, of who may perform an action without a grant.
    const EXPECTED: &[(Action, &[Rank])] = &[
        (A::UsePublic, &[User, Staff, Superuser]),
        (A::UseDesk, &[User, Staff, Superuser]),
        (A::PostForAnySource, &[Superuser]),
        (A::RemoveForeignTag, &[Superuser]),
        (A::DeleteAnyIncident, &[Superuser]),
        (A::ManageSources, &[Superuser]),
        (A::ManageUsers, &[Superuser]),
        (A::ManageChannels, &[Superuser]),
        (A::ManageContacts, &[Superuser]),
        (A::PlanMaintenance, &[Staff, Superuser]),
        (A::SeeRules, &[Staff, Superuser]),
        (A::ManageRules, &[Superuser]),
        (A::SeeOthersNotifications, &[Staff, Superuser]),
        (A::ManageDeliveries, &[Staff, Superuser]),
        (A::SeeAdministration, &[Staff, Superuser]),
        (A::SeeMetrics, &[Superuser]),
        (A::MakeDemoData, &[Superuser]),
    ];

    #[test]
    fn the_table_says_what_was_meant() {
        assert_eq!(EXPECTED.iter().map(|(action, _)| *action).collect::<Vec<_>>(), Action::ALL);
        for (action, who) in EXPECTED {
            for rank in [User, Staff, Superuser] {
                assert_eq!(action.who().includes(rank, &[]), who.contains(&rank), "{rank:?} {action:?}");
            }
        }
        let public: Vec<_> = Action::ALL.iter().filter(|action| action.is_public()).collect();
        assert_eq!(public, [&Action::UsePublic]);
    }

    #[test]
    fn grants_are_for_contacts_and_metrics_only() {
        let (contacts, metrics) = (&[A::ManageContacts][..], &[A::SeeMetrics][..]);
        for (grant, opens) in [
            (CONTACT_API, contacts),
            ("notifications/api", contacts),
            ("notifications/*", contacts),
            (METRICS, metrics),
            ("*", &[A::ManageContacts, A::SeeMetrics]),
            ("metrics/x", &[]),
            ("notifications", &[]),
            ("notifications/api/v2", &[]),
            ("", &[]),
        ] {
            for (action, who) in EXPECTED {
                let expected = who.contains(&User) || opens.contains(action);
                assert_eq!(action.who().includes(User, &[grant.to_owned()]), expected, "{grant:?} {action:?}");
            }
        }
    }
}
