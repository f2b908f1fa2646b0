package kubelab

import (
	"context"
	"errors"
)

// StopAPIServer ends the API server: connections break, and new ones are refused until
// StartAPIServer. Everything else goes on, including the addresses of pods. After an
// outage of more than two minutes nodes are NotReady at first, as in any cluster.
func (l *Lab) StopAPIServer() error {
	p := l.take("kube-apiserver")
	if p == nil {
		return errors.New("stop the API server: it is not running")
	}
	p.kill()
	return nil
}

// StartAPIServer starts the API server again, at the same address and with the same
// objects, and returns when it is ready.
func (l *Lab) StartAPIServer(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, errors.New("it took too long"))
	defer cancel()
	l.mu.Lock()
	for _, p := range l.procs {
		if p.name == "kube-apiserver" {
			l.mu.Unlock()
			return errors.New("start the API server: it is running")
		}
	}
	l.mu.Unlock()
	if err := l.run(l.apiServer()); err != nil {
		return err
	}
	return l.until(ctx, "the API server is ready", l.answers("/readyz"))
}
