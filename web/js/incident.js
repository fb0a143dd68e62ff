// The page of one incident: live while it is open.
