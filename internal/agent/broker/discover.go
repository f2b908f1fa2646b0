package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/agent/home"
)

// DiscoverConfig says where settings may come from.
type DiscoverConfig struct {
	// Given is what the flags say; it comes first.
	Given Settings
	// Home is the agent's directory, whose broker.json comes next.
	Home home.Dir
	// Getenv reads the environment; nil = nothing is read.
	Getenv func(name string) string
	// Prompt asks a person for what is missing; it gets what is known so far. nil = there is
	// nobody to ask. Its error ends the search.
	Prompt func(ctx context.Context, known Settings) (Settings, error)
	// Root is put before the directories that EMQX' own configuration is looked for
	// in; "" = this host's.
	Root string
	// Logger gets what was tried, at debug; nil = silent.
	Logger *slog.Logger
	// Now is the clock; nil = time.Now.
	Now func() time.Time
}

// Discover finds settings that EMQX takes: those that were given, else those of the
// file, the environment, a person, EMQX' own configuration on this host, and at last
// the ones EMQX comes with. What a person gave in some way is not replaced by a guess
// where EMQX refuses it. tried tells people, without secrets, what was looked at and
// what came of it. The settings are those that were tried last where there is an
// error.
func Discover(ctx context.Context, c DiscoverConfig) (s Settings, tried []string, err error) {
	d := &discovery{config: c}
	s, err = d.run(ctx)
	return s, d.tried, err
}

type discovery struct {
	config DiscoverConfig
	tried  []string
}

func (d *discovery) say(format string, args ...any) {
	d.tried = append(d.tried, fmt.Sprintf(format, args...))
}

func (d *discovery) run(ctx context.Context) (Settings, error) {
	known, err := d.known()
	if err != nil {
		return known, err
	}
	if !known.HasCredentials() && d.config.Prompt != nil {
		said, err := d.config.Prompt(ctx, known)
		if err != nil {
			return known, err
		}
		if said.HasCredentials() {
			d.say("the terminal: %s", said.Credentials())
		}
		known = said.Or(known)
	}
	if known.HasCredentials() {
		return known, d.try(ctx, known, "what was given")
	}
	return d.guess(ctx, known)
}

// known is what was given in some way.
func (d *discovery) known() (Settings, error) {
	s := d.config.Given
	if s.HasCredentials() {
		d.say("the flags: %s", s.Credentials())
	}
	if d.config.Home != "" {
		file, err := Load(d.config.Home)
		switch {
		case err == nil:
			if !s.HasCredentials() && file.HasCredentials() {
				d.say("%s: %s", d.config.Home.Broker(), file.Credentials())
			}
			s = s.Or(file)
		case !IsMissing(err):
			d.say("%s: %v", d.config.Home.Broker(), err)
			if !s.HasCredentials() {
				return s, err
			}
		}
	}
	for _, e := range environments {
		found := e.read(d.config.Getenv)
		if !s.HasCredentials() && found.HasCredentials() {
			d.say("the environment (%s): %s", e.names, found.Credentials())
		}
		s = s.Or(found)
	}
	return s, s.Check()
}

// guess tries what EMQX' own configuration has, then what EMQX comes with.
func (d *discovery) guess(ctx context.Context, known Settings) (Settings, error) {
	var last error
	candidate := known
	for _, g := range d.guesses() {
		candidate = known.Or(g.settings)
		last = d.try(ctx, candidate, g.from)
		if last == nil || !errors.Is(last, ecp.ErrDenied) {
			return candidate, last
		}
	}
	return candidate, last
}

// try asks EMQX once.
func (d *discovery) try(ctx context.Context, s Settings, from string) error {
	a, err := New(Config{Settings: s, Logger: d.config.Logger, Now: d.config.Now})
	if err != nil {
		return err
	}
	defer a.Close(ctx)
	says, err := a.Prove(ctx)
	if err != nil {
		d.say("%s, %s: %s", from, s.Credentials(), ecp.MessageOf(err))
		return err
	}
	d.say("%s, %s: %s", from, s.Credentials(), says)
	return nil
}
