package agent

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/internal/agent/home"
)

// Config configures an [Agent]. Only Home is required.
type Config struct {
	// Home is the agent's directory, an absolute path; see [Home].
	Home string
	// Version and BuildTime are those of the program. The validity of certificates is
	// never checked at a time before BuildTime.
	Version   string
	BuildTime time.Time
	// Logger may be nil: then the agent logs to standard error if systemd collects it,
	// otherwise to log/agent.log in Home.
	Logger *slog.Logger
	// Level is set to the level in agent.yaml. It may be nil.
	Level *slog.LevelVar
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Getenv reads the environment; nil means os.Getenv.
	Getenv func(name string) string
	// Root is a prefix of the directories that are searched for EMQX's configuration.
	// It is empty for those of this host.
	Root string
	// Timings are the times of the connection. Zero fields have the protocol's defaults.
	Timings agentproto.AgentTimings
}

// mostReports is how many reports are kept while the server is away: those of an hour.
const mostReports = 360

// memoryLimit is the soft limit of the program's memory, in bytes: the agent shares the
// broker's host. GOMEMLIMIT in the environment overrides it.
const memoryLimit = 96 << 20

// Agent is the agent of one home directory.
type Agent struct {
	config   Config
	home     home.Dir
	now      func() time.Time
	instance string
	reports  *agentproto.ReportLog
	buffer   buffer  // the history that is kept
	gateway  gateway // serves requests through the tunnel
	logs     *logSource

	reload          wakeup // a person requested it
	identityChanged wakeup
	tunnelChanged   wakeup // other settings of the connection
	brokerChanged   wakeup

	log  *slog.Logger // set when Run begins
	file *logFile     // nil means the log is no file of ours

	state state
}

// New checks the configuration and returns an agent. It starts nothing.
func New(c Config) (*Agent, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Getenv == nil {
		c.Getenv = os.Getenv
	}
	if c.Level == nil {
		c.Level = new(slog.LevelVar)
	}
	if c.Home == "" {
		return nil, errors.New("the agent has no home directory; see Home")
	}
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	a := &Agent{
		config: c, home: home.Dir(c.Home), now: c.Now, instance: hex.EncodeToString(b[:]),
		reports: agentproto.NewReportLog(mostReports),
		reload:  newWakeup(), identityChanged: newWakeup(), tunnelChanged: newWakeup(), brokerChanged: newWakeup(),
		buffer: buffer{dir: home.Dir(c.Home).Buffer(), now: c.Now},
		state:  state{settings: defaultSettings(), problems: map[string]string{}},
	}
	a.logs = &logSource{agent: a}
	return a, nil
}

// Reload reads all files again, as SIGHUP does.
func (a *Agent) Reload() { a.reload.send() }

// Run runs the agent until ctx ends, and then returns nil. It returns a
// [*home.RunningError] if another process uses the directory, and another error if the
// directory cannot be used. If the server refuses the agent, Run goes on and waits for
// another registration.
func (a *Agent) Run(ctx context.Context) error {
	mended, err := a.home.Prepare()
	if err != nil {
		return err
	}
	release, err := a.home.Lock()
	if err != nil {
		return err
	}
	defer release()
	a.log, a.file = newLogger(a.config, a.home)
	if a.file != nil {
		defer func() { _ = a.file.Close() }()
	}
	listener, err := a.home.Listen()
	if err != nil {
		return err
	}
	if a.config.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	a.state.begin(a.now())
	for _, m := range mended {
		a.log.WarnContext(ctx, "files mended", "what", m)
	}
	defer a.buffer.close()
	a.loadSettings()
	a.log.InfoContext(ctx, "agent started", "version", a.config.Version, "home", string(a.home), "pid", os.Getpid())
	var wg sync.WaitGroup
	for name, work := range map[string]func(context.Context){
		"files": a.watch, "hangup": a.hangups, "broker": a.runBroker, "server": a.runTunnel,
		"socket": func(ctx context.Context) { a.serveSocket(ctx, listener) },
	} {
		wg.Go(func() { a.keepRunning(ctx, name, work) })
	}
	wg.Wait()
	a.log.InfoContext(ctx, "agent stopped")
	return nil
}

// keepRunning runs one part of the agent until ctx ends. It logs a panic and starts the part
// again.
func (a *Agent) keepRunning(ctx context.Context, name string, work func(context.Context)) {
	for ctx.Err() == nil {
		if a.contained(ctx, name, work) {
			a.state.problem("panic "+name, "a fault of the agent's in its part "+name+"; its log has more")
		}
		pause(ctx, time.Second)
	}
}

// contained runs work and reports whether it panicked.
func (a *Agent) contained(ctx context.Context, name string, work func(context.Context)) (panicked bool) {
	defer func() {
		if p := recover(); p != nil {
			panicked = true
			a.log.ErrorContext(ctx, "panic", "part", name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	work(ctx)
	return false
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// loadSettings reads agent.yaml. It reports what is wrong in it, and uses the rest.
func (a *Agent) loadSettings() {
	s, err := ReadSettings(string(a.home))
	a.state.problemOf("settings", err)
	if err != nil {
		a.log.Error("settings are not right", "error", err)
	}
	a.config.Level.Set(s.LogLevel)
	before := a.state.setSettings(s)
	a.buffer.set(s.Buffer)
	if before.Tunnel != s.Tunnel || before.Proxy != s.Proxy || before.Heartbeat != s.Heartbeat {
		a.tunnelChanged.send()
	}
	if before.Monitoring != s.Monitoring {
		a.brokerChanged.send()
	}
}
