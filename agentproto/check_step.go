package agentproto

// CheckStep is one step of a way that was tried: to the server, or to a broker.
// The texts are for people and hold no secrets. A step that is not OK and has no
// Err was not tried, because of one before it.
type CheckStep struct {
	Name   string `json:"name"` // e.g. "dns", "tcp", "tls"
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"` // what was found
	Err    string `json:"error,omitempty"`  // why it failed
	Hint   string `json:"hint,omitempty"`   // what to do about it
}
