package observed

// ExitMessage are those of a process that ended, by the pod and its restarts.
type ExitMessage struct {
	Of   string
	Text string // "" = nothing that says why
}
