//! Who may do what: one table (contract section 2.5).

use super::Caller;

/// The strongest of what a user is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserKind {
    EndUser,
    /// Posts for a source.
    SourceUser,
    Staff,
    Superuser,
}

/// What not everybody may do. Everything else is open to every authenticated user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Post an incident in the name of any source.
    PostForAnySource,
    RemoveForeignTag,
    /// Delete incidents of sources other than one's own, where deletion is on at all.
    DeleteAnyIncident,
    /// Create and rename.
    ManageSources,
    /// Accounts, passwords and tokens of others.
    ManageUsers,
    ManageChannels,
    /// Create, change and delete planned maintenance.
    PlanMaintenance,
    SeeRules,
    /// Create, change and delete.
    ManageRules,
    /// Why others were told of an event or not, their addresses, and what providers said.
    SeeOthersNotifications,
    /// All messages, and sending again those that were given up.
    ManageDeliveries,
    /// Accounts with their tokens and sessions, settings, health and the audit trail.
    SeeAdministration,
    MakeDemoData,
}

#[must_use]
pub const fn allowed(kind: UserKind, action: Action) -> bool {
    match (kind, action) {
        (UserKind::Superuser, _)
        | (
            UserKind::Staff,
            Action::PlanMaintenance
            | Action::SeeOthersNotifications
            | Action::ManageDeliveries
            | Action::SeeRules
            | Action::SeeAdministration,
        ) => true,
        (UserKind::EndUser | UserKind::SourceUser | UserKind::Staff, _) => false,
    }
}

impl Caller {
    #[must_use]
    pub fn may(&self, action: Action) -> bool {
        allowed(self.kind(), action)
    }
}

/// The permission for the API of contacts, groups and channels (contact API contract section 3).
pub const CONTACT_API: &str = "notifications/api/v1";

/// By any grant that implies the permission; superusers need none.
#[must_use]
pub fn may_use_contact_api(caller: &Caller) -> bool {
    const IMPLY: [&str; 4] = [CONTACT_API, "notifications/api", "notifications/*", "*"];
    caller.kind() == UserKind::Superuser || caller.user.grants.iter().any(|grant| IMPLY.contains(&grant.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maintenance_is_for_staff() {
        for (kind, may) in [
            (UserKind::EndUser, false),
            (UserKind::SourceUser, false),
            (UserKind::Staff, true),
            (UserKind::Superuser, true),
        ] {
            assert_eq!(allowed(kind, Action::PlanMaintenance), may, "{kind:?}");
        }
    }

    #[test]
    fn the_rest_of_the_table_is_for_superusers() {
        use Action as A;
        for action in [
            A::PostForAnySource,
            A::RemoveForeignTag,
            A::DeleteAnyIncident,
            A::ManageSources,
            A::ManageUsers,
            A::ManageChannels,
            A::ManageRules,
            A::MakeDemoData,
        ] {
            assert!(allowed(UserKind::Superuser, action));
            for kind in [UserKind::EndUser, UserKind::SourceUser, UserKind::Staff] {
                assert!(!allowed(kind, action), "{kind:?} {action:?}");
            }
        }
    }

    #[test]
    fn staff_look_after_messages() {
        for action in
            [Action::SeeOthersNotifications, Action::ManageDeliveries, Action::SeeRules, Action::SeeAdministration]
        {
            for kind in [UserKind::Staff, UserKind::Superuser] {
                assert!(allowed(kind, action));
            }
            for kind in [UserKind::EndUser, UserKind::SourceUser] {
                assert!(!allowed(kind, action));
            }
        }
    }
}
