package observed

// LastWords are those of a process that ended, by the pod and its restarts.
type LastWords struct {
	Of   string
	Said string // "" = nothing that says why
}
