package agent

import (
	"context"
	"log/slog"
	"time"

	"github.com/openecp/openecp/internal/agent/home"
)

// Config says what an agent runs on.
type Config struct {
	// Home is its directory, an absolute path; see [Home].
	Home string
	// Version and BuildTime are those of the program. No certificate is judged by a
	// clock that is before BuildTime.
	Version   string
	BuildTime time.Time
	// Logger gets what people should know; nil = log/agent.log in Home.
	Logger *slog.Logger
	// Now is the clock; nil = time.Now.
	Now func() time.Time
	// Getenv reads the environment; nil = os.Getenv.
	Getenv func(name string) string
}

// Agent runs on one home directory.
type Agent struct {
	config Config
	home   home.Dir
}

// New checks the configuration. It starts nothing.
func New(c Config) (*Agent, error) {
	return &Agent{config: c, home: home.Of(c.Home)}, nil
}

// Run runs the agent until ctx ends. The error is a [*home.RunningError] where
// another process runs on the directory, or says why the directory cannot be used.
func (a *Agent) Run(ctx context.Context) error {
	if _, err := a.home.Prepare(); err != nil {
		return err
	}
	release, err := a.home.Lock()
	if err != nil {
		return err
	}
	defer release()
	<-ctx.Done()
	return nil
}
