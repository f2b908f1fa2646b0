package broker

// guess is a set of settings that nobody gave the agent.
type guess struct {
	from     string // for people
	settings Settings
}

// guesses are what is tried where nobody gave credentials, in this order. The user
// that EMQX comes with is tried once.
func (d *discovery) guesses() []guess {
	return []guess{{"the user that EMQX comes with", Settings{Username: "admin", Password: "public"}}}
}
