package kubelab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// owner describes a lab in its folder, for the lab that finds the folder after this
// one was killed.
type owner struct {
	Pid       int
	Octet     int
	Namespace string // of the network
	Started   time.Time
}

// settle takes a folder and a network for the lab, after removing those of labs that
// were killed. One process at a time does this.
func (l *Lab) settle(ctx context.Context) error {
	cache, err := CacheDir()
	if err != nil {
		return err
	}
	labs := filepath.Join(cache, "labs")
	if err := os.MkdirAll(labs, 0o755); err != nil {
		return fmt.Errorf("make a folder for labs: %w; set %s to a folder that may be written", err, CacheEnv)
	}
	turn, err := waitLock(ctx, filepath.Join(cache, "labs.lock"))
	if err != nil {
		return err
	}
	defer turn.unlock()
	l.sweep(ctx, labs)

	if l.Dir, err = os.MkdirTemp(labs, "lab-"); err != nil {
		return err
	}
	if l.lock, err = tryLock(filepath.Join(l.Dir, "lock")); err != nil {
		return err
	}
	l.net, l.held, err = claim(ctx, l.ipv6, func(n network) error {
		return writeOwner(l.Dir, owner{os.Getpid(), n.octet, netNamespace(), time.Now()})
	})
	return err
}

// sweep removes the folders, routes and volumes of labs whose owner is dead, which
// holds if their lock is free, and the routes of those whose folder is elsewhere or gone.
// A failure is only logged: it must not fail a start.
func (l *Lab) sweep(ctx context.Context, labs string) {
	if err := sweepRoutes(ctx); err != nil {
		l.log.Warn("remove the routes that killed labs have left", "err", err)
	}
	entries, err := os.ReadDir(labs)
	if err != nil {
		l.log.Warn("look for what killed labs have left", "err", err)
		return
	}
	for _, e := range entries {
		dir := filepath.Join(labs, e.Name())
		lock, err := tryLock(filepath.Join(dir, "lock"))
		if errors.Is(err, errLocked) {
			continue
		}
		if err != nil {
			l.log.Warn("look at a lab's folder", "dir", dir, "err", err)
			continue
		}
		err = removeDead(ctx, dir)
		lock.unlock()
		l.log.Info("removed what a killed lab has left", "dir", dir, "err", err)
	}
}

// removeDead removes one dead lab. The folder is removed last, so that the next start
// tries again what fails here.
func removeDead(ctx context.Context, dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, "owner.json"))
	if errors.Is(err, os.ErrNotExist) { // killed before it had a route
		return os.RemoveAll(dir)
	}
	if err != nil {
		return err
	}
	var o owner
	if err := json.Unmarshal(b, &o); err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	switch {
	case o.Namespace == netNamespace():
		if err := (network{octet: o.Octet}).releaseIfDead(ctx); err != nil { // another may have it since
			return err
		}
	case !namespaceGone(o.Namespace):
		// Its route can only be removed from there: leave the record of it.
		return errors.Join(removeEmptyVolumes(o.Started), removeBulk(dir))
	}
	return errors.Join(removeEmptyVolumes(o.Started), os.RemoveAll(dir))
}

// removeBulk removes what takes space, and keeps the record of the route.
func removeBulk(dir string) error {
	var errs []error
	for _, name := range []string{"etcd", "logs", "pki", "kubectl", "audit.log"} {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, name)))
	}
	return errors.Join(errs...)
}

func writeOwner(dir string, o owner) error {
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "owner.json"), b, 0o600)
}
