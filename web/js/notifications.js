// Notifications: the week that one draws on, previews while one types.
