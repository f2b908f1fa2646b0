package home

import (
	"path/filepath"
)

// Default is the product's directory, and [Container] the one inside an EMQX
// container, where only the data directory outlives a restart.
const (
	Default   = "/opt/emqxee-agent"
	Container = "/opt/emqx/data/emqxee-agent"
)

// Variable is the environment variable that names the directory.
const Variable = "EMQXEE_AGENT_HOME"

// Dir is the agent's directory.
type Dir string

func (d Dir) join(parts ...string) string {
	return filepath.Join(append([]string{string(d)}, parts...)...)
}

// Settings is the file that people write: agent.yaml.
func (d Dir) Settings() string { return d.join("etc", "agent.yaml") }

// Identity is the file that registration writes: the agent's id and key.
func (d Dir) Identity() string { return d.join("data", "identity.json") }

// Broker is the file with EMQX's URLs and credentials.
func (d Dir) Broker() string { return d.join("data", "broker.json") }

// Buffer is the directory of the history that is kept while the server is away.
func (d Dir) Buffer() string { return d.join("data", "buffer") }

// Log is the file to which the agent logs if nothing else collects its output.
func (d Dir) Log() string { return d.join("log", "agent.log") }

// PID is the file that is locked while an agent runs, and holds its process id.
func (d Dir) PID() string { return d.join("run", "agent.pid") }

// Socket is where a running agent answers status and reload.
func (d Dir) Socket() string { return d.join("run", "agent.sock") }

// folders are the directories below the agent's own.
var folders = []string{"etc", "data", "log", "run"}
