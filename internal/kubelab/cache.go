package kubelab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// CacheEnv names the environment variable that overrides where built programs
// and running labs are kept.
const CacheEnv = "OPENECP_CACHE"

// CacheDir returns the folder for built programs and running labs: $OPENECP_CACHE,
// else "openecp" in the user's cache folder. It may not exist yet.
func CacheDir() (string, error) {
	if dir := os.Getenv(CacheEnv); dir != "" {
		return filepath.Abs(dir)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a cache folder: %w; set %s to a folder that may be written", err, CacheEnv)
	}
	return filepath.Join(base, "openecp"), nil
}

// fileLock is a lock that the kernel releases when its holder ends, however it ends.
// So the lock shows whether the owner is alive, which a process id does not: ids are
// used again.
type fileLock struct{ f *os.File }

// errLocked means that another process holds the lock.
var errLocked = errors.New("locked by another process")

// tryLock takes the lock at path or returns errLocked at once.
func tryLock(path string) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return &fileLock{f}, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = errLocked
	}
	return nil, err
}

// waitLock takes the lock at path, waiting for its holder until ctx ends.
func waitLock(ctx context.Context, path string) (*fileLock, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		l, err := tryLock(path)
		if !errors.Is(err, errLocked) {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the holder of %s: %w", path, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// unlock releases the lock. The file stays: removing it would let two
// processes lock two files of one name.
func (l *fileLock) unlock() { _ = l.f.Close() }
