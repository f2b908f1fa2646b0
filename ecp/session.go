package ecp

// SessionCredential begins the credential of an actor who logged in.
const SessionCredential = "session/"
