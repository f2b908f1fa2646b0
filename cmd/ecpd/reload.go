package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"
)

// reloader applies what may change while the daemon runs: the files of the certificate,
// of the authorities for agents and of the kubeconfig, and with SIGHUP the settings
// marked reload. One goroutine uses it.
type reloader struct {
	config      config // in effect
	level       *slog.LevelVar
	certificate *certificate // nil with plain HTTP
	authorities *authorities
	// kubeconfig reads the file of --kubeconfig again if it has changed or force is
	// true. It is nil if there is no such file.
	kubeconfig func(ctx context.Context, force bool) (changed bool, err error)
	unreadable string // the last error about that file, which is logged once
	hangups    <-chan os.Signal
	notify     notifier
	log        *slog.Logger
	done       func(error) // called after every attempt, for metrics
}

// run returns when ctx ends.
func (r *reloader) run(ctx context.Context) {
	tick := time.NewTicker(r.config.tlsCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.hangups:
			r.reload(ctx)
		case <-tick.C:
			r.poll(ctx)
		}
	}
}

// pollKubeconfig applies the kubeconfig if its files have changed.
func (r *reloader) pollKubeconfig(ctx context.Context) {
	if r.kubeconfig == nil {
		return
	}
	changed, err := r.kubeconfig(ctx, false)
	switch {
	case err != nil && err.Error() != r.unreadable:
		r.unreadable = err.Error()
		r.done(err)
		r.log.ErrorContext(ctx, "the changed kubeconfig cannot be used, the old one stays", "error", oneLine(err))
	case changed:
		r.unreadable = ""
		r.done(nil)
		r.log.InfoContext(ctx, "the kubeconfig has changed and is used from now on")
	}
}

// pollAuthorities applies the authorities for agents if their file has changed.
func (r *reloader) pollAuthorities(ctx context.Context) {
	if r.authorities == nil {
		return
	}
	if err := r.authorities.renew(ctx, false); err != nil {
		r.done(err)
		r.log.ErrorContext(ctx, "reload", "error", oneLine(err))
	}
}

// poll applies the files that have changed.
func (r *reloader) poll(ctx context.Context) {
	r.pollKubeconfig(ctx)
	r.pollAuthorities(ctx)
	if r.certificate == nil {
		return
	}
	before := r.certificate.pair.Load()
	err := r.certificate.renew(ctx, false)
	if err != nil || r.certificate.pair.Load() != before {
		r.done(err)
	}
	if err != nil {
		r.log.ErrorContext(ctx, "reload", "error", err)
	}
}

// reload applies everything after SIGHUP. What cannot be used is reported and stays as
// it was.
func (r *reloader) reload(ctx context.Context) {
	r.tell(ctx, notifyReloading, "reading the configuration again")
	defer r.tell(ctx, notifyReady, "serving")
	var err error
	if r.certificate != nil {
		err = r.certificate.renew(ctx, true)
	}
	if r.authorities != nil {
		err = errors.Join(err, r.authorities.renew(ctx, true))
	}
	if r.kubeconfig != nil {
		_, wrong := r.kubeconfig(ctx, true)
		err = errors.Join(err, wrong)
	}
	next, wrong := r.config.again()
	if wrong != nil {
		err = errors.Join(err, errors.New("the settings stay as they were: "+oneLine(wrong)))
	} else {
		r.take(ctx, next)
	}
	r.done(err)
	if err != nil {
		r.log.ErrorContext(ctx, "reload", "error", oneLine(err))
		return
	}
	r.log.InfoContext(ctx, "reloaded", "log level", r.config.logLevel)
}

// take applies the settings marked reload, and warns of others that have changed.
func (r *reloader) take(ctx context.Context, next config) {
	for i, s := range r.config.settings() {
		was, is := s.flag(), next.settings()[i].flag().String()
		switch {
		case was.String() == is:
		case s.reload:
			_ = was.Set(is) // it was parsed before
		default:
			r.log.WarnContext(ctx, "a setting has changed that takes effect at the next start only", "setting", s.key)
		}
	}
	r.level.Set(logLevels[r.config.logLevel])
}

func (r *reloader) tell(ctx context.Context, state, status string) {
	if err := r.notify.tell(ctx, state, status); err != nil {
		r.log.WarnContext(ctx, "reload", "error", err)
	}
}
