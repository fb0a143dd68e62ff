// The list of incidents: live rows, selection, keyboard.
