package deploy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lockPoll is how often a lock that another process has is tried.
const lockPoll = 50 * time.Millisecond

// Lock keeps other processes from deploying the same job from this data
// directory until release is called, or this process ends. If another has it,
// busy is called once and Lock waits. Deployments from other machines are not
// kept away: a workspace has no lock to offer; they show as drift.
func (r Records) Lock(ctx context.Context, host, key string, busy func()) (release func(), err error) {
	if err := os.MkdirAll(r.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("lock the deployment: %w", err)
	}
	f, err := os.OpenFile(strings.TrimSuffix(r.path(host, key), ".json")+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the deployment: %w", err)
	}
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for first := true; ; first = false {
		switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
		case err == nil:
			return func() { _ = f.Close() }, nil // the lock goes with it
		case !errors.Is(err, unix.EWOULDBLOCK):
			return nil, fmt.Errorf("lock the deployment: %w", errors.Join(err, f.Close()))
		}
		if first {
			busy()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), f.Close())
		}
	}
}
