package home

import "fmt"

// RunningError is the error if another process uses the directory.
type RunningError struct {
	Home string
	PID  int // 0 means it has not said yet
}

// Error names the process and what to do.
func (e *RunningError) Error() string {
	who := "another agent"
	if e.PID > 0 {
		who = fmt.Sprintf("another agent, process %d,", e.PID)
	}
	return fmt.Sprintf("%s runs on %s already; end it with `emqxee-agent stop`, or give this one a directory of its "+
		"own with --home", who, e.Home)
}
