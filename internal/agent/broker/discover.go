package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/agent/home"
)

// DiscoverConfig defines where settings may come from.
type DiscoverConfig struct {
	// Given is what the flags say; it comes first.
	Given Settings
	// Home is the agent's directory, whose broker.json comes next; empty means none.
	Home home.Dir
	// Getenv reads the environment; nil means nothing is read.
	Getenv func(name string) string
	// Prompt asks a person for what is missing, and gets what is known so far; nil =
	// there is nobody to ask. Its error ends the search.
	Prompt func(ctx context.Context, known Settings) (Settings, error)
	// Root is put before the directories in which EMQX's own configuration is looked
	// for; empty means they are this host's.
	Root string
	// Logger is silent where it is nil.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Discover finds settings that EMQX accepts. It tries, each once and in this order: the
// given settings, those of the file, of the environment and of a person, those of EMQX's own
// configuration on this host, and finally EMQX's default user. Credentials that were
// configured are never replaced by a guess if EMQX refuses them.
//
// tried describes for people, without secrets, what was tried with which result. The error
// has the code denied if EMQX refused everything, unavailable if it cannot be reached, and
// unsupported if something else answers. The settings are then the given ones, without
// guesses, and can be saved: the agent searches again later.
func Discover(ctx context.Context, c DiscoverConfig) (s Settings, tried []string, err error) {
	if c.Getenv == nil {
		c.Getenv = func(string) string { return "" }
	}
	d := &discovery{config: c, refused: map[string]bool{}}
	s, err = d.run(ctx)
	return s, d.tried, err
}

type discovery struct {
	config  DiscoverConfig
	tried   []string
	refused map[string]bool // credentials that were tried
}

func (d *discovery) say(format string, args ...any) {
	d.tried = append(d.tried, fmt.Sprintf(format, args...))
}

func (d *discovery) run(ctx context.Context) (Settings, error) {
	known, err := d.known()
	if err != nil {
		return known, err
	}
	own, host := fromEMQX(d.config.Getenv), readHost(d.config.Root)
	addresses := host.values.over(own).addresses()
	if known.HasCredentials() {
		known = known.Or(addresses)
		return known, d.try(ctx, known, "what was given")
	}
	guesses, said := guessesOf(own, host, "EMQX's environment")
	d.tried = append(d.tried, said...)
	if s, err, done := d.guess(ctx, known.Or(addresses), guesses); done {
		return orKnown(s, known, err), err
	}
	if d.config.Prompt != nil {
		answer, err := d.config.Prompt(ctx, known)
		if err != nil {
			return known, err
		}
		if known = answer.Or(known); known.HasCredentials() {
			known = known.Or(addresses)
			return known, d.try(ctx, known, "what was typed")
		}
	}
	d.tell(host)
	guesses, said = guessesOf(host.values, host, "EMQX's configuration")
	d.tried = append(d.tried, said...)
	guesses = append(guesses, guess{"the user that EMQX comes with",
		Settings{Username: comesWithUser, Password: comesWithPassword}})
	s, err, _ := d.guess(ctx, known.Or(addresses), guesses)
	return orKnown(s, known, err), err
}

// orKnown keeps guesses only if EMQX accepts them.
func orKnown(s, known Settings, err error) Settings {
	if err != nil {
		return known
	}
	return s
}

// tell adds to tried which of EMQX's own files were read.
func (d *discovery) tell(h hostConfig) {
	if len(h.read) > 0 {
		d.say("EMQX's configuration: read %s", strings.Join(h.read, ", "))
	}
	if len(h.denied) > 0 {
		d.say("EMQX's configuration: may not read %s", strings.Join(h.denied, ", "))
	}
	if len(h.read)+len(h.denied) == 0 {
		d.say("EMQX's configuration: none found on this host")
	}
}

// known returns the settings that were configured in some way.
func (d *discovery) known() (Settings, error) {
	s := d.config.Given
	if s.HasCredentials() {
		d.say("the flags: %s", s.Credentials())
	}
	if d.config.Home != "" {
		file, err := Load(d.config.Home)
		switch {
		case err == nil:
			d.found(s, file, d.config.Home.Broker())
			s = s.Or(file)
		case !IsMissing(err) && !s.HasCredentials():
			return s, err
		case !IsMissing(err):
			d.say("%s: %v", d.config.Home.Broker(), err)
		}
	}
	env := fromEnvironment(d.config.Getenv)
	d.found(s, env, "the environment ("+ownVariables+"…)")
	s = s.Or(env)
	if err := s.Check(); err != nil {
		return s, &ecp.Error{Code: ecp.CodeInvalid, Op: "EMQX's settings", Message: err.Error()}
	}
	return s, nil
}

// found adds to tried where the credentials come from.
func (d *discovery) found(before, more Settings, from string) {
	if !before.HasCredentials() && more.HasCredentials() {
		d.say("%s: %s", from, more.Credentials())
	}
}

// guess tries one guess after the other until EMQX accepts one, or cannot be reached. done
// is false if all were refused, or there are none.
func (d *discovery) guess(ctx context.Context, known Settings, guesses []guess) (s Settings, err error, done bool) {
	err = errNoCredentials
	for _, g := range guesses {
		s = known.Or(g.settings)
		id := s.Username + "\x00" + s.Password + "\x00" + s.APIKey + "\x00" + s.APISecret
		if d.refused[id] {
			continue
		}
		d.refused[id] = true
		if err = d.try(ctx, s, g.from); err == nil || !errors.Is(err, ecp.ErrDenied) {
			return s, err, true
		}
	}
	return s, err, false
}

// try tries settings once.
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
